//! The supervisor's end: every paused process and every run below it.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use hr_protocol::{
    Call, Command, ExitStatus, Hello, ImportOutcome, Job, Loaded, Report, RunId, SnapshotId, Taken,
};
use nix::poll::PollFlags;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpid};
use rustix::process::Signal;

use crate::channel::{Channel, ChannelError, Received, socket_pair};
use crate::launch::Launch;
use crate::processes;

/// How long the last processes may take to end after SIGKILL.
const SWEEP_LIMIT: Duration = Duration::from_secs(2);

/// Something that happened below the supervisor.
#[derive(Debug)]
pub enum TreeEvent {
    /// A snapshot waits for commands.
    Ready(SnapshotId),
    /// An import is over.
    Imported {
        /// Where.
        snapshot: SnapshotId,
        /// How long it took.
        elapsed: Duration,
        /// How it went.
        outcome: ImportOutcome,
    },
    /// A snapshot's heap is frozen.
    Settled {
        /// Which.
        snapshot: SnapshotId,
        /// What it has consumed.
        loaded: Loaded,
    },
    /// A snapshot could not be forked; its parent is as it was.
    ForkFailed {
        /// The parent.
        snapshot: SnapshotId,
        /// What the kernel said.
        message: String,
    },
    /// A snapshot has ended. Its runs end too, and are reported by themselves.
    Died {
        /// Which.
        snapshot: SnapshotId,
        /// How.
        status: ExitStatus,
    },
    /// A run was forked.
    RunStarted {
        /// Its name.
        run: RunId,
        /// Its process id.
        pid: i32,
    },
    /// A run could not be forked.
    RunFailed {
        /// Its name.
        run: RunId,
        /// Why.
        message: String,
    },
    /// A run is over, and nothing that had to end with it is left. The last event of every run that started.
    RunEnded {
        /// Its name.
        run: RunId,
        /// How.
        status: ExitStatus,
    },
    /// A template printed this while it imported.
    Output(Vec<u8>),
}

/// A descriptor of the tree that the supervisor's loop waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Commands to and reports from a snapshot.
    Channel(SnapshotId),
    /// The end of a snapshot.
    Snapshot(SnapshotId),
    /// The end of a run whose snapshot is gone.
    Run(RunId),
    /// A spare that is taking its job.
    Job(RunId),
    /// What templates print, by the number of the pipe.
    Output(usize),
}

struct Snapshot {
    pid: Option<Pid>,
    handle: Option<OwnedFd>,
    /// The snapshot it was forked from.
    parent: Option<SnapshotId>,
    channel: Option<Channel<Command, Report>>,
    retiring: bool,
}

struct Run {
    snapshot: SnapshotId,
    process: Option<(Pid, OwnedFd)>,
    /// Where a run that was forked ahead of time gets its job from. Closed as soon as it has it.
    jobs: Option<Channel<Job, Taken>>,
    /// Whether it was forked ahead of time and has no job yet.
    spare: bool,
    /// Set once the supervisor was asked to end it: then what it leaves behind ends as well.
    stopping: bool,
    /// Set when it has ended and only what it left behind is still to go.
    ended: Option<ExitStatus>,
}

/// All processes below a supervisor.
///
/// The supervisor must be a subreaper and must leave waiting for children to the tree. The tree never waits:
/// its owner polls [`SnapshotTree::sources`], says what became ready, and takes the events that came of it.
#[derive(Default)]
pub struct SnapshotTree {
    snapshots: BTreeMap<SnapshotId, Snapshot>,
    runs: BTreeMap<RunId, Run>,
    outputs: BTreeMap<usize, io::PipeReader>,
    events: VecDeque<TreeEvent>,
    snapshots_made: u64,
    runs_made: u64,
}

impl SnapshotTree {
    /// Starts a process that has nothing to do with any other.
    pub fn boot(&mut self, launch: &Launch) -> io::Result<SnapshotId> {
        let (ours, theirs) = socket_pair()?;
        let launched = launch.start(&theirs)?;
        let id = self.new_snapshot(None, ours);
        if let Some(snapshot) = self.snapshots.get_mut(&id) {
            snapshot.pid = Some(launched.pid);
            snapshot.handle = Some(launched.handle);
        }
        let number = self.outputs.keys().next_back().map_or(0, |last| last + 1);
        self.outputs.insert(number, launched.output.into());
        Ok(id)
    }

