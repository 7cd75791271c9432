//! The calls that Rust cannot check. All `unsafe` of this crate is here.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicU8, Ordering};

use nix::libc;
use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, sigprocmask};
use nix::unistd::ForkResult;
use rustix::io::{FdFlags, fcntl_setfd};

/// One bit for each standard stream that was open when this process began.
static OPEN_AT_FIRST: AtomicU8 = AtomicU8::new(0);

/// Looks before Rust's runtime opens `/dev/null` in the place of each standard stream that is closed.
extern "C" fn look_at_streams() {
    for number in 0..3 {
        // SAFETY: it reads a flag of a number that may be no descriptor, which is then what it says.
        if unsafe { libc::fcntl(number, libc::F_GETFD) } >= 0 {
            OPEN_AT_FIRST.fetch_or(1 << number, Ordering::Relaxed);
        }
    }
}

// SAFETY: the C library calls what stands here before `main`, in the only thread, with arguments that the function does
// not take, which the calling conventions of all Linux platforms allow.
#[used]
#[unsafe(link_section = ".init_array")]
static LOOK_AT_STREAMS: extern "C" fn() = look_at_streams;

/// Which of stdin, stdout and stderr this process was given.
pub(crate) fn open_at_first() -> [bool; 3] {
    let open = OPEN_AT_FIRST.load(Ordering::Relaxed);
    [0, 1, 2].map(|number| open & (1 << number) != 0)
}

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

/// Whether this process ignores `signal`, as it may have been told to before it was started (`nohup`).
pub(crate) fn is_ignored(signal: Signal) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action the call only writes the present one, for which there is room.
    let asked = unsafe { libc::sigaction(signal as libc::c_int, std::ptr::null(), action.as_mut_ptr()) };
    // SAFETY: it was zeroed, which is a value of this type, and then perhaps written by the kernel.
    asked == 0 && unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN
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
