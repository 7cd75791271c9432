//! What an import does to its process beyond loading modules.
//!
//! A template must be a process that has imported and done nothing else: its runs would share a child process, answer
//! on the same listening socket, or start somewhere else than their client. These effects are seen from outside the
//! language, whatever code caused them.

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::{BorrowedFd, RawFd};

use hr_protocol::ImportFailure;
use nix::unistd::{Pid, getpid};

use crate::{processes, sys};

/// A process before an import.
pub(crate) struct Before {
    directory: Option<std::path::PathBuf>,
    dispositions: Dispositions,
    descriptors: BTreeSet<RawFd>,
    last_process: Option<String>,
}

/// Which signals are caught and which ignored, as masks: bit 0 is signal 1.
type Dispositions = (u64, u64);

/// Signals 32 and 33 belong to the C library, which catches them as soon as the process has a second thread.
const OF_THE_C_LIBRARY: u64 = 0b11 << 31;

impl Before {
    /// Looks at this process.
    pub(crate) fn look() -> Self {
        Self {
            directory: std::env::current_dir().ok(),
            dispositions: dispositions(),
            descriptors: descriptors(),
            last_process: last_process(),
        }
    }

    /// What has changed that no template may keep. Children in `snapshots` are known.
    pub(crate) fn forbidden(&self, snapshots: &[Pid]) -> Option<ImportFailure> {
        // If nobody on this machine has started a process since, neither has the module: looking through all of them
        // takes milliseconds.
        if self.last_process.is_none() || last_process() != self.last_process {
            let left = processes::descendants(getpid(), snapshots);
            if !left.is_empty() {
                return Some(ImportFailure::Processes { pids: left.into_iter().map(Pid::as_raw).collect() });
            }
        }
        let appeared = descriptors();
        if appeared.difference(&self.descriptors).any(|number| is_listening(*number)) {
            return Some(ImportFailure::Listens);
        }
        let directory = std::env::current_dir().ok();
        if directory != self.directory {
            let now = directory.map(|directory| directory.to_string_lossy().into_owned());
            return Some(ImportFailure::Directory { now: now.unwrap_or_default() });
        }
        (dispositions() != self.dispositions).then_some(ImportFailure::Signals)
    }
}

fn dispositions() -> Dispositions {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        u64::from_str_radix(value.trim(), 16).unwrap_or_default() & !OF_THE_C_LIBRARY
    };
    (field("SigCgt:"), field("SigIgn:"))
}

/// Numbers of open descriptors.
fn descriptors() -> BTreeSet<RawFd> {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else { return BTreeSet::new() };
    let mut numbers: BTreeSet<RawFd> =
        entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    // The one that listed them was among them.
    numbers.retain(|number| sys::with_descriptor(*number, |open| rustix::io::fcntl_getfd(open).is_ok()));
    numbers
}

/// The process id that was given out last, in this process's namespace: the last field of `/proc/loadavg`.
fn last_process() -> Option<String> {
    let load = fs::read_to_string("/proc/loadavg").ok()?;
    load.split_ascii_whitespace().next_back().map(str::to_owned)
}

fn is_listening(number: RawFd) -> bool {
    sys::with_descriptor(number, |descriptor: BorrowedFd<'_>| {
        rustix::net::sockopt::socket_acceptconn(descriptor).unwrap_or(false)
    })
}
