//! Building a template: a [`Transaction`] carried out by processes.

mod template;

use std::time::{Duration, Instant, SystemTime};

use hr_protocol::{
    AttemptEnd, BuildEvent, Command, ExitStatus, FailedAttempt, ImportOutcome, Loaded, SnapshotId,
};

pub use self::template::{BuildError, Plan, Template};
use crate::chronicle::Chronicle;
use crate::launch::Launch;
use crate::transaction::{Cause, Step, Transaction, Verdict};
use crate::tree::{SnapshotTree, TreeEvent};

/// How often in a row the processes of a build may be lost through no fault of a module.
const TRIES: u32 = 3;

/// How far a build has come.
#[derive(Debug)]
pub enum Progress {
    /// More events are needed.
    Working,
    /// It is over.
    Finished(Result<Box<Template>, BuildError>),
}

/// What the build waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    /// The first process to be ready, or the one that takes its place.
    Boot { since: Instant },
    /// A fork of the current process to be ready.
    Fork { snapshot: SnapshotId, role: Role, since: Instant },
    /// An import to end.
    Import { since: Instant },
    /// The current process to end, so that its fallback can go on.
    Death,
    /// The heap to be frozen.
    Settle,
}

/// What a fork of the process under construction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// To go on from if an import fails.
    Fallback,
    /// To be the template: it has one thread only, whatever pools the imports have left in the process it came from.
    Successor,
}

/// A template under construction.
#[derive(Debug)]
pub struct Build {
    plan: Plan,
    transaction: Transaction,
    chronicle: Chronicle,
    current: SnapshotId,
    fallback: Option<SnapshotId>,
    /// What a layer was forked from. As long as it lives it can be forked again, and is as good as a fallback of what
    /// the layer was at first.
    base: Option<SnapshotId>,
    waiting: Waiting,
    /// Whether imports have left threads in the current process.
    has_threads: bool,
    /// What the current process has consumed, once its successor is all that is missing.
    settled: Option<Loaded>,
    tries_left: u32,
    started: Instant,
    began: SystemTime,
    /// Imports that were given up, and how long they took.
    attempts: Vec<FailedAttempt>,
    /// Set when a module is being given up because it took too long.
    timed_out: bool,
}

impl Build {
    /// Starts a template in a new process.
    pub fn boot(tree: &mut SnapshotTree, launch: &Launch, plan: Plan) -> Result<Self, BuildError> {
        let current = tree.boot(launch)?;
        Ok(Self::new(current, None, plan))
    }

    /// Starts a layer: a template that has what `base` has, and `plan.modules` on top.
    pub fn layer(tree: &mut SnapshotTree, base: SnapshotId, plan: Plan) -> Result<Self, BuildError> {
        let current = tree.fork(base)?;
        Ok(Self::new(current, Some(base), plan))
    }

    fn new(current: SnapshotId, base: Option<SnapshotId>, plan: Plan) -> Self {
        Self {
            transaction: Transaction::new(plan.modules.clone()),
            chronicle: Chronicle::new(plan.modules.len()),
            plan,
            current,
            fallback: None,
            base,
            waiting: Waiting::Boot { since: Instant::now() },
            has_threads: false,
            settled: None,
            tries_left: TRIES,
            started: Instant::now(),
            began: SystemTime::now(),
            attempts: Vec::new(),
            timed_out: false,
        }
    }

    /// When [`Build::expired`] must be called, if nothing happens before.
    pub fn deadline(&self) -> Option<Instant> {
        match self.waiting {
            Waiting::Import { since } if !self.timed_out => {
                since.checked_add(self.plan.import_limit.min(self.chronicle.notice()))
            }
            _ => None,
        }
    }

    /// Gives up an import that has taken too long, or tells that it takes long.
    pub fn expired(&mut self, tree: &mut SnapshotTree) {
        let Waiting::Import { since } = self.waiting else { return };
        let (elapsed, limit) = (since.elapsed(), self.plan.import_limit);
        if elapsed >= limit && !self.timed_out {
            self.timed_out = true;
            tree.kill(self.current);
        } else if elapsed >= self.chronicle.notice() && !self.timed_out {
            let module = &self.plan.modules[self.transaction.place()];
            self.chronicle.takes_long(module, limit);
        }
    }

