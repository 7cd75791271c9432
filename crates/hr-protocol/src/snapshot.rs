//! The conversation of a supervisor and a paused process.

use std::collections::BTreeSet;
use std::ffi::OsString;

use serde::{Deserialize, Serialize};

use crate::{ExitStatus, Hello, ImportProfile, Job, RunId};

/// Names one snapshot within its supervisor. Numbers start at 1 and are never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SnapshotId(pub u64);

/// What a supervisor tells a paused process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Look for modules here, and keep first-party ones out. Not answered: it cannot fail.
    /// A descriptor for [`Note`](crate::Note)s may come with it.
    Prepare(Box<Preparation>),
    /// Import one module. Answered by [`Report::Imported`].
    Import {
        /// Its absolute name.
        module: String,
    },
    /// Imports are over: collect and freeze the heap, so that runs share it. Answered by [`Report::Settled`].
    Settle,
    /// Fork another paused process, which takes its commands from the descriptor that comes with this.
    /// Answered by [`Report::Forked`], and there by [`Report::Ready`].
    Fork {
        /// Its name.
        snapshot: SnapshotId,
    },
    /// Fork a run. Answered by [`Report::Started`], and by [`Report::Ended`] when it is over.
    Run(Box<Job>),
    /// Fork a run ahead of time. It takes its [`Job`] from the descriptor that comes with this, and ends without one
    /// when that stream does. Answered like [`Command::Run`].
    Spare {
        /// The name of the run it will be.
        run: RunId,
    },
    /// Kill what a run that has ended left behind. Answered by [`Report::Swept`].
    Sweep {
        /// The run.
        run: RunId,
    },
    /// End, and end whatever runs have left behind. Not answered: the stream ends.
    Retire {
        /// Process ids of the snapshots that live on. Some may be below this one without its knowledge: a fallback
        /// outlives the snapshot it was forked from.
        snapshots: Vec<i32>,
    },
}

/// What a process must know before it imports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preparation {
    /// `sys.argv`.
    pub argv: Vec<OsString>,
    /// `sys.path`.
    pub sys_path: Vec<OsString>,
    /// What must never be imported.
    pub first_party: FirstParty,
    /// Whether imports are to be measured one by one.
    pub profile: bool,
}

/// What a paused process tells its supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Report {
    /// It waits for commands. The first report of every snapshot.
    Ready {
        /// The version it speaks.
        hello: Hello,
        /// Its process id.
        pid: i32,
    },
    /// An import is over.
    Imported {
        /// The module.
        module: String,
        /// Wall time in microseconds.
        micros: u64,
        /// How it went.
        outcome: ImportOutcome,
        /// How many threads the process has beside the one that reports: pools that survive a fork.
        threads: usize,
    },
    /// The heap is frozen.
    Settled(Loaded),
    /// Another paused process exists. A descriptor that stands for it (`pidfd`) comes with this.
    Forked {
        /// Its name.
        snapshot: SnapshotId,
        /// Its process id.
        pid: i32,
    },
    /// A run exists. A descriptor that stands for it (`pidfd`) comes with this.
    Started {
        /// Its name.
        run: RunId,
        /// Its process id.
        pid: i32,
    },
    /// The kernel refused to fork; nothing has changed.
    ForkFailed {
        /// The run that was to be made, or none if it was a snapshot.
        run: Option<RunId>,
        /// What the kernel said.
        message: String,
    },
    /// A run is over.
    Ended {
        /// Its name.
        run: RunId,
        /// How.
        status: ExitStatus,
    },
    /// Nothing of that run is left.
    Swept {
        /// The run.
        run: RunId,
    },
}

/// What a snapshot has consumed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loaded {
    /// Files of all loaded modules.
    pub files: Vec<OsString>,
    /// Top-level modules and packages, and the file each was found as. Without those that the interpreter loads at
    /// startup or has built in.
    pub names: Vec<(String, OsString)>,
    /// Top-level modules that imports have asked for and not found.
    pub absent: Vec<String>,
    /// Environment variables that imports have read.
    pub variables: Vec<OsString>,
    /// Other files that imports have opened.
    pub opened: Vec<OpenedFile>,
    /// Directories that imports have listed.
    pub listed: Vec<ListedDirectory>,
    /// What imports have cost, if that was asked for.
    pub profile: Option<Box<ImportProfile>>,
}

/// A file that an import has opened, or tried to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenedFile {
    /// Its absolute path.
    pub path: OsString,
    /// Its state at that moment; none if there was no such file.
    pub stamp: Option<FileStamp>,
}

/// What the file system says of a file without its being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStamp {
    /// In bytes.
    pub size: u64,
    /// Time of modification, in nanoseconds since 1970.
    pub modified: i64,
    /// Time of the last change of the inode, in nanoseconds since 1970. Catches what keeps the time of modification:
    /// `cp -p`, `mv`, `touch -r`.
    pub changed: i64,
    /// Number within the device.
    pub inode: u64,
    /// The device.
    pub device: u64,
}

/// A directory that an import has listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedDirectory {
    /// Its absolute path.
    pub path: OsString,
    /// Whether only installed distributions were looked for (`*.dist-info`, `*.egg-info`).
    pub only_distributions: bool,
    /// The names that mattered, sorted; none if it could not be listed.
    pub names: Option<Vec<OsString>>,
}

/// How an import went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImportOutcome {
    /// The module is there.
    Imported,
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
    /// The import left Python threads running, which a fork would lose.
    Threads {
        /// Their names.
        names: Vec<String>,
    },
    /// The import left threads running that Python does not know of, and whose library would miss them after a fork.
    NativeThreads {
        /// All of them.
        threads: Vec<NativeThread>,
    },
    /// The import left processes running, which all runs would share.
    Processes {
        /// Their ids.
        pids: Vec<i32>,
    },
    /// The import left a socket that listens.
    Listens,
    /// The import changed the working directory.
    Directory {
        /// Where it is now.
        now: String,
    },
    /// The import changed what the process does when a signal arrives.
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

impl std::fmt::Display for ImportFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotFound => f.write_str("is not installed"),
            Self::Raised { type_name, message } if message.is_empty() => write!(f, "raises {type_name}"),
            Self::Raised { type_name, message } => write!(f, "raises {type_name}: {message}"),
            Self::FirstParty { module } => write!(f, "imports first-party module {module}"),
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

/// Whose threads keep running, each library once.
fn owners(threads: &[NativeThread]) -> String {
    let libraries: BTreeSet<_> = threads.iter().filter_map(|thread| thread.library.as_deref()).collect();
    if libraries.is_empty() {
        let names: BTreeSet<_> = threads.iter().map(|thread| thread.name.as_str()).collect();
        return format!("running: {}", Vec::from_iter(names).join(", "));
    }
    format!("of {} running", Vec::from_iter(libraries).join(" and "))
}

/// How to tell the project's own modules from others.
///
/// A file is first-party if the longest of all these paths and of the directories in `sys.path` that contain
/// it is one of these paths.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstParty {
    /// Directories and files that hold first-party modules, absolute.
    pub paths: Vec<OsString>,
    /// Names of the modules known to be first-party.
    pub modules: Vec<String>,
}
