//! Inside a paused process: the loop that waits for commands and forks.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use hr_protocol::{
    Command, Effect, ExitStatus, Hello, ImportFailure, ImportOutcome, Job, Report, RunId, SnapshotId,
};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl::{set_child_subreaper, set_pdeathsig};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpid};

use crate::channel::{Channel, ChannelError, Received};
use crate::effects::State;
use crate::interpreter::Interpreter;
use crate::processes;
use crate::run::{self, NewRun};
use crate::sys::{self, Forked};

/// How long a process may take to end after SIGKILL before it is left to the kernel.
const SWEEP_LIMIT: Duration = Duration::from_secs(2);

/// What a terminal sends to its whole foreground job, and what others send to a whole job that is to end. It is meant for
/// runs, not for what they are forked from: they would end with it, and could not clean up.
const JOB_SIGNALS: [Signal; 5] =
    [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTSTP, Signal::SIGHUP, Signal::SIGTERM];

/// Serves the supervisor at the other end of `socket` until it retires this process or goes away.
///
/// Does not return: the process ends here, after killing what its runs have left behind. In the processes
/// that are forked from it, the same loop goes on (snapshots), or `interpreter` carries out a call (runs).
pub fn serve<I: Interpreter>(interpreter: I, socket: OwnedFd) -> ! {
    let mask = SigSet::thread_get_mask().unwrap_or_else(|_| SigSet::empty());
    match Paused::new(interpreter, socket.into(), mask) {
        Ok(paused) => {
            let NewProcess { mut interpreter, notes, mask, run } = paused.until_run();
            run.carry_out(&mut interpreter, notes, &mask)
        }
        Err(_) => sys::exit_now(1),
    }
}

/// A process that was forked from a paused one, and is about to become a run.
pub(crate) struct NewProcess<I> {
    pub(crate) interpreter: I,
    /// Where it may tell its notes.
    pub(crate) notes: Option<OwnedFd>,
    /// The signal mask of an ordinary process here.
    pub(crate) mask: SigSet,
    pub(crate) run: NewRun,
}

/// A process that waits for commands.
pub(crate) struct Paused<I> {
    interpreter: I,
    channel: Channel<Report, Command>,
    child_ended: SignalFd,
    /// The signal mask of an ordinary process here; runs get it back.
    mask: SigSet,
    runs: HashMap<Pid, RunId>,
    /// Snapshots forked from here that have not ended.
    snapshots: Vec<Pid>,
    /// What this process was like after the last import, if it has not forked since.
    state: Option<State>,
    /// Where runs tell their notes.
    notes: Option<OwnedFd>,
    /// What modules have left running that are in this process all the same.
    tolerated: Vec<Pid>,
}

/// What the process is after a command.
enum Next {
    Paused,
    Run(Box<NewRun>),
    Spare(OwnedFd),
    Snapshot(OwnedFd),
}

