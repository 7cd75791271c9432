//! What is asked of a build, and what comes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::{Duration, SystemTime};

use hr_protocol::{ExitStatus, Loaded, Preparation, SnapshotId};
use thiserror::Error;

use crate::transaction::Cause;

/// What a template is to be.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Modules to import, in order.
    pub modules: Vec<String>,
    /// What the process must know before it imports.
    pub preparation: Preparation,
    /// Those of `modules` that are kept whatever they do beyond loading modules.
    pub forced: BTreeSet<String>,
    /// How many of [`Preparation::writes`] come before each of `modules`. All, if nothing is said.
    pub written: BTreeMap<String, u32>,
    /// How long one import may take.
    pub import_limit: Duration,
}

/// A snapshot with its modules imported, ready to be forked into runs.
#[derive(Clone, Debug)]
pub struct Template {
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// Planned modules it has imported, in order.
    pub modules: Vec<String>,
    /// Planned modules it has not, with the reason.
    pub excluded: Vec<(String, Cause)>,
    /// What it has consumed.
    pub loaded: Loaded,
    /// When its first import began, by the clock that files are stamped with: what was written before was read as it
    /// was.
    pub began: SystemTime,
    /// How long building it took.
    pub elapsed: Duration,
}

/// Why there is no template.
#[derive(Debug, Error)]
pub enum BuildError {
    /// No process could be started or forked.
    #[error("no process could be started: {0}")]
    Start(#[from] io::Error),
    /// The interpreter ended before it could import anything.
    #[error("the interpreter ended before it could import anything ({})", describe(*.0))]
    Interpreter(ExitStatus),
}

fn describe(status: ExitStatus) -> String {
    match status {
        ExitStatus::Exited(code) => format!("exit code {code}"),
        ExitStatus::Signaled(signal) => format!("signal {signal}"),
        ExitStatus::Lost => "for no known reason".to_owned(),
    }
}