    /// What has happened since it was asked for the last time, one after another.
    pub fn next_event(&mut self) -> Option<BuildEvent> {
        self.chronicle.next_event()
    }

    /// Ends the processes of a build that is no longer wanted.
    pub fn abandon(self, tree: &mut SnapshotTree) {
        tree.kill(self.current);
        if let Some(fallback) = self.fallback {
            tree.kill(fallback);
        }
        if let Waiting::Fork { snapshot, .. } = self.waiting {
            tree.kill(snapshot);
        }
    }

    /// Takes note of an event, and takes the next step.
    pub fn handle(&mut self, tree: &mut SnapshotTree, event: &TreeEvent) -> Progress {
        match (event, self.waiting) {
            (TreeEvent::Ready(id), Waiting::Boot { since }) if *id == self.current => {
                self.began = SystemTime::now();
                if self.base.is_some() {
                    self.transaction.forked(since.elapsed());
                }
                tree.prepare(self.current, self.plan.preparation.clone());
                self.advance(tree)
            }
            (TreeEvent::Ready(id), Waiting::Fork { snapshot, role, since }) if *id == snapshot => {
                self.forked(tree, snapshot, role, since)
            }
            (TreeEvent::Imported { snapshot, elapsed, outcome, threads }, Waiting::Import { .. })
                if *snapshot == self.current && !self.timed_out =>
            {
                self.has_threads = *threads > 0;
                self.imported(tree, *elapsed, outcome)
            }
            (TreeEvent::Settled { snapshot, loaded }, Waiting::Settle) if *snapshot == self.current => {
                self.settled(tree, loaded.clone())
            }
            (TreeEvent::Died { snapshot, status }, _) => self.died(tree, *snapshot, *status),
            _ => Progress::Working,
        }
    }

    fn advance(&mut self, tree: &mut SnapshotTree) -> Progress {
        match self.transaction.step() {
            Step::Fork => return self.fork(tree, Role::Fallback),
            Step::Import(module) => {
                let forced = self.plan.forced.contains(module);
                self.chronicle.begins(self.transaction.place(), module);
                let written = self.plan.written.get(module).copied().unwrap_or(u32::MAX);
                let import = Command::Import { module: module.to_owned(), forced, written };
                tree.tell(self.current, &import);
                self.waiting = Waiting::Import { since: Instant::now() };
            }
            Step::Finished => {
                tree.tell(self.current, &Command::Settle);
                self.waiting = Waiting::Settle;
            }
        }
        Progress::Working
    }

    fn fork(&mut self, tree: &mut SnapshotTree, role: Role) -> Progress {
        match tree.fork(self.current) {
            Ok(snapshot) => self.waiting = Waiting::Fork { snapshot, role, since: Instant::now() },
            Err(error) => return Progress::Finished(Err(error.into())),
        }
        Progress::Working
    }

    fn forked(
        &mut self,
        tree: &mut SnapshotTree,
        snapshot: SnapshotId,
        role: Role,
        since: Instant,
    ) -> Progress {
        match role {
            Role::Fallback => {
                if let Some(old) = self.fallback.replace(snapshot) {
                    tree.retire(old);
                }
                self.transaction.forked(since.elapsed());
            }
            Role::Successor => {
                tree.retire(self.current);
                self.current = snapshot;
                self.has_threads = false;
                if let Some(loaded) = self.settled.take() {
                    return self.finished(tree, loaded);
                }
            }
        }
        self.advance(tree)
    }

    fn imported(&mut self, tree: &mut SnapshotTree, elapsed: Duration, outcome: &ImportOutcome) -> Progress {
        self.tries_left = TRIES;
        match outcome {
            ImportOutcome::Imported { effects } => {
                let place = self.transaction.place();
                self.chronicle.succeeds(place, &self.plan.modules[place], elapsed, effects.clone());
                self.transaction.imported(elapsed);
            }
            ImportOutcome::Failed { failure, left_traces } => {
                let cause = Cause::Failed(failure.clone());
                if self.failed(elapsed, cause, *left_traces) == Verdict::RollBack {
                    self.waiting = Waiting::Death;
                    tree.kill(self.current);
                    return Progress::Working;
                }
            }
        }
        self.advance(tree)
    }

