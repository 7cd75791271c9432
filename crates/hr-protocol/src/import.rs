//! What becomes of an import in a template.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// How an import went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImportOutcome {
    /// The module is there.
    Imported {
        /// What the import did beyond loading modules. None, unless the module is forced into the template.
        effects: Vec<Effect>,
    },
    /// It is not.
    Failed {
        /// Why.
        failure: ImportFailure,
        /// Whether the attempt changed the process: modules are loaded now that were not before. If so, it
        /// must be given up for its fallback.
        left_traces: bool,
    },
}

/// Why a module is not in a template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImportFailure {
    /// There is no module of that name.
    NotFound,
    /// The import raised.
    Raised {
        /// Qualified name of the exception's type.
        type_name: String,
        /// The exception as text.
        message: String,
    },
    /// The import reached for a first-party module.
    FirstParty {
        /// Which.
        module: String,
    },
    /// The import has read a variable that first-party code sets before, to what is only known at run time.
    Environment {
        /// The variable.
        variable: String,
        /// Where it is set.
        place: String,
    },
    /// The import did more than load modules.
    Effects {
        /// What else it did; never empty.
        effects: Vec<Effect>,
    },
}

/// What an import can do to its process that a template must not have behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// It left Python threads running, which a fork would lose.
    Threads {
        /// Their names.
        names: Vec<String>,
    },
    /// It left threads running that Python does not know of, and whose library would miss them after a fork.
    NativeThreads {
        /// All of them.
        threads: Vec<NativeThread>,
    },
    /// It left processes running, which all runs would share.
    Processes {
        /// Their ids.
        pids: Vec<i32>,
    },
    /// It left a socket that listens.
    Listens,
    /// It changed the working directory.
    Directory {
        /// Where it is now.
        now: String,
    },
    /// It changed what the process does when a signal arrives.
    Signals,
}

/// A thread that native code has started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NativeThread {
    /// What it calls itself. At most 15 bytes.
    pub name: String,
    /// The shared library that it belongs to, if that could be found out.
    pub library: Option<String>,
}

impl fmt::Display for ImportFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("is not installed"),
            Self::Raised { type_name, message } if message.is_empty() => write!(f, "raises {type_name}"),
            Self::Raised { type_name, message } => write!(f, "raises {type_name}: {message}"),
            Self::FirstParty { module } => write!(f, "imports first-party module {module}"),
            Self::Environment { variable, place } => {
                write!(f, "reads {variable} from the environment, which {place} sets at run time")
            }
            Self::Effects { effects } => f.write_str(&listed(effects)),
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Threads { names } => write!(f, "leaves threads running: {}", names.join(", ")),
            Self::NativeThreads { threads } => write!(f, "leaves native threads {}", owners(threads)),
            Self::Processes { pids } if pids.len() == 1 => f.write_str("leaves a process running"),
            Self::Processes { pids } => write!(f, "leaves {} processes running", pids.len()),
            Self::Listens => f.write_str("leaves a socket that listens"),
            Self::Directory { now } => write!(f, "changes the working directory to {now}"),
            Self::Signals => f.write_str("changes how signals are handled"),
        }
    }
}

/// All of them in one phrase whose subject is the module.
fn listed(effects: &[Effect]) -> String {
    effects.iter().map(ToString::to_string).collect::<Vec<_>>().join(", and ")
}

/// Whose threads keep running, each library once.
fn owners(threads: &[NativeThread]) -> String {
    let libraries: BTreeSet<_> = threads.iter().filter_map(|thread| thread.library.as_deref()).collect();
    if libraries.is_empty() {
        let names: BTreeSet<_> = threads.iter().map(|thread| thread.name.as_str()).collect();
        return format!("running: {}", Vec::from_iter(names).join(", "));
    }
    format!("of {} running", Vec::from_iter(libraries).join(" and "))
}
