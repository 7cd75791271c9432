//! What a supervisor tells about everything below it, for people.
//!
//! Nobody has to ask: whoever connects to a supervisor's public socket and is the same user gets one [`TreeReport`]. What
//! the processes take now, and how old they are, the kernel tells whoever has their numbers.

use std::ffi::OsString;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{RunId, SnapshotId};

/// All processes of one supervisor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeReport {
    /// The project's root, absolute; none before a project is open.
    pub project: Option<OsString>,
    /// The interpreter.
    pub python: OsString,
    /// Process id of the client that all of this is for.
    pub client: i32,
    /// Snapshots, in the order in which they were made.
    pub snapshots: Vec<SnapshotReport>,
    /// Runs that are not over, and spares.
    pub runs: Vec<RunReport>,
}

/// A paused process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotReport {
    /// Its name.
    pub snapshot: SnapshotId,
    /// What it was forked from, if that is still there.
    pub parent: Option<SnapshotId>,
    /// Its process id.
    pub pid: i32,
    /// What it waits for.
    pub role: SnapshotRole,
}

/// What a paused process is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SnapshotRole {
    /// Runs are forked from it, or from what stands on it.
    Template {
        /// How many planned modules it has imported beyond what its parent has.
        modules: u32,
        /// How long that took: a run would need as long for it.
        saves: Duration,
    },
    /// A run goes on from here.
    Checkpoint {
        /// The module that would be executed next, or the one whose functions would be called.
        module: String,
        /// Whether it is a function that would be called.
        call: bool,
        /// How many modules are loaded.
        modules: u32,
        /// How long a run from the template takes to come here.
        saves: Duration,
    },
    /// It is being built, waits for what it was forked from to fail, or ends with its last run.
    Other,
}

/// A process that executes the project's code, or will.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunReport {
    /// Its name.
    pub run: RunId,
    /// What it was forked from.
    pub snapshot: SnapshotId,
    /// Its process id.
    pub pid: i32,
    /// Whether it was forked ahead of time and waits for its job.
    pub spare: bool,
}
