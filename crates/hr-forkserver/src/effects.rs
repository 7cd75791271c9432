//! What an import does to its process beyond loading modules.
//!
//! A template must be a process that has imported and done nothing else: its runs would share a child process, answer
//! on the same listening socket, or start somewhere else than their client. These effects are seen from outside the
//! language, whatever code caused them.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::{BorrowedFd, RawFd};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use hr_protocol::{Effect, NativeThread};
use nix::unistd::{Pid, getpid};

use crate::{pools, processes, sys, threads};

/// What a process is like, in the respects in which imports must not change it.
pub(crate) struct State {
    directory: Option<PathBuf>,
    status: Status,
    /// Ids of all threads but this one.
    threads: BTreeSet<i32>,
    descriptors: BTreeSet<RawFd>,
    /// The process id that was given out last on this machine.
    last_process: Option<i32>,
}

/// What `/proc/self/status` says of a process.
struct Status {
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

impl State {
    /// Looks at this process.
    pub(crate) fn look() -> Self {
        let status = Status::read();
        Self {
            directory: std::env::current_dir().ok(),
            threads: if status.threads > 1 { threads::others() } else { BTreeSet::new() },
            status,
            descriptors: descriptors(),
            last_process: last_process(),
        }
    }

    /// How many threads there are beside the one that looked.
    pub(crate) fn threads_beside(&self) -> usize {
        self.threads.len()
    }

    /// What no template may keep of how this process has come here from `before`. Children in `known` are not counted.
    pub(crate) fn effects_since(&self, before: &Self, known: &[Pid]) -> Vec<Effect> {
        let mut effects = Vec::new();
        let processes = self.processes_since(before, known);
        if !processes.is_empty() {
            effects.push(Effect::Processes { pids: processes });
        }
        if self.descriptors.difference(&before.descriptors).any(|number| is_listening(*number)) {
            effects.push(Effect::Listens);
        }
        if self.directory != before.directory {
            let now = self.directory.as_ref().map(|directory| directory.to_string_lossy().into_owned());
            effects.push(Effect::Directory { now: now.unwrap_or_default() });
        }
        let threads = self.lost_threads_since(before);
        if !threads.is_empty() {
            effects.push(Effect::NativeThreads { threads });
        }
        if self.status.dispositions() != before.status.dispositions() {
            effects.push(Effect::Signals);
        }
        effects
    }

    /// Processes below this one that are not `known`.
    fn processes_since(&self, before: &Self, known: &[Pid]) -> Vec<i32> {
        // Looking through all processes of the machine takes milliseconds, and a few at most are new.
        if let (Some(before), Some(now)) = (before.last_process, self.last_process)
            && processes::none_below(getpid(), before, now)
        {
            return Vec::new();
        }
        processes::descendants(getpid(), known).into_iter().map(Pid::as_raw).collect()
    }

    /// Threads that have appeared and that a fork would lose.
    fn lost_threads_since(&self, before: &Self) -> Vec<NativeThread> {
        let appeared: Vec<i32> = self.threads.difference(&before.threads).copied().collect();
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
    fn read() -> Self {
        Self::parse(&text_of("/proc/self/status").unwrap_or_default())
    }

    fn parse(text: &str) -> Self {
        let field =
            |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim();
        let mask = |name| u64::from_str_radix(field(name), 16).unwrap_or_default() & !OF_THE_C_LIBRARY;
        let (caught, ignored) = (mask("SigCgt:"), mask("SigIgn:"));
        Self { caught, ignored, threads: field("Threads:").parse().unwrap_or_default() }
    }

    fn dispositions(&self) -> (u64, u64) {
        (self.caught, self.ignored)
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

/// What a file of the kernel's says, read at once: it tells no size that memory could be set aside for.
fn text_of(file: &str) -> Option<String> {
    let mut text = String::with_capacity(8192);
    File::open(file).ok()?.take(u64::MAX).read_to_string(&mut text).ok()?;
    Some(text)
}

/// The process id that was given out last, in this process's namespace: the last field of `/proc/loadavg`.
fn last_process() -> Option<i32> {
    let load = text_of("/proc/loadavg")?;
    load.split_ascii_whitespace().next_back()?.parse().ok()
}

fn is_listening(number: RawFd) -> bool {
    sys::with_descriptor(number, |descriptor: BorrowedFd<'_>| {
        rustix::net::sockopt::socket_acceptconn(descriptor).unwrap_or(false)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signals_of_the_c_library_are_not_those_of_a_module() {
        let status = Status::parse(
            "Name:\tpython\nThreads:\t3\nSigIgn:\t0000000001001000\nSigCgt:\t0000000180000002\n",
        );
        assert_eq!((status.threads, status.dispositions()), (3, (0x2, 0x0100_1000)));
    }

    #[test]
    fn a_process_that_was_started_is_noticed_and_one_that_has_ended_is_not() {
        let before = State::look();
        let known = processes::descendants(getpid(), &[]);
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        assert!(State::look().processes_since(&before, &known).contains(&pid));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!State::look().processes_since(&before, &known).contains(&pid));
    }
}
