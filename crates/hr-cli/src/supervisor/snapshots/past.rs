//! The pasts of runs: checkpoints that they have left, and from which of them the next run goes on.
//!
//! A run has a line of stretches behind it, each with what the program has consumed from one checkpoint to the next. A
//! checkpoint stands on all stretches before it. Which of them are kept is decided here; that they end is the tree's
//! business.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use hr_forkserver::protocol::{
    Call, Checkpoint, Checkpointing, ImportsOver, ProcessContext, Program, Resumed, RunId, SnapshotId,
    SnapshotRole, Work,
};
use nix::unistd::isatty;
use rustix::fs::fstat;

use super::consumed::Consumed;
use super::thinning::{self, Kept};
use crate::supervisor::watch::Watch;

/// How many files count as edited lately.
const EDITED_LATELY: usize = 4;

/// Of how many kinds of runs checkpoints are kept.
const MAX_KINDS: usize = 3;

/// How many kinds of runs are remembered.
const KNOWN_KINDS: usize = 32;

/// What checkpoints cost at the least (`_cost.py`), as the time that imports must take for each percent that they may be
/// lengthened by.
const LEAST_COST: Duration = Duration::from_millis(100);

/// What a checkpoint must save, as a multiple of what it costs (`_checkpoints.py`).
const PAYS_OFF: u32 = 3;

/// Everything that a program can see of its beginning but files. What was begun in another way has another past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    context: ProcessContext,
    begins: Begins,
    /// Device and inode of the working directory.
    directory: (u64, u64),
    /// Which standard streams are terminals.
    terminals: Vec<bool>,
}

impl Kind {
    /// That of a call with its `descriptors`; none for a function that is imported from nowhere.
    pub(crate) fn of(call: &Call, descriptors: &[OwnedFd]) -> Option<Self> {
        let begins = match &call.work {
            Work::Program { program, reloaded, early, entry, changed: _ } => Begins::Program {
                program: program.clone(),
                reloaded: *reloaded,
                early: *early,
                entry: entry.clone(),
            },
            Work::Function { payload: _, module } => Begins::Module(module.clone()?),
        };
        let directory = fstat(descriptors.first()?).ok()?;
        let streams =
            descriptors.iter().skip(2).take(call.context.stdio.iter().filter(|open| **open).count());
        Some(Self {
            context: call.context.clone(),
            begins,
            directory: (directory.st_dev, directory.st_ino),
            terminals: streams.map(|stream| isatty(stream).unwrap_or_default()).collect(),
        })
    }
}

/// What a run executes first.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Begins {
    Program {
        program: Program,
        reloaded: bool,
        early: bool,
        entry: Option<String>,
    },
    /// The module of the function that it calls, whichever that is and with whatever arguments.
    Module(String),
}

/// What is known of the runs of a kind.
#[derive(Debug)]
struct Known {
    kind: Rc<Kind>,
    /// How many modules they have loaded in the end.
    modules: Option<u32>,
    /// How long that has taken.
    takes: Option<Duration>,
    /// Files were edited since then.
    is_edited: bool,
    /// What a checkpoint costs them.
    cost: Option<Duration>,
}

/// What a run has behind it.
#[derive(Clone, Debug)]
struct Line {
    kind: Rc<Kind>,
    /// The template below.
    template: SnapshotId,
    stretches: Vec<Rc<Consumed>>,
    /// When this run began, or went on.
    began: SystemTime,
    /// Whether it may leave another checkpoint.
    open: bool,
}

/// A checkpoint.
#[derive(Debug)]
struct Waiting {
    line: Line,
    file: OsString,
    resumed: Resumed,
}

/// What has become of checkpoints.
#[derive(Debug, Default)]
pub(crate) struct SortedOut {
    /// All that went into these is what it was.
    pub(crate) current: Vec<SnapshotId>,
    pub(crate) outdated: Vec<SnapshotId>,
    /// What they have consumed and has changed.
    pub(crate) changed: BTreeSet<OsString>,
}

/// A program that is started again after an edit may be lengthened by this part of what its first start may be. Somebody waits
/// for it each time, and most of what it would leave is for files that are not edited next; those that were edited lately have
/// a checkpoint of their own in any case.
const RESTART_SHARE: u32 = 3;

/// All of them.
#[derive(Debug)]
pub(crate) struct Past {
    watch: Watch,
    runs: BTreeMap<RunId, Line>,
    /// Checkpoints that were heard of before one that they stand on, by their place in the line of their run.
    early: BTreeMap<(RunId, u32), (SnapshotId, Checkpoint)>,
    waiting: BTreeMap<SnapshotId, Waiting>,
    /// The kind that was run last is at the end.
    kinds: Vec<Known>,
    /// Files that were edited lately, the last one at the end.
    edited: VecDeque<OsString>,
}

