//! Checkpoints: runs that left a paused copy of themselves behind, to go on from later.

use std::ffi::OsString;

use serde::{Deserialize, Serialize};

use crate::{Loaded, RunId};

/// Where a run is to leave checkpoints. A run that is told nothing leaves none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpointing {
    /// How many are worth keeping. Their distance grows with the time that the run has taken.
    pub most: u32,
    /// How much time they may cost, in percent of the time that the program takes to load its modules.
    pub overhead: u32,
    /// Files that were edited lately, absolute: each module in one of them is worth a checkpoint of its own.
    pub edited: Vec<OsString>,
    /// What one costs, in microseconds, if a run like this one has measured it.
    pub cost: Option<u64>,
}

/// What a checkpoint is, as it tells itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// How many there were before in the past of this process. Each stands on what those have consumed.
    pub number: u32,
    /// The module that would be executed next, or the one whose function would be called.
    pub module: String,
    /// Its file; empty before a call.
    pub file: OsString,
    /// For how long the program had been executed by then, in microseconds.
    pub micros: u64,
    /// How many modules were loaded by then.
    pub modules: u32,
    /// What the program has consumed since the checkpoint before this one, or since its beginning.
    pub loaded: Loaded,
}

/// A run does what programs do once their imports are over, or can leave no more checkpoints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportsOver {
    /// The run.
    pub run: RunId,
    /// How many modules are loaded.
    pub modules: u32,
    /// For how long the program has been executed, in microseconds.
    pub micros: u64,
    /// What a fork would not keep, and the `file:line` that caused it, if that is why.
    pub obstacle: Option<(String, String)>,
    /// What the last checkpoint has cost, in microseconds, if there was one: to make it, and to copy memory that both sides had.
    /// Whatever goes on from one copies about as much.
    pub cost: Option<u64>,
}
