//! What users of the crate rely upon.

mod cases;
mod support;