    /// Takes note that the current import fails, after `elapsed`.
    fn failed(&mut self, elapsed: Duration, cause: Cause, left_traces: bool) -> Verdict {
        let place = self.transaction.place();
        let module = &self.plan.modules[place];
        self.chronicle.fails(place, module, &cause);
        let end = match &cause {
            Cause::Failed(failure) => AttemptEnd::Failed(failure.clone()),
            Cause::Died(status) => AttemptEnd::Died(*status),
            Cause::TimedOut(_) => AttemptEnd::TimedOut,
        };
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        self.attempts.push(FailedAttempt { module: module.clone(), micros, end });
        self.transaction.failed(cause, left_traces)
    }

    fn settled(&mut self, tree: &mut SnapshotTree, loaded: Loaded) -> Progress {
        if self.has_threads {
            // Only now: collecting garbage would have copied the heap.
            self.settled = Some(loaded);
            return self.fork(tree, Role::Successor);
        }
        self.finished(tree, loaded)
    }

    fn finished(&mut self, tree: &mut SnapshotTree, mut loaded: Loaded) -> Progress {
        if let Some(fallback) = self.fallback.take() {
            tree.retire(fallback);
        }
        self.chronicle.ends(self.started.elapsed());
        if let Some(profile) = &mut loaded.profile {
            profile.attempts = std::mem::take(&mut self.attempts);
        }
        let transaction = &self.transaction;
        let excluded = transaction.excluded().map(|(module, cause)| (module.to_owned(), cause.clone()));
        Progress::Finished(Ok(Box::new(Template {
            snapshot: self.current,
            modules: transaction.modules().map(str::to_owned).collect(),
            excluded: excluded.collect(),
            loaded,
            began: self.began,
            elapsed: self.started.elapsed(),
        })))
    }

    fn died(&mut self, tree: &mut SnapshotTree, id: SnapshotId, status: ExitStatus) -> Progress {
        if id == self.current {
            return self.current_died(tree, status);
        }
        let is_base = self.base == Some(id);
        if is_base {
            self.base = None;
        }
        if self.fallback == Some(id) || is_base && self.fallback.is_none() {
            self.fallback = None;
            self.transaction.fallback_lost();
        }
        match self.waiting {
            Waiting::Fork { snapshot, .. } if snapshot == id => self.retry(tree, status, Self::advance),
            _ => Progress::Working,
        }
    }

    fn current_died(&mut self, tree: &mut SnapshotTree, status: ExitStatus) -> Progress {
        if let Waiting::Fork { snapshot, .. } = self.waiting {
            // It may be whole, but nobody knows yet.
            tree.kill(snapshot);
        }
        let timed_out = std::mem::take(&mut self.timed_out);
        let innocent = !matches!(self.waiting, Waiting::Import { .. } | Waiting::Death);
        if let Waiting::Import { since } = self.waiting {
            let limit = self.plan.import_limit;
            let cause = if timed_out { Cause::TimedOut(limit) } else { Cause::Died(status) };
            self.failed(since.elapsed(), cause, true);
        }
        let step = match (self.fallback.take(), self.base) {
            (Some(fallback), _) => {
                self.current = fallback;
                Self::advance
            }
            (None, Some(_)) => Self::fork_base,
            (None, None) => return Progress::Finished(Err(BuildError::Interpreter(status))),
        };
        self.has_threads = false;
        self.transaction.rolled_back();
        if innocent { self.retry(tree, status, step) } else { step(self, tree) }
    }

    /// Begins the layer again.
    fn fork_base(&mut self, tree: &mut SnapshotTree) -> Progress {
        let Some(base) = self.base else { return Progress::Working };
        match tree.fork(base) {
            Ok(current) => self.current = current,
            Err(error) => return Progress::Finished(Err(error.into())),
        }
        self.waiting = Waiting::Boot { since: Instant::now() };
        Progress::Working
    }

    fn retry(
        &mut self,
        tree: &mut SnapshotTree,
        status: ExitStatus,
        step: impl FnOnce(&mut Self, &mut SnapshotTree) -> Progress,
    ) -> Progress {
        self.tries_left = self.tries_left.saturating_sub(1);
        if self.tries_left > 0 {
            return step(self, tree);
        }
        tree.kill(self.current);
        Progress::Finished(Err(BuildError::Interpreter(status)))
    }
}
