//! What a tree tells its owner, and what it waits for.

use std::time::Duration;

use hr_protocol::{Checkpoint, ExitStatus, ImportOutcome, Loaded, Note, RunId, SnapshotId};

/// Something that happened below the supervisor.
#[derive(Debug)]
pub enum TreeEvent {
    /// A snapshot waits for commands.
    Ready(SnapshotId),
    /// An import is over.
    Imported {
        /// Where.
        snapshot: SnapshotId,
        /// How long it took.
        elapsed: Duration,
        /// How it went.
        outcome: ImportOutcome,
        /// How many threads imports have left there.
        threads: usize,
    },
    /// A snapshot's heap is frozen.
    Settled {
        /// Which.
        snapshot: SnapshotId,
        /// What it has consumed.
        loaded: Loaded,
    },
    /// A run has left a checkpoint: a snapshot like any other.
    Checkpoint {
        /// Its name.
        snapshot: SnapshotId,
        /// The run.
        run: RunId,
        /// What it is.
        checkpoint: Box<Checkpoint>,
    },
    /// A snapshot could not be forked; its parent is as it was.
    ForkFailed {
        /// The parent.
        snapshot: SnapshotId,
        /// What the kernel said.
        message: String,
    },
    /// A snapshot has ended. Its runs end too, and are reported by themselves.
    Died {
        /// Which.
        snapshot: SnapshotId,
        /// How.
        status: ExitStatus,
    },
    /// A run was forked.
    RunStarted {
        /// Its name.
        run: RunId,
        /// Its process id.
        pid: i32,
    },
    /// A run could not be forked.
    RunFailed {
        /// Its name.
        run: RunId,
        /// Why.
        message: String,
    },
    /// A run is over, and nothing that had to end with it is left. The last event of every run that started.
    RunEnded {
        /// Its name.
        run: RunId,
        /// How.
        status: ExitStatus,
    },
    /// A template printed this while it imported.
    Output(Vec<u8>),
    /// A run tells this.
    Note(Note),
}

/// A descriptor of the tree that the supervisor's loop waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Commands to and reports from a snapshot.
    Channel(SnapshotId),
    /// The end of a snapshot.
    Snapshot(SnapshotId),
    /// The end of a run whose snapshot is gone.
    Run(RunId),
    /// A spare whose socket takes no more of its job just now.
    Job(RunId),
    /// What templates print, by the number of the pipe.
    Output(usize),
    /// What runs tell.
    Notes,
}