impl<I: Interpreter> Paused<I> {
    pub(crate) fn new(interpreter: I, channel: Channel<Report, Command>, mask: SigSet) -> nix::Result<Self> {
        let mut blocked = SigSet::from_iter(JOB_SIGNALS);
        blocked.add(Signal::SIGCHLD);
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&blocked), None)?;
        let child_ended = SignalFd::with_flags(
            &SigSet::from(Signal::SIGCHLD),
            SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK,
        )?;
        // What a run leaves behind comes here instead of to init.
        set_child_subreaper(true)?;
        // Between commands the end of the stream tells that the supervisor is gone, and then there may be
        // runs to clean up after. A signal would leave no time for that.
        set_pdeathsig(None)?;
        Ok(Self {
            interpreter,
            channel,
            child_ended,
            mask,
            runs: HashMap::new(),
            snapshots: Vec::new(),
            state: None,
            notes: None,
            tolerated: Vec::new(),
        })
    }

    /// Does what the supervisor says until it retires this process or goes away. Returns in the processes that are forked
    /// to be runs, and in no other.
    pub(crate) fn until_run(mut self) -> NewProcess<I> {
        self.tell(&Report::Ready { hello: Hello::OURS, pid: getpid().as_raw() });
        loop {
            match self.wait() {
                Ok(Next::Paused) => {}
                Err(_) => end(&[]),
                Ok(Next::Run(run)) => return self.become_run(|| *run),
                Ok(Next::Spare(jobs)) => {
                    // Whoever has a job already has no time for a rehearsal.
                    if !has_something(&jobs) {
                        self.interpreter.warm_up();
                        // If it fails, that costs time later, and nothing else.
                        let _ = NewRun::rehearse();
                    }
                    return self.become_run(|| NewRun::from_job(jobs));
                }
                Ok(Next::Snapshot(socket)) => {
                    let notes = self.notes.take();
                    match Self::new(self.interpreter, socket.into(), self.mask) {
                        Ok(snapshot) => self = Self { notes, ..snapshot },
                        Err(_) => sys::exit_now(1),
                    }
                    self.tell(&Report::Ready { hello: Hello::OURS, pid: getpid().as_raw() });
                }
            }
        }
    }

    /// Tells the supervisor something, or ends if it is gone.
    pub(crate) fn tell(&mut self, report: &Report) {
        if self.channel.send(report, Vec::new()).is_err() {
            end(&[]);
        }
    }

    /// Waits for a command or the end of a child, and acts on it.
    fn wait(&mut self) -> Result<Next, ChannelError> {
        let mut sources = [
            PollFd::new(self.channel.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.child_ended.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut sources, PollTimeout::NONE) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(ChannelError::Socket(error.into())),
        }
        let ready = |source: &PollFd<'_>| source.any().unwrap_or(false);
        let (command, child) = (ready(&sources[0]), ready(&sources[1]));
        if child {
            while matches!(self.child_ended.read_signal(), Ok(Some(_))) {}
            self.reap()?;
        }
        if command {
            while let Some(received) = self.channel.try_receive()? {
                match self.obey(received)? {
                    Next::Paused => {}
                    next => return Ok(next),
                }
            }
        }
        Ok(Next::Paused)
    }

    fn obey(&mut self, received: Received<Command>) -> Result<Next, ChannelError> {
        let Received { message, mut descriptors } = received;
        match message {
            Command::Prepare(preparation) => {
                self.notes = descriptors.pop();
                self.interpreter.prepare(*preparation);
            }
            Command::Import { module, forced, written } => self.import(module, forced, written)?,
            Command::Settle => {
                let loaded = self.interpreter.settle();
                self.channel.send(&Report::Settled(loaded), Vec::new())?;
                // The report, too, was made of thousands of small pieces.
                sys::tidy_heap();
            }
            Command::Fork { snapshot } => {
                let socket = descriptors.pop().ok_or(ChannelError::Descriptors)?;
                return self.fork_snapshot(snapshot, socket);
            }
            Command::Run(job) => return self.fork_run(*job, descriptors),
            Command::Spare { run } => {
                let jobs = descriptors.pop().ok_or(ChannelError::Descriptors)?;
                return self.fork_bound(run, || Next::Spare(jobs));
            }
            Command::Sweep { run } => {
                let marked = |pid| processes::is_marked(pid, run);
                processes::sweep(getpid(), &[], marked, SWEEP_LIMIT);
                self.reap()?;
                self.channel.send(&Report::Swept { run }, Vec::new())?;
            }
            Command::Retire { snapshots } => {
                let keep: Vec<_> = snapshots.into_iter().map(Pid::from_raw).collect();
                end(&keep);
            }
        }
        Ok(Next::Paused)
    }

    fn import(&mut self, module: String, forced: bool, written: u32) -> Result<(), ChannelError> {
        self.bind_to_parent()?;
        // It may start programs, which are to find SIGCHLD as any program does, and it may end them and wait for them.
        let for_programs = SigSet::from_iter([Signal::SIGCHLD, Signal::SIGTERM]);
        let _ = sigprocmask(SigmaskHow::SIG_UNBLOCK, Some(&for_programs), None);
        let before = self.state.take().unwrap_or_else(State::look);
        let started = Instant::now();
        let outcome = self.interpreter.import(&module, usize::try_from(written).unwrap_or(usize::MAX));
        let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let after = State::look();
        let known = [self.snapshots.as_slice(), self.tolerated.as_slice()].concat();
        let outcome = judged(outcome, after.effects_since(&before, &known), forced);
        if let ImportOutcome::Imported { effects } = &outcome {
            self.tolerated.extend(effects.iter().flat_map(left_processes));
        }
        let _ = sigprocmask(SigmaskHow::SIG_BLOCK, Some(&for_programs), None);
        let _ = set_pdeathsig(None);
        self.reap()?;
        let threads = after.threads_beside();
        self.state = Some(after);
        self.channel.send(&Report::Imported { module, micros, outcome, threads }, Vec::new())
    }

    /// Makes this process die with its parent, for as long as imported code may keep it from noticing that the stream
    /// has ended.
    ///
    /// Its parent is the supervisor, or a snapshot below it that ends with the supervisor.
    fn bind_to_parent(&self) -> Result<(), ChannelError> {
        let failed = |error: nix::errno::Errno| ChannelError::Socket(error.into());
        set_pdeathsig(Signal::SIGKILL).map_err(failed)?;
        // The signal is not sent for a parent that had ended before; but then the stream has ended as well, which is
        // reported without being asked for (POLLHUP).
        let mut stream = [PollFd::new(self.channel.as_fd(), PollFlags::empty())];
        match poll(&mut stream, PollTimeout::ZERO).map_err(failed)? {
            0 => Ok(()),
            _ => Err(ChannelError::Closed),
        }
    }

    fn fork(&mut self) -> std::io::Result<Forked> {
        // Pools end at a fork, and the new process is a child.
        self.state = None;
        sys::flush_c_streams();
        self.interpreter.before_fork();
        let forked = sys::fork();
        match forked {
            Ok(Forked::Child) => {}
            Ok(Forked::Parent { .. }) | Err(_) => self.interpreter.after_fork_in_parent(),
        }
        forked
    }

    fn fork_snapshot(&mut self, snapshot: SnapshotId, socket: OwnedFd) -> Result<Next, ChannelError> {
        let forked = self.fork().and_then(|forked| match forked {
            Forked::Parent { child } => Ok(Some((child, handle_of_child(child)?))),
            Forked::Child => Ok(None),
        });
        match forked {
            Ok(None) => {
                self.interpreter.after_fork_in_child();
                return Ok(Next::Snapshot(socket));
            }
            Ok(Some((child, handle))) => {
                self.snapshots.push(child);
                self.channel.send(&Report::Forked { snapshot, pid: child.as_raw() }, vec![handle])?;
            }
            Err(error) => {
                let message = error.to_string();
                self.channel.send(&Report::ForkFailed { run: None, message }, Vec::new())?;
            }
        }
        Ok(Next::Paused)
    }

    fn fork_run(&mut self, job: Job, descriptors: Vec<OwnedFd>) -> Result<Next, ChannelError> {
        let run = job.run;
        match NewRun::new(job, descriptors) {
            Ok(new) => self.fork_bound(run, || Next::Run(Box::new(new))),
            Err(error) => self.fork_failed(run, &error),
        }
    }

    /// Forks what will be `run`. The new process goes on as `next` says.
    fn fork_bound(&mut self, run: RunId, next: impl FnOnce() -> Next) -> Result<Next, ChannelError> {
        let snapshot = getpid();
        let forked = self.fork().and_then(|forked| match forked {
            Forked::Parent { child } => Ok(Some((child, handle_of_child(child)?))),
            Forked::Child => Ok(None),
        });
        match forked {
            Ok(None) => {
                run::bind(run, snapshot);
                self.interpreter.after_fork_in_child();
                Ok(next())
            }
            Ok(Some((child, handle))) => {
                self.runs.insert(child, run);
                self.channel.send(&Report::Started { run, pid: child.as_raw() }, vec![handle])?;
                Ok(Next::Paused)
            }
            Err(error) => self.fork_failed(run, &error),
        }
    }

    fn fork_failed(&mut self, run: RunId, error: &std::io::Error) -> Result<Next, ChannelError> {
        let message = error.to_string();
        self.channel.send(&Report::ForkFailed { run: Some(run), message }, Vec::new())?;
        Ok(Next::Paused)
    }

    fn become_run(self, next: impl FnOnce() -> NewRun) -> NewProcess<I> {
        let Self { interpreter, channel, child_ended, mask, notes, .. } = self;
        drop((channel, child_ended));
        NewProcess { interpreter, notes, mask, run: next() }
    }

    /// Collects children that have ended, and reports those that were runs.
    fn reap(&mut self) -> Result<(), ChannelError> {
        loop {
            let (pid, status) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => (pid, ExitStatus::Exited(code)),
                Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, ExitStatus::Signaled(signal as i32)),
                Ok(WaitStatus::StillAlive) | Err(_) => return Ok(()),
                Ok(_) => continue,
            };
            self.snapshots.retain(|snapshot| *snapshot != pid);
            if let Some(run) = self.runs.remove(&pid) {
                self.channel.send(&Report::Ended { run, status }, Vec::new())?;
            }
        }
    }
}

