//! What the imports of a template cost and brought, module by module.

use std::ffi::OsString;

use serde::{Deserialize, Serialize};

use crate::{ExitStatus, ImportFailure};

/// Every import that a template has carried out, if [`Open::profile`](crate::Open::profile) asked for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportProfile {
    /// In the order in which they began. What an attempt that was rolled back has imported is not among them.
    pub imports: Vec<ProfiledImport>,
    /// Environment variables that imports have asked for, sorted.
    pub reads: Vec<EnvironmentRead>,
    /// Planned modules that could not be kept, with the time that went by until that was known.
    pub attempts: Vec<FailedAttempt>,
}

/// One module's import, nested ones included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfiledImport {
    /// The module's absolute name.
    pub module: String,
    /// The import during which this one happened, by its place in [`ImportProfile::imports`]: always an earlier one.
    pub parent: Option<u32>,
    /// When it began, in microseconds since the template began to import.
    pub start_micros: u64,
    /// How long it took, in microseconds. What the measurement itself took is left out.
    pub micros: u64,
    /// Growth of private memory in bytes, by the kernel's running count: off by some hundred kilobytes for a single
    /// module, right for the sum of many.
    pub memory: i64,
    /// Names of the threads that appeared while no nested import was under way.
    pub threads: Vec<String>,
    /// What the descriptors lead to that appeared while no nested import was under way.
    pub descriptors: Vec<String>,
    /// Whether it raised, which the importer may have handled.
    pub failed: bool,
}

/// An environment variable, and who asked for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentRead {
    /// The variable's name. It need not have a value.
    pub variable: OsString,
    /// The modules that were being imported when it was asked for, the innermost each time, in order.
    pub modules: Vec<String>,
}

/// A planned module that the template lacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedAttempt {
    /// The module.
    pub module: String,
    /// How long its import took until it was given up, in microseconds, nested ones included.
    pub micros: u64,
    /// How it ended.
    pub end: AttemptEnd,
}

/// How the import of a module ended that a template does not keep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AttemptEnd {
    /// It failed, or did what no template may do.
    Failed(ImportFailure),
    /// It ended the process.
    Died(ExitStatus),
    /// It took too long.
    TimedOut,
}
