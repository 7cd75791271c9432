//! A run pauses: a copy of it stays behind as a checkpoint, and later runs go on from there.
//!
//! The copy has the whole stack of the run, half-executed imports included, and waits within the call that made it. What is
//! forked from the copy returns from that call, and executes what comes after.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use hr_protocol::{
    Call, Checkpoint, Checkpointing, ImportFailure, ImportOutcome, Loaded, Note, Preparation, Report, RunId,
};
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::unistd::getpid;

use crate::channel::socket_pair;
use crate::interpreter::{Forking, Interpreter, RunDescriptors};
use crate::notes::send_note_with;
use crate::paused::Paused;
use crate::processes;
use crate::run::Resumption;
use crate::sys::{self, Forked};

/// Exit code of a copy that could not become a checkpoint, or of a run that could not go on from one.
const CANNOT_PAUSE: i32 = 127;

/// Which process returns from [`pause`].
#[derive(Debug)]
pub enum Side {
    /// The run that has called it, with its process id. A checkpoint is on its way.
    Original,
    /// A run forked from that checkpoint, maybe much later.
    Resumed(Box<Resumption>),
}

/// Leaves a copy of this process, `run`, behind.
///
/// The copy is announced through `notes`, the socket of [`RunDescriptors::notes`], and belongs to the snapshot that the run
/// was forked from. It calls `let_go` first, which must close whatever somebody may wait for the end of, and then
/// `describe`. If it cannot stay, or be described, it ends, and nobody misses it.
///
/// # Errors
///
/// The kernel has refused to fork, or to block signals.
pub fn pause<F: Forking>(
    mut forking: F,
    notes: BorrowedFd<'_>,
    run: RunId,
    let_go: impl FnOnce(),
    describe: impl FnOnce() -> Option<Checkpoint>,
) -> io::Result<Side> {
    // What arrives now is for the run: the copy would take it as well.
    let mut mask = SigSet::empty();
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&SigSet::all()), Some(&mut mask))?;
    sys::flush_c_streams();
    forking.before_fork();
    match sys::fork_aside() {
        Ok(Forked::Child) => Ok(Side::Resumed(Box::new(stay(forking, notes, run, mask, let_go, describe)))),
        forked => {
            forking.after_fork_in_parent();
            sigprocmask(SigmaskHow::SIG_SETMASK, Some(&mask), None)?;
            forked.map(|_| Side::Original)
        }
    }
}

/// Becomes a checkpoint. Returns in what is forked from it.
fn stay<F: Forking>(
    mut forking: F,
    notes: BorrowedFd<'_>,
    run: RunId,
    mask: SigSet,
    let_go: impl FnOnce(),
    describe: impl FnOnce() -> Option<Checkpoint>,
) -> Resumption {
    // Unwinding from here would be a second life of the program.
    let end = EndOfProcess;
    processes::unmark();
    forking.after_fork_in_child();
    let_go();
    // What nobody can say the inputs of is never known to be current.
    let Some(checkpoint) = describe() else { sys::exit_now(CANNOT_PAUSE) };
    let announced = socket_pair().and_then(|(ours, theirs)| {
        let handle = processes::handle(getpid())?;
        let note = Note::Checkpoint { run, pid: getpid().as_raw() };
        send_note_with(notes, &note, &[theirs.as_fd(), handle.as_fd()])?;
        Ok(ours)
    });
    let Ok(socket) = announced else { sys::exit_now(CANNOT_PAUSE) };
    let Ok(mut paused) = Paused::new(AtCheckpoint(forking), socket.into(), mask) else {
        sys::exit_now(CANNOT_PAUSE)
    };
    paused.tell(&Report::Checkpoint(Box::new(checkpoint)));
    let new = paused.until_run();
    let Ok(resumption) = new.run.go_on(&new.mask) else { sys::exit_now(CANNOT_PAUSE) };
    std::mem::forget(end);
    resumption
}

struct EndOfProcess;

impl Drop for EndOfProcess {
    fn drop(&mut self) {
        sys::exit_now(CANNOT_PAUSE);
    }
}

/// The interpreter in the middle of a program. It can be forked, and what is forked from it goes on; it does nothing else.
struct AtCheckpoint<F>(F);

impl<F: Forking> Forking for AtCheckpoint<F> {
    fn before_fork(&mut self) {
        self.0.before_fork();
    }

    fn after_fork_in_parent(&mut self) {
        self.0.after_fork_in_parent();
    }

    fn after_fork_in_child(&mut self) {
        self.0.after_fork_in_child();
    }
}

impl<F: Forking> Interpreter for AtCheckpoint<F> {
    fn prepare(&mut self, _preparation: Preparation) {}

    fn import(&mut self, _module: &str, _written: usize) -> ImportOutcome {
        let message = "a checkpoint imports nothing".to_owned();
        let failure = ImportFailure::Raised { type_name: "hotreload".to_owned(), message };
        ImportOutcome::Failed { failure, left_traces: false }
    }

    fn settle(&mut self) -> Loaded {
        Loaded::default()
    }

    fn warm_up(&mut self) {}

    fn run(&mut self, _: RunId, _: Call, _: RunDescriptors, _: Option<Checkpointing>) -> i32 {
        CANNOT_PAUSE
    }
}
