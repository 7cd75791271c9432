//! The calls that Rust cannot check. All `unsafe` of this crate is here.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::sys::signal::{SigHandler, Signal};
use nix::unistd::ForkResult;
use rustix::io::{FdFlags, fcntl_setfd};

/// Takes over a descriptor that the parent process has left open under a number it told us.
///
/// It will be closed on `exec`. Fails if the number is not open.
pub(crate) fn inherited(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: borrowed only for the call, which fails if the number is not open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    fcntl_setfd(borrowed, FdFlags::CLOEXEC)?;
    // SAFETY: it is open, and nothing else in this process has been told its number.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Lets children that end be waited for, even if whoever started this process ignores SIGCHLD.
pub(crate) fn wait_for_children_again() -> io::Result<()> {
    // SAFETY: it sets a disposition, not a handler, so no code of ours runs in a signal's context.
    unsafe { nix::sys::signal::signal(Signal::SIGCHLD, SigHandler::SigDfl) }?;
    Ok(())
}

/// Goes on in a new process whose parent has ended; the caller's parent collects this one at once.
pub(crate) fn go_to_background() -> io::Result<()> {
    // SAFETY: no other thread exists yet: this is called first thing by a command that has started none.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Child => Ok(()),
        // Destructors would close, or wait for, what now belongs to the child.
        ForkResult::Parent { .. } => std::process::exit(0),
    }
}
