//! The commands, one file each.

pub(crate) mod graph;
pub(crate) mod imports;
pub(crate) mod serve;
pub(crate) mod why;
