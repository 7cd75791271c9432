//! The conversation of a client and its supervisor.
//!
//! The client only ever writes [`Request`]s to the connection. Each request brings a descriptor of its own,
//! the first one, on which the supervisor answers it; so any number of threads can wait at the same time,
//! none reads what belongs to another, and the end of that stream tells each of them that the supervisor
//! is gone.

use std::ffi::OsString;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    BuildEvent, Call, ExitStatus, Hello, ImportProfile, MainModule, Notice, RunId, TreeReport, Variables,
};

/// What a client asks of its supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// First of all. Answered by [`Reply::Hello`].
    Hello(Hello),
    /// Scan this project and build its template. Answered by [`Reply::Opened`].
    Open(Box<Open>),
    /// Fork a run. Answered by [`Reply::Started`], and once more by [`Reply::Ended`]. Descriptors after the
    /// reply channel are those of [`Call`].
    Exec(Box<Call>),
    /// End a run and all that it started. Answered by [`Reply::Stopped`] when nothing is left of it.
    Stop {
        /// Which run.
        run: RunId,
        /// How long it may take to end after SIGTERM; without time, it is killed at once.
        grace: Duration,
        /// Whether a run like it is asked for when nothing is left of it, most likely. It can be forked meanwhile.
        again: bool,
    },
    /// Send a run a signal. Answered by [`Reply::Stopped`] at once, which says whether it was running.
    Signal {
        /// Which run.
        run: RunId,
        /// The signal's number.
        signal: i32,
    },
    /// Bring the template up to date with what is on disk now. Answered by [`Reply::Updated`].
    Update,
    /// Tell the state of the template. Answered by [`Reply::State`].
    Status,
    /// Tell what decides what the template holds. Answered by [`Reply::Watched`].
    Watched,
    /// Tell what the template's imports have cost. Answered by [`Reply::Profile`].
    Profile,
    /// End everything. Answered by [`Reply::Closed`] when no process is left but the supervisor itself.
    Close,
}

/// What a supervisor answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// To [`Request::Hello`].
    Hello(Hello),
    /// Something happens while the template is built that [`Request::Open`] or [`Request::Update`] asks for. Any number
    /// of these come before the answer.
    Building(BuildEvent),
    /// The template stands.
    Opened(TemplateState),
    /// The run was forked.
    Started {
        /// Its name, for [`Request::Stop`].
        run: RunId,
        /// Its process id.
        pid: i32,
        /// The checkpoint it goes on from, if not from its first line.
        resumed: Option<Resumed>,
    },
    /// The run tells something. Any number of these come between its start and its end.
    Notice(Notice),
    /// The run is over, and so is everything it left behind that had to go.
    Ended(ExitStatus),
    /// The run has ended.
    Stopped {
        /// Whether it was still running when it was asked to stop.
        was_running: bool,
    },
    /// The template is up to date.
    Updated(Update),
    /// To [`Request::Status`].
    State(TemplateState),
    /// To [`Request::Watched`].
    Watched(Watched),
    /// To [`Request::Profile`].
    Profile(ImportProfile),
    /// To whoever connects to the supervisor's public socket: see [`TreeReport`].
    Tree(TreeReport),
    /// To [`Request::Close`].
    Closed,
    /// The request could not be met.
    Failed(Failure),
}

/// Where in its past a run goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumed {
    /// The module that it executes next.
    pub module: String,
    /// How many modules are loaded.
    pub kept: u32,
    /// How many were loaded in the end when the same was run last, if that is known.
    pub of: Option<u32>,
    /// How long it had taken to come there, in microseconds.
    pub micros: u64,
}

/// Why a request was not met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// No such package or path.
    UnknownPackage {
        /// What was asked for.
        name: String,
        /// A sentence that names it and says where it was looked for.
        message: String,
    },
    /// No template and no run could be had of this interpreter.
    Interpreter {
        /// What went wrong, and with which file.
        message: String,
    },
    /// The request does not fit the state of the supervisor, or came without its descriptors.
    Invalid {
        /// What is wrong with it.
        message: String,
    },
}

/// The project a supervisor is to own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// What to scan.
    pub target: Target,
    /// The user's interpreter.
    pub interpreter: TargetInterpreter,
    /// Modules that the client starts programs with, though no source of the project imports them: a server, say.
    pub programs: Vec<String>,
    /// Modules that no template imports: each name, and everything below it.
    pub ignored_modules: Vec<String>,
    /// Modules that every template imports, whatever they do beyond loading modules, and whether the project imports them
    /// or not.
    pub preload: Vec<String>,
    /// How long the import of one module may take. The project's settings decide if the client does not.
    pub import_limit: Option<Duration>,
    /// How many runs to fork ahead of time. The project's settings decide if the client does not.
    pub spares: Option<u32>,
    /// How many checkpoints a run may leave behind; none if it is not to. The project's settings decide if the client does
    /// not.
    pub checkpoints: Option<u32>,
    /// How much private memory all checkpoints together may take, in bytes. The project's settings decide if the client does
    /// not.
    pub checkpoint_memory: Option<u64>,
    /// How much time checkpoints may cost, in percent of the time that a program takes to load its modules. The project's
    /// settings decide if the client does not.
    pub checkpoint_overhead: Option<u32>,
    /// Whether what runs have had to load is added to the template as soon as they tell, while nobody waits, rather than
    /// with the next update. Programs that are kept up to date run long, and who saves a file waits.
    pub learn_at_once: bool,
    /// Whether imports are measured one by one, for [`Request::Profile`]. It makes them slower.
    pub profile: bool,
}

