//! Snapshots: started, forked, talked to, and buried.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use hr_protocol::{Command, ExitStatus, Hello, Preparation, Report, RunId, SnapshotId};
use nix::sys::resource::{Resource, getrlimit};
use nix::unistd::{Pid, getpid};
use rustix::process::Signal;

use super::runs::Run;
use super::{SWEEP_LIMIT, SnapshotTree, TreeEvent};
use crate::channel::{Channel, ChannelError, Received, socket_pair};
use crate::launch::Launch;
use crate::notes::Notes;
use crate::processes;

/// A paused process.
pub(super) struct Snapshot {
    pub(super) pid: Option<Pid>,
    pub(super) handle: Option<OwnedFd>,
    /// The snapshot it was forked from.
    pub(super) parent: Option<SnapshotId>,
    pub(super) channel: Option<Channel<Command, Report>>,
    pub(super) retiring: bool,
    /// The run that it is a checkpoint of.
    pub(super) of: Option<RunId>,
}

/// How many descriptors are kept free for what must go on.
const SPARE_DESCRIPTORS: u64 = 24;

/// Whether there are enough descriptors left after `newest`, which has the lowest number that was free.
fn leaves_descriptors(newest: &OwnedFd) -> bool {
    let taken = u64::try_from(newest.as_raw_fd()).unwrap_or(u64::MAX);
    getrlimit(Resource::RLIMIT_NOFILE).is_ok_and(|(limit, _)| taken.saturating_add(SPARE_DESCRIPTORS) < limit)
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

    /// Takes in a checkpoint that `run` has left, and the descriptors that came with the note of it.
    pub(super) fn adopt(&mut self, run: RunId, pid: i32, mut descriptors: Vec<OwnedFd>) {
        let (Some(handle), Some(socket)) = (descriptors.pop(), descriptors.pop()) else { return };
        if !leaves_descriptors(&handle) {
            return; // it ends with its stream
        }
        // It belongs to what the run was forked from.
        let parent = self.runs.get(&run).map(|run| run.snapshot);
        let id = self.new_snapshot(parent, socket);
        if let Some(snapshot) = self.snapshots.get_mut(&id) {
            snapshot.pid = Some(Pid::from_raw(pid));
            snapshot.handle = Some(handle);
            snapshot.of = Some(run);
        }
    }

    /// Tells `snapshot` what it must know before it imports, and gives it the socket that its runs tell notes through.
    pub fn prepare(&mut self, snapshot: SnapshotId, preparation: Preparation) {
        if self.notes.is_none() {
            // Without it, nothing is learned.
            self.notes = Notes::new().ok();
        }
        let writer = self.notes.as_ref().and_then(|notes| notes.writer().ok());
        self.command(
            snapshot,
            &Command::Prepare(Box::new(preparation)),
            writer.into_iter().collect::<Vec<_>>(),
        );
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

    /// Process id of a snapshot that is alive.
    pub fn pid(&self, snapshot: SnapshotId) -> Option<i32> {
        self.is_alive(snapshot).then_some(self.snapshots.get(&snapshot)?.pid?.as_raw())
    }

    /// Whether `snapshot` exists, was not told to end, and is not about to: a process that was killed takes a moment to
    /// die, and all that it has forked dies with it.
    pub fn is_alive(&self, snapshot: SnapshotId) -> bool {
        let Some(snapshot) = self.snapshots.get(&snapshot) else { return false };
        snapshot.channel.is_some() && !snapshot.retiring && !snapshot.pid.is_some_and(processes::is_dying)
    }

    pub(super) fn new_snapshot(&mut self, parent: Option<SnapshotId>, socket: OwnedFd) -> SnapshotId {
        self.snapshots_made += 1;
        let id = SnapshotId(self.snapshots_made);
        let channel = Some(socket.into());
        self.snapshots
            .insert(id, Snapshot { pid: None, handle: None, parent, channel, retiring: false, of: None });
        id
    }

    pub(super) fn command(
        &mut self,
        snapshot: SnapshotId,
        command: &Command,
        descriptors: impl Into<Arc<[OwnedFd]>>,
    ) {
        let channel = self.snapshots.get_mut(&snapshot).and_then(|snapshot| snapshot.channel.as_mut());
        let sent = match channel {
            Some(channel) => channel.queue(command, descriptors).and_then(|()| channel.try_flush()),
            None => Err(ChannelError::Closed),
        };
        if let Err(error) = sent {
            // Nothing more is to be sent there.
            self.channel_ended(snapshot);
            // And nobody would ever report on this run.
            if let Command::Run(job) = command {
                self.run_failed(job.run, error.to_string());
            }
        }
    }

    pub(super) fn exchange(&mut self, id: SnapshotId) {
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
    pub(super) fn channel_ended(&mut self, id: SnapshotId) {
        let Some(snapshot) = self.snapshots.get_mut(&id) else { return };
        snapshot.channel = None;
        if snapshot.handle.is_some() {
            self.kill(id);
        } else {
            // It was never seen alive: its parent ended, or did not manage to fork it.
            self.bury(id, ExitStatus::Lost);
        }
    }

    pub(super) fn report(&mut self, id: SnapshotId, received: Received<Report>) {
        let Received { message, mut descriptors } = received;
        match message {
            Report::Ready { hello, pid } => self.snapshot_ready(id, hello, pid),
            Report::Imported { micros, outcome, threads, .. } => {
                let elapsed = Duration::from_micros(micros);
                self.events.push_back(TreeEvent::Imported { snapshot: id, elapsed, outcome, threads });
            }
            Report::Checkpoint(checkpoint) => {
                if let Some(run) = self.snapshots.get(&id).and_then(|snapshot| snapshot.of) {
                    self.events.push_back(TreeEvent::Checkpoint { snapshot: id, run, checkpoint });
                }
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

    pub(super) fn snapshot_ready(&mut self, id: SnapshotId, hello: Hello, pid: i32) {
        if hello != Hello::OURS {
            return self.channel_ended(id);
        }
        if let Some(snapshot) = self.snapshots.get_mut(&id) {
            snapshot.pid = Some(Pid::from_raw(pid));
        }
        self.events.push_back(TreeEvent::Ready(id));
    }

    pub(super) fn retire_if_unused(&mut self, id: SnapshotId) {
        let used = self.runs.values().any(|run| run.snapshot == id && !run.spare);
        if !used && self.snapshots.get(&id).is_some_and(|snapshot| snapshot.retiring) {
            let snapshots =
                self.snapshots.values().filter_map(|snapshot| Some(snapshot.pid?.as_raw())).collect();
            self.tell(id, &Command::Retire { snapshots });
        }
    }

    pub(super) fn snapshot_ended(&mut self, id: SnapshotId) {
        // Its last reports may still lie in the socket.
        self.exchange(id);
        self.reap();
        // Not a child of ours: the snapshot it was forked from collects it, and does not tell how it ended.
        self.bury(id, ExitStatus::Lost);
    }

    /// The snapshot is no more; settles what depended on it.
    pub(super) fn bury(&mut self, id: SnapshotId, status: ExitStatus) {
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
    pub(super) fn sweep_strays(&self) {
        let keep: Vec<_> = self.snapshots.values().filter_map(|snapshot| snapshot.pid).collect();
        let orphans: Vec<_> = self.runs.values().filter_map(|run| Some(run.process.as_ref()?.0)).collect();
        processes::sweep(getpid(), &keep, |pid| !orphans.contains(&pid), SWEEP_LIMIT);
    }
}
