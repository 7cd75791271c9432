//! The terminal that the program and this process share.

use std::io::{self, IsTerminal as _};
use std::os::fd::{AsFd as _, OwnedFd};

use hr_forkserver::above_streams;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use rustix::io::Errno;
use rustix::process::{Pid, getpgrp, test_kill_process_group};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr, tcsetpgrp};

use crate::sys;

/// The terminal on stdin, as it was found.
pub(super) struct Terminal {
    found: Option<Termios>,
}

impl Terminal {
    /// Remembers how the terminal is set, if there is one.
    pub(super) fn remember() -> Self {
        let stdin = io::stdin();
        let found = if stdin.is_terminal() { tcgetattr(stdin).ok() } else { None };
        Self { found }
    }

    /// Gets ready for the next program after one that has ended; `killed` if that may have been in the middle of something.
    pub(super) fn restore(&self, killed: bool) {
        let Some(found) = &self.found else { return };
        Self::take_back();
        // In the background it is somebody else's.
        if killed && foreground() == Some(getpgrp()) {
            // Not when all is shown: somebody may have stopped the output (Ctrl-S).
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, found);
        }
    }

    /// Becomes the foreground job again if a program has made itself that, and has ended. A shell that has put this process
    /// into the background is still there.
    fn take_back() {
        let ended = |group: Pid| test_kill_process_group(group) == Err(Errno::SRCH);
        if !foreground().is_some_and(ended) {
            return;
        }
        // Otherwise one that is in the background would be stopped by this.
        let stop = SigSet::from_iter([Signal::SIGTTOU]);
        let mut before = SigSet::empty();
        if sigprocmask(SigmaskHow::SIG_BLOCK, Some(&stop), Some(&mut before)).is_ok() {
            let _ = tcsetpgrp(io::stdin(), getpgrp());
            let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&before), None);
        }
    }
}

fn foreground() -> Option<Pid> {
    tcgetpgrp(io::stdin()).ok()
}

/// Whether stdout is a pipe, or the like, whose other end is closed.
pub(super) fn is_unread() -> bool {
    let stdout = io::stdout();
    let mut stdout = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
    let gone = PollFlags::POLLERR | PollFlags::POLLHUP;
    poll(&mut stdout, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
        && stdout[0].revents().is_some_and(|events| events.intersects(gone))
}

/// Which standard streams are open, and copies of those that are.
pub(super) fn streams() -> io::Result<([bool; 3], Vec<OwnedFd>)> {
    let streams = [
        io::stdin().as_fd().try_clone_to_owned(),
        io::stdout().as_fd().try_clone_to_owned(),
        io::stderr().as_fd().try_clone_to_owned(),
    ];
    let mut open = sys::open_at_first();
    let mut copies = Vec::new();
    for (is_open, copy) in open.iter_mut().zip(streams) {
        match copy {
            Ok(copy) if *is_open => copies.push(above_streams(copy)?),
            _ => *is_open = false,
        }
    }
    Ok((open, copies))
}