/// Whether there is something to read, be it the end.
fn has_something(socket: &OwnedFd) -> bool {
    let mut sources = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
    poll(&mut sources, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}

/// What became of an import that the interpreter describes as `outcome` and that had these `effects`, as seen from outside.
fn judged(outcome: ImportOutcome, effects: Vec<Effect>, forced: bool) -> ImportOutcome {
    match outcome {
        ImportOutcome::Failed { failure, left_traces } => {
            ImportOutcome::Failed { failure, left_traces: left_traces || !effects.is_empty() }
        }
        ImportOutcome::Imported { effects: mut all } => {
            for effect in effects {
                // The interpreter may have noticed the same.
                if !all.contains(&effect) {
                    all.push(effect);
                }
            }
            if all.is_empty() || forced {
                return ImportOutcome::Imported { effects: all };
            }
            let failure = ImportFailure::Effects { effects: all };
            ImportOutcome::Failed { failure, left_traces: true }
        }
    }
}

fn left_processes(effect: &Effect) -> Vec<Pid> {
    match effect {
        Effect::Processes { pids } => pids.iter().copied().map(Pid::from_raw).collect(),
        _ => Vec::new(),
    }
}

/// Ends this process, and before it everything below it but the snapshots in `keep`.
fn end(keep: &[Pid]) -> ! {
    processes::yield_to_others();
    processes::sweep(getpid(), keep, |_| true, SWEEP_LIMIT);
    sys::exit_now(0)
}

/// A descriptor for a process just forked. If there is none to be had, the process is not kept either: nobody
/// could ever signal it safely.
fn handle_of_child(child: Pid) -> std::io::Result<OwnedFd> {
    processes::handle(child).inspect_err(|_| {
        let _ = nix::sys::signal::kill(child, Signal::SIGKILL);
    })
}
