//! What users of the crate rely upon.

mod cpython;
mod environment;
mod fast;
