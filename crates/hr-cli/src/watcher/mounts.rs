//! The mount table, which can put other files under a path without an event.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// The mount table that this process sees. The kernel tells each open file of it once that it has changed (`proc(5)`), and
/// whoever waits for it takes that away: so one is waited for, and the other is asked.
#[derive(Debug)]
pub(super) struct Mounts {
    waited_for: File,
    asked: File,
}

impl Mounts {
    pub(super) fn start() -> io::Result<Self> {
        let open = || File::open("/proc/self/mountinfo");
        Ok(Self { waited_for: open()?, asked: open()? })
    }

    /// Whether it has changed since this was last asked.
    pub(super) fn have_changed(&self) -> bool {
        let changed = has_changed(&self.asked);
        if changed {
            // Nobody needs to wake for it any more.
            has_changed(&self.waited_for);
        }
        changed
    }
}

/// Has an exceptional condition when the table has changed.
impl AsFd for Mounts {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.waited_for.as_fd()
    }
}

fn has_changed(table: &File) -> bool {
    let mut source = [PollFd::new(table.as_fd(), PollFlags::POLLPRI)];
    poll(&mut source, PollTimeout::ZERO).is_ok_and(|conditions| conditions > 0)
}
