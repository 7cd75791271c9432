//! The `hr` command.
fn main() {}
