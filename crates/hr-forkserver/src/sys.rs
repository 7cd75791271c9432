//! The calls that Rust cannot check. All `unsafe` of this crate is here.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::errno::Errno;
use nix::libc;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, getppid};

/// Which side of a fork this is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Forked {
    /// The process that forked.
    Parent {
        /// The new process.
        child: Pid,
    },
    /// The new process.
    Child,
}

/// Forks through libc, so that `pthread_atfork` handlers run.
///
/// A child of a process with other threads may do only what is async-signal-safe, unless every such thread
/// belongs to a library that handles forks itself. Snapshots are checked for exactly that before they come
/// here, as CPython's own `os.fork` asks of its callers.
pub(crate) fn fork() -> io::Result<Forked> {
    // SAFETY: the only Rust thread of a snapshot is the one that calls this (the crate starts none, and the
    // interpreter refuses modules that leave threads), so no lock is held elsewhere and no invariant is half
    // changed.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Parent { child } => Ok(Forked::Parent { child }),
        ForkResult::Child => Ok(Forked::Child),
    }
}

/// Forks like [`fork`], but the new process is no child of this one: it belongs to this one's parent, or to the nearest
/// subreaper above. Code that waits for whatever child it has never learns of it.
///
/// Handlers of `pthread_atfork` need not have run. The caller has all signals blocked.
pub(crate) fn fork_aside() -> io::Result<Forked> {
    if let Some(forked) = fork_sibling() { Ok(forked) } else { fork_twice() }
}

/// `clone` with `CLONE_PARENT`: half the time of two forks, most of which goes into tables of pages. None if that cannot be
/// done here.
///
/// What glibc's `fork` does beside the system call (`sysdeps/nptl/_Fork.c` of 2.34 and later), and what becomes of it here: its
/// locks are held by nobody, since there is one thread; the thread's number is where the C library keeps it; the list of robust
/// mutexes is registered again.
#[cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]
fn fork_sibling() -> Option<Forked> {
    if std::fs::read_dir("/proc/self/task").ok()?.count() != 1 {
        return None;
    }
    let mut number: *mut libc::pid_t = std::ptr::null_mut();
    let mut robust: (*mut libc::c_void, libc::size_t) = (std::ptr::null_mut(), 0);
    // SAFETY: the kernel writes a pointer, and a pointer and a length, to places of these types. Where it says that this
    // thread's number is cleared one day, glibc keeps it: that is read only to see whether it is so. There is one thread, so
    // that a copy of all memory is that of a process between two instructions; without CLONE_VM it shares none, and the stack
    // is the same in both, as after `fork`. On x86-64 the address for the number comes fourth, on aarch64 fifth; the other one
    // is for CLONE_SETTLS only.
    unsafe {
        let known = libc::prctl(libc::PR_GET_TID_ADDRESS, &raw mut number) == 0
            && !number.is_null()
            && *number == libc::gettid()
            && libc::syscall(libc::SYS_get_robust_list, 0, &raw mut robust.0, &raw mut robust.1) == 0;
        if !known {
            return None;
        }
        let flags =
            libc::CLONE_PARENT | libc::CLONE_CHILD_SETTID | libc::CLONE_CHILD_CLEARTID | libc::SIGCHLD;
        match libc::syscall(libc::SYS_clone, libc::c_long::from(flags), 0_usize, 0_usize, number, number) {
            0 => {
                libc::syscall(libc::SYS_set_robust_list, robust.0, robust.1);
                Some(Forked::Child)
            }
            child => Some(Forked::Parent {
                child: Pid::from_raw(i32::try_from(child).ok().filter(|pid| *pid > 0)?),
            }),
        }
    }
}

#[cfg(not(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
fn fork_sibling() -> Option<Forked> {
    None
}

/// The process in between ends at once, and is collected here.
fn fork_twice() -> io::Result<Forked> {
    match fork()? {
        Forked::Child => match fork() {
            Ok(Forked::Child) => Ok(Forked::Child),
            Ok(Forked::Parent { .. }) => exit_now(0),
            Err(_) => exit_now(1),
        },
        Forked::Parent { child } => loop {
            match waitpid(child, None) {
                // Whoever ignores SIGCHLD has nothing to collect.
                Ok(WaitStatus::Exited(_, 0)) | Err(Errno::ECHILD) => return Ok(Forked::Parent { child }),
                Err(Errno::EINTR) => {}
                Ok(_) | Err(_) => return Err(io::Error::other("a second fork was refused")),
            }
        },
    }
}

/// Looks at a descriptor that some other code of this process may own, by its number.
pub(crate) fn with_descriptor<T>(number: RawFd, look: impl FnOnce(BorrowedFd<'_>) -> T) -> T {
    // SAFETY: borrowed for the call only, by the only thread there is; a number that is not open makes system calls
    // fail.
    look(unsafe { BorrowedFd::borrow_raw(number) })
}

/// Ends the process at once: no destructors, no `atexit`, no flushing.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: `_exit` has no preconditions and does not return.
    unsafe { libc::_exit(code) }
}

/// Writes out what C code has left in its `stdio` buffers, so that a fork does not write it again.
pub(crate) fn flush_c_streams() {
    // SAFETY: a null stream means all of them; no other thread is in the middle of writing to one.
    unsafe { libc::fflush(std::ptr::null_mut()) };
}

/// Puts the C library's free memory in order, so that the first large allocation of a fork need not.
///
/// glibc keeps small pieces that were freed as they are and joins them when it is next asked for much. In a fork that
/// writes to, and so copies, every page with such a piece: hundreds, where large libraries were imported.
pub(crate) fn tidy_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it may be called at any time; it touches free memory only.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Makes `command` die with the thread that spawns it, and start with `mask` as its signal mask.
///
/// The standard library would start it with an empty mask.
pub(crate) fn bind_to_parent(command: &mut Command, mask: SigSet) {
    let parent = nix::unistd::getpid();
    let prepare = move || {
        set_pdeathsig(Signal::SIGKILL)?;
        if getppid() != parent {
            // The parent went before the kernel knew that this process depends on it.
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&mask), None)?;
        Ok(())
    };
    // SAFETY: between fork and exec the closure only makes system calls on values it owns; it neither
    // allocates nor takes a lock.
    unsafe { command.pre_exec(prepare) };
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::{Forked, exit_now, fork_twice};

    #[test]
    fn where_one_fork_will_not_do_two_leave_no_child_behind() {
        let (mut reader, mut writer) = std::io::pipe().expect("a pipe");
        match fork_twice().expect("two forks") {
            Forked::Child => {
                let parent = nix::unistd::getppid().as_raw();
                let told = writer.write_all(&parent.to_ne_bytes());
                exit_now(i32::from(told.is_err()));
            }
            Forked::Parent { .. } => drop(writer),
        }
        let mut parent = Vec::new();
        reader.read_to_end(&mut parent).expect("what it has told");
        assert_eq!(parent.len(), 4);
        assert_ne!(parent, nix::unistd::getpid().as_raw().to_ne_bytes());
    }
}
