//! What users of the crate rely upon.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod cases;
mod changes;
mod locate;
mod plan;
mod rescanning;
mod scanning;
mod settings;
mod support;
mod writes;
