//! The calls that Rust cannot check. All `unsafe` of this crate is here.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use nix::libc;
use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, sigprocmask};
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

/// Lets `signal` do to this process what it does by default.
pub(crate) fn default_action(signal: Signal) -> io::Result<()> {
    // SAFETY: it sets a disposition, not a handler, so no code of ours runs in a signal's context.
    unsafe { nix::sys::signal::signal(signal, SigHandler::SigDfl) }?;
    Ok(())
}

/// Lets children that end be waited for, even if whoever started this process ignores SIGCHLD.
pub(crate) fn wait_for_children_again() -> io::Result<()> {
    default_action(Signal::SIGCHLD)
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

/// Lets the program that `command` starts begin with this signal mask: it would inherit that of this process.
pub(crate) fn with_mask(command: &mut Command, mask: SigSet) {
    let prepare = move || Ok(sigprocmask(SigmaskHow::SIG_SETMASK, Some(&mask), None)?);
    // SAFETY: between fork and exec the closure makes one system call; it neither allocates nor locks.
    unsafe { command.pre_exec(prepare) };
}

/// Lets the program that `command` starts inherit `descriptors`, and no other but its standard streams.
///
/// They become inheritable in the new process only. The caller keeps them open until the program has started.
pub(crate) fn inherit(command: &mut Command, descriptors: &[&OwnedFd]) {
    let numbers: Vec<RawFd> = descriptors.iter().map(|descriptor| descriptor.as_raw_fd()).collect();
    let prepare = move || {
        // SAFETY: it sets a flag on descriptors of a process that is about to become another program. Kernels before
        // 5.11 refuse, and the program starts with what was inheritable.
        unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
        for number in &numbers {
            // SAFETY: the caller keeps them open until the program has started.
            fcntl_setfd(unsafe { BorrowedFd::borrow_raw(*number) }, FdFlags::empty())?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec the closure only makes system calls; it neither allocates nor locks.
    unsafe { command.pre_exec(prepare) };
}
