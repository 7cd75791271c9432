//! The conversation of a supervisor and a paused process.

use std::ffi::OsString;

use serde::{Deserialize, Serialize};

use crate::{Checkpoint, ExitStatus, Hello, ImportOutcome, ImportProfile, Job, RunId};

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
        /// Whether it is to stay whatever it does to the process beyond loading modules.
        forced: bool,
        /// How many of [`Preparation::writes`] come before it.
        written: u32,
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
    /// What first-party code writes to the environment, in that order.
    pub writes: Vec<EnvironmentWrite>,
}

/// A variable that first-party code sets while it is loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentWrite {
    /// Its name.
    pub variable: OsString,
    /// What it is set to; none if that is only known at run time, or whether it is set at all.
    pub value: Option<OsString>,
    /// Whether an existing value survives.
    pub only_if_unset: bool,
    /// Where, for people.
    pub place: String,
}

/// What a paused process tells its supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Report {
    /// It waits for commands. The first report of every snapshot; of a checkpoint, the second.
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
    /// It is a checkpoint. Its first report.
    Checkpoint(Box<Checkpoint>),
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
    /// Files of all loaded modules, less those that what it was forked from has told of when it settled.
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
    /// What was in it, of the project's own small files: programs write them anew without a change.
    pub content: Option<Content>,
}

/// A hash of what is in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content(pub u64);

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
    /// Which of its entries mattered.
    pub listed: Listed,
    /// The names that mattered, sorted; none if it could not be listed.
    pub names: Option<Vec<OsString>>,
}

/// Which entries of a directory an import has looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Listed {
    /// All of them.
    Everything,
    /// Installed distributions: `*.dist-info`, `*.egg-info`.
    Distributions,
    /// What modules can be loaded from: files of any name that begins like an identifier and ends like a module, and
    /// directories.
    Modules,
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
