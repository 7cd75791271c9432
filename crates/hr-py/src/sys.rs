//! The calls that Rust cannot check. All `unsafe` of this crate is here.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::libc;
use pyo3::{Python, ffi};
use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};

/// Takes over a descriptor that Python code has opened and will not use again.
pub(crate) fn adopt(descriptor: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: borrowed only for the check that follows; if the number is not open, the check fails.
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
    fcntl_getfd(borrowed)?;
    // SAFETY: it is open, and the caller, code of this package, gives up its ownership.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// A descriptor of the same file as this process's own standard stream `number`, if that is open.
pub(crate) fn standard_stream(number: RawFd) -> Option<OwnedFd> {
    // SAFETY: borrowed only for the duplication, which fails if the number is not open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    rustix::io::fcntl_dupfd_cloexec(borrowed, 3).ok()
}

/// Lets the program that `command` starts inherit `descriptors`, and no other but its standard streams.
///
/// They become inheritable in the new process only, so nothing that another thread starts gets them. Others would live as
/// long as that program, and whoever waits for the end of such a pipe would wait as long.
pub(crate) fn inherit(command: &mut Command, descriptors: &[&OwnedFd]) {
    let numbers: Vec<RawFd> = descriptors.iter().map(|descriptor| descriptor.as_raw_fd()).collect();
    let prepare = move || {
        // SAFETY: it sets a flag on descriptors of a process that is about to become another program. Kernels before 5.11
        // refuse, and the program starts with what was inheritable.
        unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
        for number in &numbers {
            // SAFETY: the caller keeps them open until the program has started.
            let descriptor = unsafe { BorrowedFd::borrow_raw(*number) };
            fcntl_setfd(descriptor.as_fd(), FdFlags::empty())?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec the closure only makes system calls; it neither allocates nor locks.
    unsafe { command.pre_exec(prepare) };
}

/// `PyOS_BeforeFork`.
pub(crate) fn before_fork(_python: Python<'_>) {
    // SAFETY: the caller is attached to the interpreter, and one of the two functions below follows.
    unsafe { ffi::PyOS_BeforeFork() };
}

/// `PyOS_AfterFork_Parent`.
pub(crate) fn after_fork_in_parent(_python: Python<'_>) {
    // SAFETY: the caller is attached to the interpreter and has called `before_fork`.
    unsafe { ffi::PyOS_AfterFork_Parent() };
}

/// `PyOS_AfterFork_Child`.
pub(crate) fn after_fork_in_child(_python: Python<'_>) {
    // SAFETY: this is the forked process, and the thread that forked was attached to the interpreter.
    unsafe { ffi::PyOS_AfterFork_Child() };
}
