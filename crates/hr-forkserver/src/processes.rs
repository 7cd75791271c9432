//! The processes below one: who they are, whose they are, and how to end them all.
//!
//! What a run starts stays below the snapshot that forked the run, because snapshots and supervisor are
//! subreapers. To tell which run a stray belongs to once its ancestors are gone, each run carries its number
//! as the soft limit of `RLIMIT_LOCKS`. The kernel has ignored that limit since 2.4.25 (`getrlimit(2)`), but
//! hands it down through `fork` and `exec`, and shows it in `/proc/PID/limits`.

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use hr_protocol::RunId;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::Pid;
use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal, setpriority_process};

/// Marks this process, and all that it will start, as part of `run`.
///
/// Where the hard limit is too low the mark is left out; then only what still descends from the run is found.
pub(crate) fn mark(run: RunId) {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_LOCKS)
        && run.0 < hard
    {
        // Lowering a soft limit cannot fail in any other way than the check above.
        let _ = setrlimit(Resource::RLIMIT_LOCKS, run.0, hard);
    }
}

/// Takes that mark off this process, which is no part of a run any more.
pub(crate) fn unmark() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_LOCKS) {
        let _ = setrlimit(Resource::RLIMIT_LOCKS, hard, hard);
    }
}

/// Whether process `pid` carries the mark of `run`.
pub(crate) fn is_marked(pid: Pid, run: RunId) -> bool {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap_or_default();
    limits
        .lines()
        .find_map(|line| line.strip_prefix("Max file locks"))
        .and_then(|values| values.split_ascii_whitespace().next())
        .is_some_and(|soft| soft.parse() == Ok(run.0))
}

/// A descriptor that stands for the process `pid`, whatever becomes of that number.
pub(crate) fn handle(pid: Pid) -> std::io::Result<OwnedFd> {
    let pid = rustix::process::Pid::from_raw(pid.as_raw()).ok_or(rustix::io::Errno::SRCH)?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

/// Sends `signal` to the process that `handle` stands for; `false` if it has ended.
pub(crate) fn signal(handle: &OwnedFd, signal: Signal) -> bool {
    pidfd_send_signal(handle, signal).is_ok()
}

/// The processes below `root` that have not ended, except those in `keep` and what is below these.
///
/// If `root` is this process, none of its own children is missing. One further down may be, while its parent reaps another.
pub(crate) fn descendants(root: Pid, keep: &[Pid]) -> Vec<Pid> {
    if KERNEL_LISTS_CHILDREN.get_or_init(|| children(root).is_some()) == &true {
        return descendants_by(|parent| children(parent).unwrap_or_default(), root, keep);
    }
    let all = running();
    descendants_by(|parent| children_among(&all, parent), root, keep)
}

fn children_among(all: &[Process], parent: Pid) -> Vec<Pid> {
    all.iter().filter(|process| process.parent == parent).map(|process| process.pid).collect()
}

/// Whether the kernel has `CONFIG_PROC_CHILDREN`, as those of distributions have. To look at all processes of a machine takes
/// ten microseconds and more for each of them.
static KERNEL_LISTS_CHILDREN: OnceLock<bool> = OnceLock::new();

fn descendants_by(children: impl Fn(Pid) -> Vec<Pid>, root: Pid, keep: &[Pid]) -> Vec<Pid> {
    let mut found = Vec::new();
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        for child in children(parent).into_iter().filter(|child| !keep.contains(child)) {
            parents.push(child);
            if process(child.as_raw()).is_some_and(|process| !process.ended) {
                found.push(child);
            }
        }
    }
    found
}

/// The children of a process, those that have ended included until they are reaped. Each is listed by the thread that made it
/// (`proc_pid_children(5)`); that page's warning is of children that are reaped meanwhile.
fn children(parent: Pid) -> Option<Vec<Pid>> {
    let threads = fs::read_dir(format!("/proc/{parent}/task")).ok()?.flatten();
    let lists: Vec<_> =
        threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok()).collect();
    let pids = lists.iter().flat_map(|list| list.split_ascii_whitespace()).filter_map(|pid| pid.parse().ok());
    (!lists.is_empty()).then(|| pids.map(Pid::from_raw).collect())
}

/// How many process ids are looked at one by one; with more of them it is faster to look at what there is.
const FEW: i32 = 200;

/// Whether none of the processes that were given an id after `first`, up to `last`, is below `root`. `false` if that is not
/// easily said.
pub(crate) fn none_below(root: Pid, first: i32, last: i32) -> bool {
    // Ids begin again from the bottom when they have reached the top.
    if last < first || last - first > FEW {
        return false;
    }
    // What is below `root` is its child, or below another one that is new.
    !(first + 1..=last).filter_map(process).any(|process| process.parent == root)
}

/// Kills every process below `root` for which `doomed` holds, and waits until they have ended.
///
/// Processes in `keep`, and what is below them, are left alone. A process that the kernel cannot end (in
/// uninterruptible sleep) is given up after `limit`.
pub(crate) fn sweep(root: Pid, keep: &[Pid], doomed: impl Fn(Pid) -> bool, limit: Duration) {
    let deadline = Instant::now() + limit;
    loop {
        let victims = descendants(root, keep).into_iter().filter(|pid| doomed(*pid));
        // The handle comes first and the second look after it: a number that was given to another process
        // in between is not below `root` any more.
        let handles: Vec<_> = victims.filter_map(|pid| Some((pid, handle(pid).ok()?))).collect();
        let still = descendants(root, keep);
        let handles: Vec<_> =
            handles.into_iter().filter(|(pid, _)| still.contains(pid)).map(|(_, handle)| handle).collect();
        if handles.is_empty() {
            return;
        }
        for handle in &handles {
            signal(handle, Signal::KILL);
        }
        for handle in &handles {
            if !wait_until_ended(handle, deadline) {
                return;
            }
        }
    }
}

