//! What a run is told to do, what it answers, and how it ended.

use std::ffi::OsString;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Checkpointing, ImportsOver, ProcessContext};

/// Names one run within its supervisor. Numbers start at 1 and are never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RunId(pub u64);

/// Something to carry out in a process of its own.
///
/// Descriptors that come with it, in this order: the working directory, the result channel, then those of
/// stdin, stdout and stderr that [`ProcessContext::stdio`] announces, then the memory of a
/// [`Payload::Shared`] function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The process it is to be indistinguishable from.
    pub context: ProcessContext,
    /// What it does.
    pub work: Work,
}

impl Call {
    /// How many descriptors accompany it.
    pub fn descriptors(&self) -> usize {
        let stdio = self.context.stdio.iter().filter(|open| **open).count();
        2 + stdio + usize::from(self.work.has_descriptor())
    }
}

/// What a run does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Work {
    /// Calls a function. The run sends one [`Outcome`].
    Function {
        /// The function and its arguments, pickled.
        payload: Payload,
        /// The module that the function is imported from, before anything else is; none if it travels by value.
        module: Option<String>,
    },
    /// Is a program, as the interpreter would start it. Its exit status is all that comes of it.
    Program {
        /// Which.
        program: Program,
        /// Whether somebody watches its files and starts it again when they change. Then reloaders that it would start
        /// itself are off, and it tells of what is to be watched ([`Notice`]).
        reloaded: bool,
        /// Whether applications that a server would import in its event loop, where no checkpoint can lie, are imported right
        /// before that.
        early: bool,
        /// The module of an application that is imported right before the first event loop is made, if that is wanted as well.
        entry: Option<String>,
        /// Files, absolute, that somebody has named to be watched and that have changed since the last run. Who reads them
        /// may not be known: native code, say.
        changed: Vec<OsString>,
    },
}

impl Work {
    /// Whether a descriptor accompanies the message that carries this.
    pub fn has_descriptor(&self) -> bool {
        matches!(self, Self::Function { payload, .. } if payload.has_descriptor())
    }
}

/// A program, by what an interpreter would be given to start it. What follows that on the command line is in
/// [`ProcessContext::argv`], whose first element the interpreter decides for a module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Program {
    /// `python FILE`, where the file may be a directory or an archive with a `__main__` as well. The path as it was typed,
    /// relative to the working directory of the call.
    Script(OsString),
    /// `python -m MODULE`.
    Module(String),
    /// `python -c "import sys; from MODULE import FUNCTION; sys.exit(FUNCTION())"`, as scripts of installed distributions
    /// do.
    Function {
        /// The module.
        module: String,
        /// The function's qualified name in it.
        function: String,
    },
}

/// Everything a fork needs to become a run; its descriptors are those of the [`Call`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The name of the run this job makes.
    pub run: RunId,
    /// What it does. Shared with whoever keeps it until the run has started.
    pub call: Arc<Call>,
    /// Where it is to leave checkpoints.
    pub checkpointing: Option<Checkpointing>,
}

/// What a spare answers when it has taken its job: whatever becomes of it from here on, nobody else will do it. Read only if
/// the spare ends before it was seen to live with its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// The run.
    pub run: RunId,
}

/// Pickled data in sections: the pickle itself, then its out-of-band buffers (pickle protocol 5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Payload {
    /// The sections one after another, with their lengths in bytes.
    Inline {
        /// All sections.
        bytes: Vec<u8>,
        /// Length of each section.
        lengths: Vec<u64>,
    },
    /// The sections lie in shared memory (`memfd`) that comes with the message, each at the next multiple
    /// of 64 bytes.
    Shared {
        /// Length of each section in bytes.
        lengths: Vec<u64>,
    },
}

impl Payload {
    /// Whether a descriptor accompanies the message that carries this payload.
    pub fn has_descriptor(&self) -> bool {
        matches!(self, Self::Shared { .. })
    }
}

/// What `__main__` is to look like in a run, for `multiprocessing`'s spawn and for pickle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MainModule {
    /// `__main__.__spec__.name` of a program started with `-m`.
    pub spec_name: Option<String>,
    /// `__main__.__file__`.
    pub file: Option<OsString>,
}

/// What a run sends its client, at most once, over the descriptor the client passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The function returned this value.
    Returned(Payload),
    /// The function raised.
    Raised {
        /// The pickled exception, unless it cannot be pickled.
        exception: Option<Payload>,
        /// Qualified name of its type.
        type_name: String,
        /// The traceback as Python prints it, without frames of ours.
        traceback: String,
    },
    /// The function raised `SystemExit`, with this value.
    SystemExit(Payload),
    /// The function returned what cannot be pickled.
    Unpicklable {
        /// Qualified name of the value's type.
        type_name: String,
        /// What pickle says of it.
        message: String,
    },
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExitStatus {
    /// It exited with this code, 0 to 255.
    Exited(i32),
    /// This signal killed it.
    Signaled(i32),
    /// It is gone, and so is the process that could have told how.
    Lost,
}

/// What a run tells its supervisor without being asked. Each is one datagram; one that cannot be sent at once is not sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Note {
    /// Modules, not first-party, that the run had to load because its snapshot did not have them, in that order.
    Loaded {
        /// Their names.
        modules: Vec<String>,
    },
    /// The run has left a checkpoint. The descriptor of a stream comes with this, on which that takes
    /// [`Command`](crate::Command)s and makes [`Report`](crate::Report)s, and one that stands for it (`pidfd`).
    Checkpoint {
        /// The run.
        run: RunId,
        /// The checkpoint's process id.
        pid: i32,
    },
    /// The run has loaded most of its modules, or will leave no more checkpoints.
    ImportsOver(ImportsOver),
    /// Something for whoever has asked for the run.
    Notice {
        /// Which run tells.
        run: RunId,
        /// What.
        notice: Notice,
    },
}

/// What a reloaded program tells whoever has started it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Notice {
    /// It has loaded, or tried to load, files that are installed nowhere: absolute directories, and names in each.
    Sources {
        /// The project's own.
        own: Vec<(OsString, Vec<OsString>)>,
        /// Others: their changes matter, too.
        outside: Vec<(OsString, Vec<OsString>)>,
    },
    /// An application was imported early that can only be imported in an event loop. The program waits to be ended, and is to
    /// be started with [`Work::Program::early`] off.
    NeedsEventLoop {
        /// The module.
        module: String,
    },
    /// It leaves no more checkpoints, though it might have executed more modules.
    CheckpointsOver {
        /// What a fork would not keep.
        obstacle: String,
        /// The `file:line` that has caused it, if that is known.
        place: String,
    },
    /// It starts from its template, because all checkpoints that there were have consumed something that has changed.
    CheckpointsOutdated {
        /// What the first of them has consumed: files and directories, or modules that would be found elsewhere.
        changed: Vec<OsString>,
    },
    /// Checkpoints were given up because all of them together took too much memory.
    CheckpointsDropped {
        /// How many.
        number: u32,
    },
    /// It would have restarted itself when files change, and does not.
    ReloaderOff {
        /// The library whose reloader is off, as people call it.
        library: String,
    },
}
