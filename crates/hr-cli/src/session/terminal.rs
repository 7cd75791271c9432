//! The terminal that the program and this process share.

use std::io::{self, IsTerminal as _};
use std::os::fd::{AsFd as _, OwnedFd};

use hr_forkserver::above_streams;
use nix::unistd::getpgrp;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};

/// The terminal on stdin, as it was found.
pub(super) struct Terminal {
    found: Option<Termios>,
}

impl Terminal {
    /// Remembers how the terminal is set, if there is one.
    pub(super) fn remember() -> Self {
        let stdin = io::stdin();
        Self { found: if stdin.is_terminal() { tcgetattr(stdin).ok() } else { None } }
    }

    /// Sets it as it was found, after a program that was killed in the middle of something.
    pub(super) fn restore(&self) {
        let Some(found) = &self.found else { return };
        let stdin = io::stdin();
        // In the background it is somebody else's.
        let ours = tcgetpgrp(&stdin).is_ok_and(|group| group.as_raw_nonzero().get() == getpgrp().as_raw());
        if ours {
            let _ = tcsetattr(stdin, OptionalActions::Drain, found);
        }
    }
}

/// Which standard streams are open, and copies of those that are.
pub(super) fn streams() -> io::Result<([bool; 3], Vec<OwnedFd>)> {
    let copies = [
        io::stdin().as_fd().try_clone_to_owned(),
        io::stdout().as_fd().try_clone_to_owned(),
        io::stderr().as_fd().try_clone_to_owned(),
    ];
    let open = copies.each_ref().map(Result::is_ok);
    let copies = copies.into_iter().flatten().map(above_streams).collect::<io::Result<_>>()?;
    Ok((open, copies))
}