impl Past {
    /// Nothing was run yet. What happens to what will have been consumed is heard from `watch`.
    pub(crate) fn new(watch: Watch) -> Self {
        Self {
            watch,
            runs: BTreeMap::new(),
            early: BTreeMap::new(),
            waiting: BTreeMap::new(),
            kinds: Vec::new(),
            edited: VecDeque::new(),
        }
    }

    /// Where a run of `kind` is to leave checkpoints, now that some files were edited. Nowhere if that is not worth it: its
    /// imports take too little time, or another run is at it.
    pub(crate) fn checkpointing(&self, kind: &Kind, checkpointing: &Checkpointing) -> Option<Checkpointing> {
        let known = self.kinds.iter().find(|known| *known.kind == *kind);
        let is_call = matches!(kind.begins, Begins::Module(_));
        let takes_less =
            |least: Duration| known.and_then(|known| known.takes).is_some_and(|takes| takes < least);
        if is_call {
            let least = LEAST_COST / checkpointing.overhead.max(1);
            let busy = self.runs.values().any(|line| line.open && *line.kind == *kind);
            if busy || (takes_less(least) && known.is_some_and(|known| !known.is_edited)) {
                return None;
            }
        } else if takes_less(self.price(kind, checkpointing.overhead) * PAYS_OFF) {
            return None;
        }
        let starts_again = known.is_some_and(|known| known.modules.is_some()) && !is_call;
        let share = if starts_again { RESTART_SHARE } else { 1 };
        Some(Checkpointing {
            edited: self.edited.iter().cloned().collect(),
            overhead: checkpointing.overhead.div_ceil(share),
            cost: known.and_then(|known| known.cost).and_then(|cost| u64::try_from(cost.as_micros()).ok()),
            ..checkpointing.clone()
        })
    }

    /// Takes note of files that were edited.
    pub(crate) fn edited(&mut self, files: impl IntoIterator<Item = OsString>) {
        for file in files {
            self.edited.retain(|known| *known != file);
            self.edited.push_back(file);
            self.kinds.iter_mut().for_each(|known| known.is_edited = true);
        }
        let surplus = self.edited.len().saturating_sub(EDITED_LATELY);
        self.edited.drain(..surplus);
    }

    /// The checkpoints that runs of `kind` have left, the one that saves most first.
    pub(crate) fn of_kind(&self, kind: &Kind) -> Vec<SnapshotId> {
        let of_kind = self.waiting.iter().filter(|(_, waiting)| *waiting.line.kind == *kind);
        let mut found: Vec<_> = of_kind.map(|(id, waiting)| (waiting.resumed.micros, *id)).collect();
        found.sort_unstable();
        found.into_iter().rev().map(|(_, id)| id).collect()
    }

    /// Whether a file is known to be consumed, at some point, by runs of `kind` that have left checkpoints.
    pub(crate) fn is_consumed(&self, kind: &Kind, file: &OsStr) -> bool {
        let of_kind = self.waiting.values().filter(|waiting| *waiting.line.kind == *kind);
        of_kind.flat_map(|waiting| &waiting.line.stretches).any(|stretch| stretch.contains(file))
    }

    /// The template that `checkpoint` stands on.
    pub(crate) fn template_of(&self, checkpoint: SnapshotId) -> Option<SnapshotId> {
        self.waiting.get(&checkpoint).map(|waiting| waiting.line.template)
    }

    /// How long the program had taken to come to `checkpoint`.
    pub(crate) fn saves(&self, checkpoint: SnapshotId) -> Duration {
        let micros = self.waiting.get(&checkpoint).map(|waiting| waiting.resumed.micros);
        Duration::from_micros(micros.unwrap_or_default())
    }

    /// Whether a run of `kind` that goes on from `checkpoint` is quicker than one from the template. It copies about as much memory
    /// as was copied when the checkpoint was made; at the price that checkpoints may have, it does not matter.
    pub(crate) fn is_quicker(&self, kind: &Kind, checkpoint: SnapshotId, overhead: u32) -> bool {
        self.saves(checkpoint) >= self.price(kind, overhead)
    }

    /// What a checkpoint costs a run of `kind`, as far as that is known and matters.
    fn price(&self, kind: &Kind, overhead: u32) -> Duration {
        let known = self.kinds.iter().find(|known| *known.kind == *kind);
        let cost = known.and_then(|known| known.cost).unwrap_or_default();
        cost.min(cost * 100 / overhead.max(1))
    }

