//! The `hr` command as its users meet it.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod analysis;
