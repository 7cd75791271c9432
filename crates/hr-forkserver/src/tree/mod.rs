//! The supervisor's end: every paused process and every run below it.

mod event;
mod inventory;
mod runs;
mod snapshots;

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use hr_protocol::{ExitStatus, Note, RunId, SnapshotId};
use nix::poll::PollFlags;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::getpid;

pub use self::event::{Source, TreeEvent};
use self::runs::Run;
use self::snapshots::Snapshot;
use crate::notes::Notes;
use crate::processes;

/// How long the last processes may take to end after SIGKILL.
const SWEEP_LIMIT: Duration = Duration::from_secs(2);

/// All processes below a supervisor.
///
/// The supervisor must be a subreaper and must leave waiting for children to the tree. The tree never waits:
/// its owner polls [`SnapshotTree::sources`], says what became ready, and takes the events that came of it.
#[derive(Default)]
pub struct SnapshotTree {
    snapshots: BTreeMap<SnapshotId, Snapshot>,
    runs: BTreeMap<RunId, Run>,
    outputs: BTreeMap<usize, io::PipeReader>,
    /// From the first snapshot that imports.
    notes: Option<Notes>,
    events: VecDeque<TreeEvent>,
    snapshots_made: u64,
    runs_made: u64,
}

impl SnapshotTree {
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
            let jobs = run.jobs.as_ref().filter(|jobs| !run.spare && jobs.wants_to_write())?;
            Some((Source::Job(*id), jobs.as_fd(), PollFlags::POLLOUT))
        });
        let notes = self.notes.iter().map(|notes| (Source::Notes, notes.as_fd(), PollFlags::POLLIN));
        channels.chain(ends).chain(orphans).chain(jobs).chain(outputs).chain(notes)
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
            Source::Notes => self.take_notes(),
        }
    }

    /// What runs have told.
    fn take_notes(&mut self) {
        while let Some((note, descriptors)) = self.notes.as_ref().and_then(Notes::next) {
            match note {
                Note::Checkpoint { run, pid } => self.adopt(run, pid, descriptors),
                note => self.events.push_back(TreeEvent::Note(note)),
            }
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
