//! Runs: started, handed to spares, stopped, and over.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use hr_protocol::{Call, Checkpointing, Command, ExitStatus, Job, RunId, SnapshotId, Taken};
use nix::unistd::Pid;
use rustix::process::Signal;

use super::{SnapshotTree, TreeEvent};
use crate::channel::{Channel, ChannelError, socket_pair};
use crate::processes;

/// A run, or a spare that may become one.
pub(super) struct Run {
    pub(super) snapshot: SnapshotId,
    pub(super) process: Option<(Pid, OwnedFd)>,
    /// Where a run that was forked ahead of time gets its job from, and says that it has it.
    pub(super) jobs: Option<Channel<Job, Taken>>,
    /// Whether it was forked ahead of time and has no job yet.
    pub(super) spare: bool,
    /// Whether it was reported as started.
    pub(super) announced: bool,
    /// Set once the supervisor was asked to end it: then what it leaves behind ends as well.
    pub(super) stopping: bool,
    /// Set when it has ended and only what it left behind is still to go.
    pub(super) ended: Option<ExitStatus>,
}

impl Run {
    /// Whether it is a spare of `snapshot` that was not told to end.
    fn awaits_job_from(&self, snapshot: SnapshotId) -> bool {
        self.spare && self.jobs.is_some() && self.snapshot == snapshot
    }
}

impl SnapshotTree {
    /// Carries out `call` in a run forked from `snapshot`: in a spare if there is one, else in a new fork.
    /// `descriptors` are those of the call; `checkpointing` says where it leaves checkpoints.
    pub fn run(
        &mut self,
        snapshot: SnapshotId,
        call: impl Into<Arc<Call>>,
        descriptors: impl Into<Arc<[OwnedFd]>>,
        checkpointing: Option<Checkpointing>,
    ) -> RunId {
        let (call, descriptors) = (call.into(), descriptors.into());
        let spare = self.runs.iter().find(|(_, run)| run.awaits_job_from(snapshot)).map(|(id, _)| *id);
        if let Some(run) = spare {
            self.hand_over(&Job { run, call, checkpointing }, descriptors);
            return run;
        }
        let run = self.new_run(snapshot, None);
        let job = Job { run, call, checkpointing };
        self.command(snapshot, &Command::Run(Box::new(job)), descriptors);
        run
    }

    /// Forks runs ahead of time, or ends some, until `snapshot` has `number` of them that wait for a job.
    pub fn keep_spares(&mut self, snapshot: SnapshotId, number: usize) -> io::Result<()> {
        if !self.is_alive(snapshot) {
            return Ok(());
        }
        let mut waiting = 0;
        for run in self.runs.values_mut().filter(|run| run.awaits_job_from(snapshot)) {
            waiting += 1;
            if waiting > number {
                run.jobs = None; // which ends it
            }
        }
        for _ in waiting..number {
            let (ours, theirs) = socket_pair()?;
            let run = self.new_run(snapshot, Some(ours.into()));
            self.command(snapshot, &Command::Spare { run }, vec![theirs]);
        }
        Ok(())
    }

    pub(super) fn new_run(&mut self, snapshot: SnapshotId, jobs: Option<Channel<Job, Taken>>) -> RunId {
        self.runs_made += 1;
        let run = RunId(self.runs_made);
        let spare = jobs.is_some();
        let new =
            Run { snapshot, process: None, jobs, spare, announced: false, stopping: false, ended: None };
        self.runs.insert(run, new);
        run
    }

    /// Gives a spare its job. It may not have been forked yet: the socket keeps the job for it.
    pub(super) fn hand_over(&mut self, job: &Job, descriptors: Arc<[OwnedFd]>) {
        let id = job.run;
        let Some(run) = self.runs.get_mut(&id) else { return };
        run.spare = false;
        let Some(jobs) = run.jobs.as_mut() else { return };
        match jobs.queue(job, descriptors) {
            Ok(()) => self.exchange_job(id),
            Err(error) => self.run_failed(id, error.to_string()),
        }
    }

    /// Goes on giving a spare its job.
    pub(super) fn exchange_job(&mut self, id: RunId) {
        let Some(run) = self.runs.get_mut(&id).filter(|run| !run.spare) else { return };
        match run.jobs.as_mut().map_or(Ok(()), Channel::try_flush) {
            Ok(()) => self.announce(id),
            // It ended while it waited, and never saw the job.
            Err(error) => self.run_failed(id, error.to_string()),
        }
    }