    /// Forks `parent` into another snapshot.
    pub fn fork(&mut self, parent: SnapshotId) -> io::Result<SnapshotId> {
        let (ours, theirs) = socket_pair()?;
        let id = self.new_snapshot(Some(parent), ours);
        self.command(parent, &Command::Fork { snapshot: id }, vec![theirs]);
        Ok(id)
    }

    /// Carries out `call` in a run forked from `snapshot`: in a spare if there is one, else in a new fork.
    /// `descriptors` are those of the call.
    pub fn run(&mut self, snapshot: SnapshotId, call: Call, descriptors: Vec<OwnedFd>) -> RunId {
        let spare =
            self.runs.iter().find(|(_, run)| run.spare && run.snapshot == snapshot).map(|(id, _)| *id);
        if let Some(run) = spare {
            self.hand_over(run, call, descriptors);
            return run;
        }
        let run = self.new_run(snapshot, None);
        self.command(snapshot, &Command::Run(Box::new(Job { run, call })), descriptors);
        run
    }

    /// Forks runs ahead of time until `snapshot` has `number` of them that wait for a job.
    pub fn keep_spares(&mut self, snapshot: SnapshotId, number: usize) -> io::Result<()> {
        if !self.is_alive(snapshot) {
            return Ok(());
        }
        let waiting = self.runs.values().filter(|run| run.spare && run.snapshot == snapshot).count();
        for _ in waiting..number {
            let (ours, theirs) = socket_pair()?;
            let run = self.new_run(snapshot, Some(ours.into()));
            self.command(snapshot, &Command::Spare { run }, vec![theirs]);
        }
        Ok(())
    }

    fn new_run(&mut self, snapshot: SnapshotId, jobs: Option<Channel<Job, Taken>>) -> RunId {
        self.runs_made += 1;
        let run = RunId(self.runs_made);
        let spare = jobs.is_some();
        self.runs.insert(run, Run { snapshot, process: None, jobs, spare, stopping: false, ended: None });
        run
    }