/// Lets every other process have the processor before this one, which is about to end: to free the memory of a large one takes
/// milliseconds, and those that end together would take them from the run that is starting in their place.
pub(crate) fn yield_to_others() {
    const LEAST_URGENT: i32 = 19;
    // Being less urgent is allowed to everybody.
    let _ = setpriority_process(None, LEAST_URGENT);
}

/// Waits until the process has ended (it may still have to be reaped), or until `deadline`.
pub(crate) fn wait_until_ended(handle: &OwnedFd, deadline: Instant) -> bool {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(handle.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) => return false,
            Err(nix::errno::Errno::EINTR) => {}
            Ok(_) => return true,
            Err(_) => return false,
        }
    }
}

/// Whether a process has ended, is ending, or has a SIGKILL coming.
pub(crate) fn is_dying(pid: Pid) -> bool {
    /// Longer than 52 numbers and a name can be.
    const LENGTH: usize = 2048;
    let mut stat = [0; LENGTH];
    // The kernel composes it anew for each opening, and gives it in one piece.
    let read = File::open(format!("/proc/{pid}/stat")).and_then(|mut file| file.read(&mut stat));
    let Ok(read) = read else { return true };
    stat_tells_of_death(&String::from_utf8_lossy(&stat[..read])) != Some(false)
}

/// Whether the process `pid`, for which `handle` stands, lives and will go on to.
pub(crate) fn is_alive(pid: Pid, handle: &OwnedFd) -> bool {
    // Its number was not another's yet if it has not ended after it was looked at.
    !is_dying(pid)
        && matches!(poll(&mut [PollFd::new(handle.as_fd(), PollFlags::POLLIN)], PollTimeout::ZERO), Ok(0))
}

/// Fields as `proc_pid_stat(5)` numbers them: state is 3, flags 9, pending signals 31, exit code 52. A process takes a
/// pending SIGKILL a moment before it is exiting; its exit code tells of it from when it was sent (`do_task_stat` in
/// `fs/proc/array.c`).
fn stat_tells_of_death(stat: &str) -> Option<bool> {
    /// `PF_EXITING` of the kernel's `sched.h`.
    const EXITING: u64 = 0x4;
    const KILL: u64 = 1 << (libc::SIGKILL - 1);
    let (_, rest) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let flags: u64 = fields.get(9 - 3)?.parse().ok()?;
    let pending: u64 = fields.get(31 - 3)?.parse().ok()?;
    let killed = fields.get(52 - 3).is_some_and(|code| code.trim_end().parse() == Ok(libc::SIGKILL));
    Some(matches!(fields[0], "Z" | "X") || flags & EXITING != 0 || pending & KILL != 0 || killed)
}

struct Process {
    pid: Pid,
    parent: Pid,
    ended: bool,
}

fn running() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| {
            let pid: i32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            process(pid)
        })
        .collect()
}

fn process(pid: i32) -> Option<Process> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// `pid (name) state parent …`, where the name may hold anything, spaces and parentheses included.
fn parse_stat(stat: &str) -> Option<Process> {
    let (pid, rest) = stat.split_once(" (")?;
    let (_, rest) = rest.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let ended = matches!(fields.next()?, "Z" | "X");
    Some(Process {
        pid: Pid::from_raw(pid.parse().ok()?),
        parent: Pid::from_raw(fields.next()?.parse().ok()?),
        ended,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io::BufRead as _;

    use super::*;

    #[test]
    fn a_process_is_dying_from_the_moment_it_is_killed() {
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        assert!(!is_dying(pid));
        child.kill().unwrap();
        assert!(is_dying(pid));
        child.wait().unwrap();
        assert!(is_dying(pid));
    }

    #[test]
    fn what_is_below_a_process_is_found_in_either_way() {
        let script =
            "sh -c 'sleep 1000 & sleep 1000 & echo; wait' & sh -c 'sleep 1000 & echo; wait' & echo; wait";
        let mut shell = std::process::Command::new("sh")
            .args(["-c", script])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = std::io::BufReader::new(shell.stdout.take().unwrap()).lines();
        (0..3).for_each(|_| drop(lines.next().unwrap().unwrap()));
        let root = Pid::from_raw(i32::try_from(shell.id()).unwrap());
        let all = running();
        let of = |parent| {
            all.iter().filter(|process| process.parent == parent).map(|process| process.pid).collect()
        };
        let scanned: BTreeSet<_> = descendants_by(of, root, &[]).into_iter().collect();
        let listed: BTreeSet<_> = descendants(root, &[]).into_iter().collect();
        let handles: Vec<_> = listed.iter().map(|pid| handle(*pid).unwrap()).collect();
        let kept = children(root).unwrap();
        let below_none = descendants(root, &kept);
        for handle in &handles {
            signal(handle, Signal::KILL);
        }
        shell.kill().unwrap();
        shell.wait().unwrap();
        assert_eq!((listed.len(), below_none.len()), (5, 0));
        assert_eq!(scanned, listed);
    }

    #[test]
    fn a_process_name_may_look_like_the_rest_of_the_line() {
        let process = parse_stat("42 (a) S 1 (b) Z 7 42 42 0 -1").unwrap();
        assert_eq!((process.pid.as_raw(), process.parent.as_raw(), process.ended), (42, 7, true));
    }
}