    /// What `checkpoint` is for.
    pub(crate) fn role(&self, checkpoint: SnapshotId) -> Option<SnapshotRole> {
        let Waiting { file, resumed, .. } = self.waiting.get(&checkpoint)?;
        Some(SnapshotRole::Checkpoint {
            module: resumed.module.clone(),
            call: file.is_empty(),
            modules: resumed.kept,
            saves: Duration::from_micros(resumed.micros),
        })
    }

    /// Tells apart those of `checkpoints` for which all that went into them is what it was. `stands` says so of a template.
    /// What many of them have in common is compared once.
    pub(crate) fn sorted_out(
        &self,
        checkpoints: Vec<SnapshotId>,
        stands: impl Fn(SnapshotId) -> bool,
    ) -> SortedOut {
        let mut templates = BTreeMap::new();
        let mut stretches: BTreeMap<*const Consumed, bool> = BTreeMap::new();
        let mut sorted = SortedOut::default();
        for id in checkpoints {
            let Some(Waiting { line, .. }) = self.waiting.get(&id) else { continue };
            let on_template = *templates.entry(line.template).or_insert_with(|| stands(line.template));
            let on_stretches = line.stretches.iter().all(|stretch| {
                *stretches.entry(Rc::as_ptr(stretch)).or_insert_with(|| {
                    let current = stretch.is_current();
                    if !current {
                        sorted.changed.extend(stretch.changed());
                    }
                    current
                })
            });
            if on_template && on_stretches { &mut sorted.current } else { &mut sorted.outdated }.push(id);
        }
        sorted
    }

    /// A run of `kind` begins in `template`, or goes on from `checkpoint`. `leaves` tells whether it leaves others.
    pub(crate) fn begins(
        &mut self,
        run: RunId,
        kind: Kind,
        template: SnapshotId,
        checkpoint: Option<SnapshotId>,
        leaves: bool,
    ) {
        let known = self.kinds.iter().position(|known| *known.kind == kind);
        let known = known.map(|index| self.kinds.remove(index));
        let known = known.unwrap_or_else(|| Known {
            kind: Rc::new(kind),
            modules: None,
            takes: None,
            is_edited: false,
            cost: None,
        });
        let kind = Rc::clone(&known.kind);
        self.kinds.push(known);
        // The oldest have no checkpoints any more.
        self.kinds.drain(..self.kinds.len().saturating_sub(KNOWN_KINDS));
        let behind = checkpoint.and_then(|checkpoint| self.waiting.get(&checkpoint));
        let stretches = behind.map(|waiting| waiting.line.stretches.clone()).unwrap_or_default();
        self.runs.insert(run, Line { kind, template, stretches, began: SystemTime::now(), open: leaves });
    }

    /// A run is over. Returns checkpoints of it that are of no use: what they stand on has not been told.
    pub(crate) fn ends(&mut self, run: RunId) -> Vec<SnapshotId> {
        self.runs.remove(&run);
        let mut useless = Vec::new();
        self.early.retain(|(of, _), (id, _)| {
            if *of == run {
                useless.push(*id);
            }
            *of != run
        });
        useless
    }

    /// Where a run that goes on from `checkpoint` finds itself.
    pub(crate) fn resumed(&self, checkpoint: SnapshotId) -> Option<Resumed> {
        let waiting = self.waiting.get(&checkpoint)?;
        let of = self.known(&waiting.line.kind).and_then(|known| known.modules);
        Some(Resumed { of, ..waiting.resumed.clone() })
    }

    /// Takes in a checkpoint. Returns whether it may be worth keeping.
    ///
    /// One that stands on something that nobody has told of would not know when it is out of date. Each tells for itself, so
    /// it may only have been quicker than the one before, and waits for that.
    pub(crate) fn add(&mut self, id: SnapshotId, run: RunId, checkpoint: Checkpoint) -> bool {
        let Some(line) = self.runs.get(&run) else { return false };
        if !self.kinds.iter().any(|known| Rc::ptr_eq(&known.kind, &line.kind)) {
            return false;
        }
        let mut next = line.stretches.len();
        if usize::try_from(checkpoint.number).is_ok_and(|number| number < next) {
            return false;
        }
        self.early.insert((run, checkpoint.number), (id, checkpoint));
        while let Ok(number) = u32::try_from(next)
            && let Some((id, checkpoint)) = self.early.remove(&(run, number))
        {
            self.append(id, run, checkpoint);
            next += 1;
        }
        true
    }