impl Open {
    /// How long the import of one module may take unless the user says otherwise. Generous: some compile code the first
    /// time.
    pub const IMPORT_LIMIT: Duration = Duration::from_mins(2);

    /// How many runs are forked ahead of time unless somebody says otherwise.
    pub const SPARES: u32 = 1;

    /// How many checkpoints a run leaves behind unless somebody says otherwise.
    pub const CHECKPOINTS: u32 = 12;

    /// How much private memory all checkpoints together take unless somebody says otherwise, in bytes.
    pub const CHECKPOINT_MEMORY: u64 = 512 << 20;

    /// How much time checkpoints cost unless somebody says otherwise, in percent of a program's imports.
    pub const CHECKPOINT_OVERHEAD: u32 = 10;

    /// A project of which nothing special is known: its template holds what it imports, and nothing is forked ahead.
    pub fn new(target: Target, interpreter: TargetInterpreter) -> Self {
        Self {
            target,
            interpreter,
            programs: Vec::new(),
            ignored_modules: Vec::new(),
            preload: Vec::new(),
            import_limit: None,
            spares: Some(0),
            checkpoints: Some(0),
            checkpoint_memory: None,
            checkpoint_overhead: None,
            learn_at_once: false,
            profile: false,
        }
    }
}

/// How a client names its project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// An importable module or package.
    Module(String),
    /// A directory or a file.
    Path(OsString),
}

/// The interpreter that templates are started with, as it describes itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetInterpreter {
    /// `sys.executable`.
    pub executable: OsString,
    /// Options that make another process of it behave alike (`-X utf8`, `-W error`, `-O`, …).
    pub options: Vec<OsString>,
    /// Major and minor version.
    pub version: (u8, u8),
    /// `sys.platform`.
    pub platform: String,
    /// `sys.argv`, which imports may read.
    pub argv: Vec<OsString>,
    /// `sys.path`, absolute.
    pub sys_path: Vec<OsString>,
    /// `sys.stdlib_module_names`.
    pub stdlib: Vec<String>,
    /// `sys.builtin_module_names`.
    pub builtins: Vec<String>,
    /// The environment templates are started in.
    pub environment: Vec<(OsString, OsString)>,
    /// The directory that holds the `hotreload` package to load into templates.
    pub package_directory: OsString,
}

/// What a run inherits from its client, as a child process of it would.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessContext {
    /// `sys.argv`.
    pub argv: Vec<OsString>,
    /// `sys.path`.
    pub sys_path: Vec<OsString>,
    /// The whole environment.
    pub environment: Variables,
    /// File mode creation mask.
    pub umask: u32,
    /// Which of stdin, stdout and stderr are open.
    pub stdio: [bool; 3],
    /// What `__main__` is.
    pub main: MainModule,
}

/// A template, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateState {
    /// Process id of the supervisor.
    pub supervisor: i32,
    /// Process id of the template the next run is forked from.
    pub template: i32,
    /// Planned modules it has imported, in that order.
    pub modules: Vec<String>,
    /// Planned modules it has not.
    pub excluded: Vec<Exclusion>,
    /// Modules that no source names in an import, and that runs have had to load.
    pub learned: Vec<Learned>,
    /// Files of the project that could not be read or parsed.
    pub problems: Vec<Problem>,
    /// How long building it took, in microseconds.
    pub build_micros: u64,
}

/// A module that runs have loaded though their template did not have it. It is planned since then.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Learned {
    /// The module.
    pub module: String,
    /// Why the template does not have it, if it does not.
    pub excluded: Option<String>,
}

/// A planned module that is not in the template.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Exclusion {
    /// The module.
    pub module: String,
    /// Why it is not there.
    pub cause: String,
    /// The file that asks for it, relative to the project.
    pub file: OsString,
    /// The line that asks for it, from 1.
    pub line: u32,
}

/// A file of the project that could not be read or parsed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Problem {
    /// The file, relative to the project.
    pub file: OsString,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
    /// What is wrong.
    pub message: String,
}

/// What decides what a project's template holds, for whoever wants to know when to ask for an update.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// The project's root.
    pub root: OsString,
    /// Files whose content matters, absolute.
    pub files: Vec<OsString>,
    /// Directories whose entries matter, absolute. Some may not exist.
    pub directories: Vec<OsString>,
}

/// What happened to one of the project's own files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceChange {
    /// The file, relative to the project.
    pub file: OsString,
    /// The module it holds or held.
    pub module: String,
    /// What happened to it.
    pub kind: SourceChangeKind,
    /// Of one that is unreadable: files that have changed as well, and import it when they are loaded.
    pub importers: Vec<OsString>,
}

/// What a change of a file means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SourceChangeKind {
    /// Comments, blanks, formatting: the same code on the same lines.
    Cosmetic,
    /// Another program.
    Code,
    /// It can no longer be read or parsed.
    Unreadable,
    /// There is a new file, or one lies elsewhere.
    Added,
    /// A file is gone.
    Deleted,
}

/// What an update found and did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// Whether runs are forked from another template now.
    pub changed: bool,
    /// Modules the project imports now and did not before.
    pub added: Vec<String>,
    /// Modules the project no longer imports.
    pub removed: Vec<String>,
    /// Files that the old template had loaded and that have changed since.
    pub files: Vec<OsString>,
    /// What happened to the project's own files since the newest run began, sorted by file.
    pub source: Vec<SourceChange>,
    /// All of this in one line for people.
    pub reason: String,
    /// The template that stands now.
    pub state: TemplateState,
}