    /// Reports a run as started once it has its job and its process is known.
    ///
    /// A spare has its job as soon as that lies in the socket and the spare is seen to live after that: whoever kills it
    /// from then on kills the run. So it need not wake the supervisor, which would take the processor from it, to say that
    /// it has got it. It says so all the same, for the case that it cannot be seen to live any more.
    pub(super) fn announce(&mut self, id: RunId) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        let Some((pid, handle)) = run.process.as_ref().filter(|_| !run.spare && !run.announced) else {
            return;
        };
        let has_job = match &run.jobs {
            None => true,
            Some(jobs) => !jobs.wants_to_write() && processes::is_alive(*pid, handle),
        };
        if has_job {
            run.announced = true;
            self.events.push_back(TreeEvent::RunStarted { run: id, pid: pid.as_raw() });
        }
    }

    /// The same for a run that has ended: only its own word tells whether it had its job.
    fn announce_late(&mut self, id: RunId) {
        let Some(run) = self.runs.get_mut(&id).filter(|run| !run.spare && !run.announced) else { return };
        let word = |jobs: &mut Channel<Job, Taken>| jobs.try_receive().map(|word| word.is_some());
        let taken = run.jobs.as_mut().map_or(Ok(true), word);
        match (&run.process, taken) {
            (Some((pid, _)), Ok(true)) => {
                run.announced = true;
                self.events.push_back(TreeEvent::RunStarted { run: id, pid: pid.as_raw() });
            }
            (None, Ok(true)) => {}
            (_, Ok(false)) => self.run_failed(id, ChannelError::Closed.to_string()),
            (_, Err(error)) => self.run_failed(id, error.to_string()),
        }
    }

    /// Asks a run to end. Returns whether it was running.
    ///
    /// Whatever it has started ends right after it.
    pub fn terminate(&mut self, run: RunId) -> bool {
        self.signal_run(run, Signal::TERM)
    }

    /// Sends a run a signal that is not to be its end. Returns whether it was running.
    pub fn signal(&mut self, run: RunId, number: i32) -> bool {
        let Some(signal) = Signal::from_named_raw(number) else { return false };
        let run = self.runs.get(&run).filter(|run| run.ended.is_none());
        run.and_then(|run| run.process.as_ref()).is_some_and(|(_, handle)| processes::signal(handle, signal))
    }

    /// Ends a run that did not heed [`SnapshotTree::terminate`].
    pub fn kill_run(&mut self, run: RunId) {
        self.signal_run(run, Signal::KILL);
    }

    pub(super) fn signal_run(&mut self, run: RunId, signal: Signal) -> bool {
        let Some(run) = self.runs.get_mut(&run) else { return false };
        run.stopping = true;
        match &run.process {
            Some((_, handle)) if run.ended.is_none() => processes::signal(handle, signal),
            _ => false,
        }
    }

    /// The runs that are not over. Spares are not runs yet.
    pub fn runs(&self) -> Vec<RunId> {
        self.runs.iter().filter(|(_, run)| !run.spare).map(|(id, _)| *id).collect()
    }

    pub(super) fn run_started(&mut self, id: RunId, pid: i32, handle: Option<OwnedFd>) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        run.process = handle.map(|handle| (Pid::from_raw(pid), handle));
        self.announce(id);
    }

    pub(super) fn run_failed(&mut self, run: RunId, message: String) {
        if self.runs.remove(&run).is_some_and(|run| !run.spare) {
            self.events.push_back(TreeEvent::RunFailed { run, message });
        }
    }

    pub(super) fn run_ended(&mut self, id: RunId, status: ExitStatus) {
        // Whether it took its job decides what its end means.
        self.announce_late(id);
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

    pub(super) fn run_over(&mut self, id: RunId) {
        let Some(run) = self.runs.remove(&id) else { return };
        if run.spare {
            return;
        }
        let status = run.ended.unwrap_or(ExitStatus::Lost);
        // What it has told came before its end.
        self.take_notes();
        self.events.push_back(TreeEvent::RunEnded { run: id, status });
        self.retire_if_unused(run.snapshot);
    }
}
