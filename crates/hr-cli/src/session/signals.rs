//! Signals to this process, one after another, and the end by one of them.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use hr_forkserver::protocol::ExitStatus;
use nix::libc;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, raise, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::state::{Event, Exit, is_sent_to_us};
use crate::sys;

/// Exit code of a shell for a process that a signal has ended, short of the signal's number.
const SIGNALED: i32 = 128;

/// What ends this process, or means to.
const HEARD: [Signal; 4] = [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM, Signal::SIGHUP];

/// The signals that are heard. What stops a job is left as it is: program and session stop and go on together.
pub(super) struct Signals {
    heard: SignalFd,
    before: SigSet,
    /// The last that does not leave it to the program whether there is an end.
    ending: Cell<Option<Signal>>,
}

impl Signals {
    /// Hears them from now on, in every thread that is started later. What is ignored stays so: blocked, it would be
    /// heard all the same.
    pub(super) fn hear() -> io::Result<Self> {
        let heard: SigSet = HEARD.into_iter().filter(|signal| !sys::is_ignored(*signal)).collect();
        let mut before = SigSet::empty();
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&heard), Some(&mut before))?;
        let heard = SignalFd::with_flags(&heard, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        Ok(Self { heard, before, ending: Cell::default() })
    }

    /// The signal mask that this process was started with.
    pub(super) fn before(&self) -> SigSet {
        self.before
    }

    /// Those that have come.
    pub(super) fn take(&self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Ok(Some(heard)) = self.heard.read_signal() {
            let number = i32::try_from(heard.ssi_signo).unwrap_or_default();
            let Ok(signal) = Signal::try_from(number) else { continue };
            if is_sent_to_us(signal) {
                self.ending.set(Some(signal));
            }
            // What the kernel sends for a terminal goes to its whole foreground job.
            events.push(Event::Signal { signal, to_us_alone: heard.ssi_code != libc::SI_KERNEL });
        }
        events
    }

    /// The last by which this process is to end, whatever the program does.
    pub(super) fn ending(&self) -> Option<Signal> {
        self.take();
        self.ending.get()
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.heard.as_fd()
    }
}

/// Ends this process as `exit` says, so that whoever waits for it sees what has happened.
pub(super) fn end(exit: Exit) -> std::process::ExitCode {
    let code = match exit {
        Exit::Like(ExitStatus::Exited(code)) => code,
        Exit::Like(ExitStatus::Signaled(number)) => {
            if let Ok(signal) = Signal::try_from(number) {
                die_by(signal);
            }
            SIGNALED + number
        }
        Exit::By(signal) => {
            die_by(signal);
            SIGNALED + signal as i32
        }
        Exit::Failed | Exit::Like(ExitStatus::Lost) => 1,
    };
    u8::try_from(code).unwrap_or(u8::MAX).into()
}

/// Returns only where that is not possible.
fn die_by(signal: Signal) {
    if matches!(signal, Signal::SIGKILL | Signal::SIGSTOP) {
        return;
    }
    // It is the program's end that is told, and its core that was written.
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    let _ = sys::default_action(signal);
    let _ = raise(signal);
    let _ = sigprocmask(SigmaskHow::SIG_UNBLOCK, Some(&SigSet::from_iter([signal])), None);
}
