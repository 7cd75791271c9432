//! What an import does to its process beyond loading modules.
//!
//! A template must be a process that has imported and done nothing else: its runs would share a child process, answer
//! on the same listening socket, or start somewhere else than their client. These effects are seen from outside the
//! language, whatever code caused them.

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::{BorrowedFd, RawFd};
use std::thread;
use std::time::{Duration, Instant};

use hr_protocol::{Effect, NativeThread};
use nix::unistd::{Pid, getpid};

use crate::{pools, processes, sys, threads};

/// A process before an import.
pub(crate) struct Before {
    directory: Option<std::path::PathBuf>,
    status: Status,
    /// Ids of all threads but this one.
    threads: BTreeSet<i32>,
    descriptors: BTreeSet<RawFd>,
    last_process: Option<String>,
}

/// What `/proc/self/status` says of a process.
pub(crate) struct Status {
    /// Which signals are caught, as a mask: bit 0 is signal 1.
    caught: u64,
    /// Which are ignored.
    ignored: u64,
    /// How many threads there are, this one included.
    threads: usize,
}

/// How long threads that have just started get to name themselves and to wait for work. Spent only on a module that would
/// be left out for a thread that is busy.
const SETTLING: Duration = Duration::from_millis(200);

/// Signals 32 and 33 belong to the C library, which catches them as soon as the process has a second thread.
const OF_THE_C_LIBRARY: u64 = 0b11 << 31;

impl Before {
    /// Looks at this process.
    pub(crate) fn look() -> Self {
        let status = Status::read();
        Self {
            directory: std::env::current_dir().ok(),
            threads: status.other_threads(),
            status,
            descriptors: descriptors(),
            last_process: last_process(),
        }
    }

    /// What has changed that no template may keep since, if this process is in state `now`. Children in `known` are not
    /// counted.
    pub(crate) fn effects(&self, now: &Status, known: &[Pid]) -> Vec<Effect> {
        let processes = self.processes(known);
        let threads = self.lost_threads(now);
        let signals = |status: &Status| (status.caught, status.ignored);
        let mut effects = Vec::new();
        if !processes.is_empty() {
            effects.push(Effect::Processes { pids: processes });
        }
        if descriptors().difference(&self.descriptors).any(|number| is_listening(*number)) {
            effects.push(Effect::Listens);
        }
        let directory = std::env::current_dir().ok();
        if directory != self.directory {
            let now = directory.map(|directory| directory.to_string_lossy().into_owned());
            effects.push(Effect::Directory { now: now.unwrap_or_default() });
        }
        if !threads.is_empty() {
            effects.push(Effect::NativeThreads { threads });
        }
        if signals(now) != signals(&self.status) {
            effects.push(Effect::Signals);
        }
        effects
    }

    /// Processes below this one that are not `known`.
    fn processes(&self, known: &[Pid]) -> Vec<i32> {
        // If nobody on this machine has started a process since, neither has the module: looking through all of them
        // takes milliseconds.
        if self.last_process.is_some() && last_process() == self.last_process {
            return Vec::new();
        }
        processes::descendants(getpid(), known).into_iter().map(Pid::as_raw).collect()
    }

    /// Threads that have appeared and that a fork would lose.
    fn lost_threads(&self, now: &Status) -> Vec<NativeThread> {
        let others = now.other_threads();
        let appeared: Vec<i32> = others.difference(&self.threads).copied().collect();
        if appeared.is_empty() {
            return Vec::new();
        }
        let deadline = Instant::now() + SETTLING;
        loop {
            let tasks = threads::look(appeared.iter().copied());
            let lost = pools::lost_in_a_fork(&tasks);
            if lost.is_empty() || !tasks.iter().any(|task| task.runs) || deadline <= Instant::now() {
                return lost;
            }
            thread::yield_now();
        }
    }
}

impl Status {
    pub(crate) fn read() -> Self {
        Self::parse(&fs::read_to_string("/proc/self/status").unwrap_or_default())
    }

    fn parse(text: &str) -> Self {
        let field =
            |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim();
        let mask = |name| u64::from_str_radix(field(name), 16).unwrap_or_default() & !OF_THE_C_LIBRARY;
        let (caught, ignored) = (mask("SigCgt:"), mask("SigIgn:"));
        Self { caught, ignored, threads: field("Threads:").parse().unwrap_or_default() }
    }

    /// How many threads there are beside the calling one.
    pub(crate) fn threads_beside(&self) -> usize {
        self.threads.saturating_sub(1)
    }

    /// Ids of all threads but the calling one. Looks for them only if there are any.
    fn other_threads(&self) -> BTreeSet<i32> {
        if self.threads_beside() == 0 { BTreeSet::new() } else { threads::others() }
    }
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
