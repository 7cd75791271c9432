//! What the fork server needs of the language whose processes it keeps.

use std::os::fd::OwnedFd;

use hr_protocol::{Call, Checkpointing, ImportOutcome, Loaded, Preparation, RunId};

/// What must happen around a fork.
pub trait Forking {
    /// Called right before a fork. One of the next two always follows.
    fn before_fork(&mut self);

    /// Called after a fork in the process that forked, or after a fork that failed.
    fn after_fork_in_parent(&mut self);

    /// Called after a fork in the new process.
    fn after_fork_in_child(&mut self);
}

/// An interpreter that lives in a snapshot.
///
/// The loop in [`crate::paused`] calls it from one thread and never from within itself. CPython is the
/// interpreter of the `hotreload` wheel; the crate's tests bring one of their own.
pub trait Interpreter: Forking {
    /// Seem to have been started with these arguments, look for modules in that path, and keep first-party ones out.
    fn prepare(&mut self, preparation: Preparation);

    /// Import `module`. What it prints goes to this process's stdout and stderr, flushed. Effects are those that only the
    /// interpreter can see; whether they matter is not its business.
    /// Before it come `written` of the writes to the environment that [`Preparation::writes`] announced.
    fn import(&mut self, module: &str, written: usize) -> ImportOutcome;

    /// No more imports: collect and freeze the heap. Returns what all imports have consumed.
    fn settle(&mut self) -> Loaded;

    /// This process is a spare: a run that does not know its call yet. Do ahead of time what every call needs, and touch
    /// the memory that every call touches, so that the kernel has copied it by then.
    fn warm_up(&mut self);

    /// Carry out `call` in this process, which is `run`, and return its exit code.
    ///
    /// Working directory, umask, stdio, signal mask are already as the call wants them; arguments,
    /// `sys.path` and the environment are not. It ends as a program ends: threads joined, `atexit`
    /// functions called, streams flushed.
    ///
    /// On the way it may leave checkpoints ([`pause`](crate::pause)) if `checkpointing` says where.
    fn run(
        &mut self,
        run: RunId,
        call: Call,
        descriptors: RunDescriptors,
        checkpointing: Option<Checkpointing>,
    ) -> i32;
}

/// The descriptors of a run beside its stdio.
#[derive(Debug)]
pub struct RunDescriptors {
    /// Where its [`hr_protocol::Outcome`] goes. Its number is high, so that files the program opens get the
    /// numbers they would get anywhere.
    pub result: OwnedFd,
    /// Memory of a [`hr_protocol::Payload::Shared`] function.
    pub function: Option<OwnedFd>,
    /// Where it may tell its supervisor something, with [`send_note`](crate::send_note).
    pub notes: Option<OwnedFd>,
}