    /// Takes in the next checkpoint of a run.
    fn append(&mut self, id: SnapshotId, run: RunId, checkpoint: Checkpoint) {
        let Some(line) = self.runs.get_mut(&run) else { return };
        let Checkpoint { number: _, module, file, micros, modules, mut loaded } = checkpoint;
        for stretch in &line.stretches {
            stretch.leave_out_of(&mut loaded);
        }
        let sys_path = &line.kind.context.sys_path;
        line.stretches.push(Rc::new(Consumed::new(loaded, sys_path, line.began, &self.watch)));
        let resumed = Resumed { module, kept: modules, of: None, micros };
        self.waiting.insert(id, Waiting { line: line.clone(), file, resumed });
    }

    /// A run will leave no more checkpoints.
    pub(crate) fn imports_over(&mut self, over: &ImportsOver) {
        let Some(line) = self.runs.get_mut(&over.run) else { return };
        line.open = false;
        if let Some(known) = self.kinds.iter_mut().find(|known| Rc::ptr_eq(&known.kind, &line.kind)) {
            known.modules = Some(over.modules);
            known.takes = Some(Duration::from_micros(over.micros));
            known.is_edited = false;
            known.cost = over.cost.map(Duration::from_micros).or(known.cost);
        }
    }

    /// A checkpoint is no more.
    pub(crate) fn remove(&mut self, checkpoint: SnapshotId) {
        self.waiting.remove(&checkpoint);
        self.early.retain(|_, (id, _)| *id != checkpoint);
    }

    /// The templates that checkpoints stand on.
    pub(crate) fn templates(&self) -> impl Iterator<Item = SnapshotId> {
        self.waiting.values().map(|waiting| waiting.line.template)
    }

    /// Checkpoints that stand on something else than `templates`.
    pub(crate) fn without_template(&self, exists: impl Fn(SnapshotId) -> bool) -> Vec<SnapshotId> {
        let without = self.waiting.iter().filter(|(_, waiting)| !exists(waiting.line.template));
        without.map(|(id, _)| *id).collect()
    }

    /// Checkpoints that are too many: `most` of each kind are kept.
    pub(crate) fn surplus(&self, most: u32) -> Vec<SnapshotId> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let kinds = self.kinds.iter().rev().map(|known| &known.kind);
        let mut surplus = Vec::new();
        for (index, kind) in kinds.enumerate() {
            let mut kept = self.kept(kind);
            let limit = if index < MAX_KINDS { most } else { 0 };
            while kept.len() > limit {
                let Some(index) = thinning::least_useful(&kept) else { break };
                surplus.push(kept.remove(index).id);
            }
        }
        surplus
    }

    /// The checkpoint that is missed least, of those whose kind was not run for longest.
    pub(crate) fn least_useful(&self) -> Option<SnapshotId> {
        self.kinds.iter().find_map(|known| {
            let kept = self.kept(&known.kind);
            thinning::least_useful(&kept).map(|index| kept[index].id)
        })
    }

    fn known(&self, kind: &Rc<Kind>) -> Option<&Known> {
        self.kinds.iter().find(|known| Rc::ptr_eq(&known.kind, kind))
    }

    fn kept(&self, kind: &Rc<Kind>) -> Vec<Kept> {
        let of_kind = self.waiting.iter().filter(|(_, waiting)| Rc::ptr_eq(&waiting.line.kind, kind));
        let mut kept: Vec<_> = of_kind
            .map(|(id, waiting)| Kept {
                id: *id,
                at: Duration::from_micros(waiting.resumed.micros),
                is_edited: self.edited.contains(&waiting.file),
            })
            .collect();
        kept.sort_unstable_by_key(|kept| (kept.at, kept.id));
        kept
    }

    /// All of them.
    pub(crate) fn ids(&self) -> impl Iterator<Item = SnapshotId> {
        self.waiting.keys().copied()
    }

    /// Whether something has yet to be compared for the first time, which takes longer than later.
    pub(crate) fn are_new(&self) -> bool {
        self.stretches().any(|stretch| !stretch.is_watched())
    }

    /// Compares it, so that it is done when it counts.
    pub(crate) fn look(&self) {
        self.stretches().filter(|stretch| !stretch.is_watched()).for_each(|stretch| stretch.look());
    }

    fn stretches(&self) -> impl Iterator<Item = &Rc<Consumed>> {
        self.waiting.values().filter_map(|waiting| waiting.line.stretches.last())
    }
}

#[cfg(test)]
mod tests;