    /// Gives a spare its job. It may not have been forked yet: the socket keeps the job for it.
    fn hand_over(&mut self, id: RunId, call: Call, descriptors: Vec<OwnedFd>) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        run.spare = false;
        let Some(jobs) = run.jobs.as_mut() else { return };
        let sent = jobs.queue(&Job { run: id, call }, descriptors).and_then(|()| jobs.try_flush());
        if let Err(error) = sent {
            self.run_failed(id, error.to_string());
        }
    }

    /// Goes on giving a spare its job, and takes note when it has it.
    fn exchange_job(&mut self, id: RunId) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        let Some(jobs) = run.jobs.as_mut() else { return };
        match jobs.try_flush().and_then(|()| jobs.try_receive()) {
            Ok(None) => {}
            Ok(Some(_)) => {
                run.jobs = None;
                self.announce(id);
            }
            // It ended while it waited, and never saw the job.
            Err(error) => self.run_failed(id, error.to_string()),
        }
    }

    /// Reports a run as started once it has its job and its process is known.
    fn announce(&mut self, id: RunId) {
        if let Some(Run { spare: false, jobs: None, process: Some((pid, _)), .. }) = self.runs.get(&id) {
            let pid = pid.as_raw();
            self.events.push_back(TreeEvent::RunStarted { run: id, pid });
        }
    }

    /// Tells `snapshot` to do something that has an answer of its own.
    pub fn tell(&mut self, snapshot: SnapshotId, command: &Command) {
        self.command(snapshot, command, Vec::new());
    }

    /// Ends `snapshot` as soon as it has no run left. Snapshots forked from it live on.
    pub fn retire(&mut self, snapshot: SnapshotId) {
        if let Some(retired) = self.snapshots.get_mut(&snapshot) {
            retired.retiring = true;
        }
        for run in self.runs.values_mut().filter(|run| run.spare && run.snapshot == snapshot) {
            run.jobs = None; // which ends it
        }
        self.retire_if_unused(snapshot);
    }

    /// Ends `snapshot` at once, and its runs with it.
    pub fn kill(&mut self, snapshot: SnapshotId) {
        if let Some(handle) = self.snapshots.get(&snapshot).and_then(|snapshot| snapshot.handle.as_ref()) {
            processes::signal(handle, Signal::KILL);
        }
    }

    /// Asks a run to end. Returns whether it was running.
    ///
    /// Whatever it has started ends right after it.
    pub fn terminate(&mut self, run: RunId) -> bool {
        self.signal_run(run, Signal::TERM)
    }

    /// Ends a run that did not heed [`SnapshotTree::terminate`].
    pub fn kill_run(&mut self, run: RunId) {
        self.signal_run(run, Signal::KILL);
    }

    fn signal_run(&mut self, run: RunId, signal: Signal) -> bool {
        let Some(run) = self.runs.get_mut(&run) else { return false };
        run.stopping = true;
        match &run.process {
            Some((_, handle)) if run.ended.is_none() => processes::signal(handle, signal),
            _ => false,
        }
    }

    /// Process id of a snapshot that is ready.
    pub fn pid(&self, snapshot: SnapshotId) -> Option<i32> {
        self.snapshots.get(&snapshot)?.pid.map(Pid::as_raw)
    }

    /// Whether `snapshot` exists and was not told to end.
    pub fn is_alive(&self, snapshot: SnapshotId) -> bool {
        self.snapshots.get(&snapshot).is_some_and(|snapshot| snapshot.channel.is_some() && !snapshot.retiring)
    }

    /// The runs that are not over. Spares are not runs yet.
    pub fn runs(&self) -> Vec<RunId> {
        self.runs.iter().filter(|(_, run)| !run.spare).map(|(id, _)| *id).collect()
    }

    /// Kills everything and waits, for a bounded time, until it has ended.
    pub fn end_all(&mut self) {
        processes::sweep(getpid(), &[], |_| true, SWEEP_LIMIT);
        self.reap();
    }

    /// What to wait for, and for what of it.
    pub fn sources(&self) -> impl Iterator<Item = (Source, BorrowedFd<'_>, PollFlags)> {
        let channels = self.snapshots.iter().filter_map(|(id, snapshot)| {
            let channel = snapshot.channel.as_ref()?;
            let write = if channel.wants_to_write() { PollFlags::POLLOUT } else { PollFlags::empty() };
            Some((Source::Channel(*id), channel.as_fd(), PollFlags::POLLIN | write))
        });
        let ends = self.snapshots.iter().filter_map(|(id, snapshot)| {
            Some((Source::Snapshot(*id), snapshot.handle.as_ref()?.as_fd(), PollFlags::POLLIN))
        });
        let orphans = self.runs.iter().filter_map(|(id, run)| {
            let (_, handle) = run.process.as_ref()?;
            let orphan = !self.snapshots.contains_key(&run.snapshot);
            orphan.then_some((Source::Run(*id), handle.as_fd(), PollFlags::POLLIN))
        });
        let outputs = self
            .outputs
            .iter()
            .map(|(number, pipe)| (Source::Output(*number), pipe.as_fd(), PollFlags::POLLIN));
        let jobs = self.runs.iter().filter_map(|(id, run)| {
            let jobs = run.jobs.as_ref().filter(|_| !run.spare)?;
            let write = if jobs.wants_to_write() { PollFlags::POLLOUT } else { PollFlags::empty() };
            Some((Source::Job(*id), jobs.as_fd(), PollFlags::POLLIN | write))
        });
        channels.chain(ends).chain(orphans).chain(jobs).chain(outputs)
    }

    /// Acts on a source that became ready.
    pub fn ready(&mut self, source: Source) {
        match source {
            Source::Channel(snapshot) => self.exchange(snapshot),
            Source::Snapshot(snapshot) => self.snapshot_ended(snapshot),
            Source::Run(run) => {
                self.reap();
                // It has ended, and it is not ours to collect: whoever did is gone too.
                self.run_ended(run, ExitStatus::Lost);
            }
            Source::Job(run) => self.exchange_job(run),
            Source::Output(number) => self.read_output(number),
        }
    }

    /// The next event.
    pub fn next_event(&mut self) -> Option<TreeEvent> {
        self.events.pop_front()
    }

    /// Collects children that have ended. To be called on SIGCHLD.
    pub fn reap(&mut self) {
        loop {
            let (pid, status) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => (pid, ExitStatus::Exited(code)),
                Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, ExitStatus::Signaled(signal as i32)),
                Ok(WaitStatus::StillAlive) | Err(_) => return,
                Ok(_) => continue,
            };
            let of_pid =
                |(id, snapshot): (&SnapshotId, &Snapshot)| (snapshot.pid == Some(pid)).then_some(*id);
            if let Some(snapshot) = self.snapshots.iter().find_map(of_pid) {
                self.bury(snapshot, status);
                continue;
            }
            let of_pid = |(id, run): (&RunId, &Run)| {
                run.process.as_ref().is_some_and(|(process, _)| *process == pid).then_some(*id)
            };
            if let Some(run) = self.runs.iter().find_map(of_pid) {
                self.run_ended(run, status);
            }
        }
    }

    fn new_snapshot(&mut self, parent: Option<SnapshotId>, socket: OwnedFd) -> SnapshotId {
        self.snapshots_made += 1;
        let id = SnapshotId(self.snapshots_made);
        let channel = Some(socket.into());
        self.snapshots.insert(id, Snapshot { pid: None, handle: None, parent, channel, retiring: false });
        id
    }

    fn command(&mut self, snapshot: SnapshotId, command: &Command, descriptors: Vec<OwnedFd>) {
        let channel = self.snapshots.get_mut(&snapshot).and_then(|snapshot| snapshot.channel.as_mut());
        let sent = match channel {
            Some(channel) => channel.queue(command, descriptors).and_then(|()| channel.try_flush()),
            None => Err(ChannelError::Closed),
        };
        // The end of the snapshot will be noticed on its own; but nobody would ever report on this run.
        if let (Err(error), Command::Run(job)) = (sent, command) {
            self.run_failed(job.run, error.to_string());
        }
    }

    fn exchange(&mut self, id: SnapshotId) {
        loop {
            let Some(channel) = self.snapshots.get_mut(&id).and_then(|snapshot| snapshot.channel.as_mut())
            else {
                return;
            };
            match channel.try_flush().and_then(|()| channel.try_receive()) {
                Ok(None) => return,
                Ok(Some(received)) => self.report(id, received),
                Err(_) => return self.channel_ended(id),
            }
        }
    }

    /// A snapshot said its last word. If it still lives, it has lost its mind and must not go on.
    fn channel_ended(&mut self, id: SnapshotId) {
        let Some(snapshot) = self.snapshots.get_mut(&id) else { return };
        snapshot.channel = None;
        if snapshot.handle.is_some() {
            self.kill(id);
        } else {
            // It was never seen alive: its parent ended, or did not manage to fork it.
            self.bury(id, ExitStatus::Lost);
        }
    }

    fn report(&mut self, id: SnapshotId, received: Received<Report>) {
        let Received { message, mut descriptors } = received;
        match message {
            Report::Ready { hello, pid } => self.snapshot_ready(id, hello, pid),
            Report::Imported { micros, outcome, .. } => {
                let elapsed = Duration::from_micros(micros);
                self.events.push_back(TreeEvent::Imported { snapshot: id, elapsed, outcome });
            }
            Report::Settled(loaded) => self.events.push_back(TreeEvent::Settled { snapshot: id, loaded }),
            Report::Forked { snapshot, pid } => {
                if let Some(forked) = self.snapshots.get_mut(&snapshot) {
                    forked.pid = Some(Pid::from_raw(pid));
                    forked.handle = descriptors.pop();
                }
            }
            Report::Started { run, pid } => self.run_started(run, pid, descriptors.pop()),
            Report::ForkFailed { run: Some(run), message } => self.run_failed(run, message),
            Report::ForkFailed { run: None, message } => {
                self.events.push_back(TreeEvent::ForkFailed { snapshot: id, message });
            }
            Report::Ended { run, status } => self.run_ended(run, status),
            Report::Swept { run } => self.run_over(run),
        }
    }

    fn snapshot_ready(&mut self, id: SnapshotId, hello: Hello, pid: i32) {
        if hello != Hello::OURS {
            return self.channel_ended(id);
        }
        if let Some(snapshot) = self.snapshots.get_mut(&id) {
            snapshot.pid = Some(Pid::from_raw(pid));
        }
        self.events.push_back(TreeEvent::Ready(id));
    }

    fn run_started(&mut self, id: RunId, pid: i32, handle: Option<OwnedFd>) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        run.process = handle.map(|handle| (Pid::from_raw(pid), handle));
        self.announce(id);
    }

    fn run_failed(&mut self, run: RunId, message: String) {
        if self.runs.remove(&run).is_some_and(|run| !run.spare) {
            self.events.push_back(TreeEvent::RunFailed { run, message });
        }
    }

    fn run_ended(&mut self, id: RunId, status: ExitStatus) {
        // Its last word may still lie in the socket: whether it took its job decides what its end means.
        self.exchange_job(id);
        let Some(run) = self.runs.get_mut(&id) else { return };
        if run.ended.is_some() {
            return;
        }
        run.ended = Some(status);
        let snapshot = run.snapshot;
        // A run that was killed had no chance to end what it started.
        let unclean = run.stopping || !matches!(status, ExitStatus::Exited(_));
        if unclean && self.snapshots.contains_key(&snapshot) {
            self.tell(snapshot, &Command::Sweep { run: id });
        } else {
            self.run_over(id);
        }
    }

    fn run_over(&mut self, id: RunId) {
        let Some(run) = self.runs.remove(&id) else { return };
        if run.spare {
            return;
        }
        let status = run.ended.unwrap_or(ExitStatus::Lost);
        self.events.push_back(TreeEvent::RunEnded { run: id, status });
        self.retire_if_unused(run.snapshot);
    }

    fn retire_if_unused(&mut self, id: SnapshotId) {
        let used = self.runs.values().any(|run| run.snapshot == id && !run.spare);
        if !used && self.snapshots.get(&id).is_some_and(|snapshot| snapshot.retiring) {
            let snapshots =
                self.snapshots.values().filter_map(|snapshot| Some(snapshot.pid?.as_raw())).collect();
            self.tell(id, &Command::Retire { snapshots });
        }
    }

    fn snapshot_ended(&mut self, id: SnapshotId) {
        // Its last reports may still lie in the socket.
        self.exchange(id);
        self.reap();
        // Not a child of ours: the snapshot it was forked from collects it, and does not tell how it ended.
        self.bury(id, ExitStatus::Lost);
    }

    /// The snapshot is no more; settles what depended on it.
    fn bury(&mut self, id: SnapshotId, status: ExitStatus) {
        self.exchange(id);
        if self.snapshots.remove(&id).is_none() {
            return;
        }
        for snapshot in self.snapshots.values_mut().filter(|snapshot| snapshot.parent == Some(id)) {
            snapshot.parent = None;
        }
        let orphans: Vec<_> =
            self.runs.iter().filter(|(_, run)| run.snapshot == id).map(|(run, _)| *run).collect();
        for run in orphans {
            match self.runs.get(&run) {
                Some(Run { spare: true, .. }) => drop(self.runs.remove(&run)),
                Some(Run { process: None, .. }) => {
                    self.run_failed(run, "the template ended before it could fork".to_owned());
                }
                Some(Run { ended: Some(_), .. }) => self.run_over(run),
                // It dies by its parent-death signal; its handle, or SIGCHLD, will tell.
                Some(_) | None => {}
            }
        }
        self.sweep_strays();
        self.events.push_back(TreeEvent::Died { snapshot: id, status });
    }

    /// Kills what has been left to the supervisor: the rest of runs whose snapshot is gone.
    fn sweep_strays(&self) {
        let keep: Vec<_> = self.snapshots.values().filter_map(|snapshot| snapshot.pid).collect();
        let orphans: Vec<_> = self.runs.values().filter_map(|run| Some(run.process.as_ref()?.0)).collect();
        processes::sweep(getpid(), &keep, |pid| !orphans.contains(&pid), SWEEP_LIMIT);
    }

    fn read_output(&mut self, number: usize) {
        let Some(pipe) = self.outputs.get_mut(&number) else { return };
        let mut bytes = vec![0; 64 * 1024];
        match pipe.read(&mut bytes) {
            Ok(0) | Err(_) => drop(self.outputs.remove(&number)),
            Ok(read) => {
                bytes.truncate(read);
                self.events.push_back(TreeEvent::Output(bytes));
            }
        }
    }
}
