#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod cache;
mod change;
mod finder;
mod graph;
mod interpreter;
mod interpreter_cache;
mod listing;
mod plan;
mod project;
mod query;
mod resolve;
mod scan;
mod walk;

pub use change::{Change, ChangedFile, Changes};
pub use finder::Kind;
pub use graph::{Dependency, Module, Place, Problem, ProjectGraph, Unresolved};
pub use hr_imports as imports;
pub use hr_imports::How;
pub use interpreter::{Interpreter, QueryError};
pub use plan::{ImportPlan, PlannedModule, PlannedWrite};
pub use project::{
    Entry, LocateError, Preload, Project, ProjectSettings, Settings, Target, covers, is_identifier,
};
pub use query::{Dependent, Step, Usage};
pub use scan::{Consulted, ScanOptions, Scanner, Stamp, scan};
