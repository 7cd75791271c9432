//! The messages between the processes of `hotreload`, their version and their framing.
//!
//! Four conversations exist, each a pair of message types, so that a message in the wrong direction does
//! not compile:
//!
//! | conversation | towards | back |
//! |---|---|---|
//! | client and supervisor | [`Request`] | [`Reply`] |
//! | supervisor and paused process | [`Command`] | [`Report`] |
//! | supervisor and spare | [`Job`] | [`Taken`] |
//! | run and client | [`Outcome`] | nothing |
//!
//! A frame is a fixed [header](frame::Header) and a postcard body. Frames are bounded *before* memory is set
//! aside for them, a body must be used up to its last byte, and what does not decode is an error, never a
//! panic: these bytes may come from a process that user code has corrupted.
//!
//! # Limits
//!
//! The crate moves no bytes by itself. Descriptors travel beside a frame; the header says how many belong to
//! it, and passing them is `hr-forkserver`'s work. Both ends must be of the same [`VERSION`]: postcard does
//! not tolerate a missing field, so [`Hello`] comes first in every conversation.
//!
//! # Example
//!
//! ```
//! use hr_protocol::frame::{Decoder, encode};
//! use hr_protocol::{Request, RunId};
//!
//! let stop = Request::Stop { run: RunId(7), grace: std::time::Duration::from_secs(2), again: false };
//! let bytes = encode(&stop, 0)?;
//!
//! let mut decoder = Decoder::default();
//! let (first, rest) = bytes.split_at(5); // as a socket might deliver them
//! decoder.push(first);
//! assert!(decoder.next_frame::<Request>()?.is_none());
//! decoder.push(rest);
//! let frame = decoder.next_frame::<Request>()?.expect("a whole frame");
//! assert_eq!(frame.message, stop);
//! # Ok::<(), hr_protocol::frame::FrameError>(())
//! ```
#![forbid(unsafe_code)]

mod building;
mod checkpoint;
mod client;
pub mod frame;
mod import;
mod profile;
mod run;
mod snapshot;
mod tree;
mod variables;

pub use building::BuildEvent;
pub use checkpoint::{Checkpoint, Checkpointing, ImportsOver};
pub use client::{
    Exclusion, Failure, Learned, Open, Problem, ProcessContext, Reply, Request, Resumed, SourceChange,
    SourceChangeKind, Target, TargetInterpreter, TemplateState, Update, Watched,
};
pub use import::{Effect, ImportFailure, ImportOutcome, NativeThread};
pub use profile::{AttemptEnd, EnvironmentRead, FailedAttempt, ImportProfile, ProfiledImport};
pub use run::{
    Call, ExitStatus, Job, MainModule, Note, Notice, Outcome, Payload, Program, RunId, Taken, Work,
};
pub use snapshot::{
    Command, Content, EnvironmentWrite, FileStamp, FirstParty, Listed, ListedDirectory, Loaded, OpenedFile,
    Preparation, Report, SnapshotId,
};
pub use tree::{RunReport, SnapshotReport, SnapshotRole, TreeReport};
pub use variables::Variables;

use serde::{Deserialize, Serialize};

/// The version of every message in this crate. Raise it with any change to their shape.
pub const VERSION: u32 = 8;

/// The first message of each side of a conversation.
///
/// Its own shape never changes, so that two ends of different versions can at least say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The [`VERSION`] of the side that speaks.
    pub version: u32,
}

impl Hello {
    /// The greeting of this build.
    pub const OURS: Self = Self { version: VERSION };
}
