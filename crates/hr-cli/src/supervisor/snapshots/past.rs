//! The pasts of runs: checkpoints that they have left, and from which of them the next run goes on.
//!
//! A run has a line of stretches behind it, each with what the program has consumed from one checkpoint to the next. A
//! checkpoint stands on all stretches before it. Which of them are kept is decided here; that they end is the tree's
//! business.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use hr_forkserver::protocol::{
    Checkpoint, Checkpointing, ImportsOver, Resumed, RunId, SnapshotId, SnapshotRole,
};

use super::Kind;
use super::consumed::Consumed;
use super::known_kinds::KnownKinds;
use super::thinning::{self, Kept};
use crate::supervisor::watch::Watch;

/// How many files count as edited lately.
const EDITED_LATELY: usize = 4;

/// Of how many kinds of runs checkpoints are kept.
const MAX_KINDS: usize = 3;

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
    /// Whether it has told that its imports are over.
    told: bool,
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

/// All of them.
#[derive(Debug)]
pub(crate) struct Past {
    watch: Watch,
    runs: BTreeMap<RunId, Line>,
    /// Checkpoints that were heard of before one that they stand on, by their place in the line of their run.
    early: BTreeMap<(RunId, u32), (SnapshotId, Checkpoint)>,
    waiting: BTreeMap<SnapshotId, Waiting>,
    kinds: KnownKinds,
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
            kinds: KnownKinds::default(),
            edited: VecDeque::new(),
        }
    }

    /// The kind of a run that is not over.
    pub(crate) fn kind_of(&self, run: RunId) -> Option<Rc<Kind>> {
        self.runs.get(&run).map(|line| Rc::clone(&line.kind))
    }

    /// Where a run of `kind` is to leave checkpoints if its client has `wanted` that. Nowhere if that is not worth it.
    pub(crate) fn checkpointing(&self, kind: &Kind, wanted: &Checkpointing) -> Option<Checkpointing> {
        let busy = self.runs.values().any(|line| line.open && *line.kind == *kind);
        self.kinds.checkpointing(kind, wanted, self.edited.iter().cloned().collect(), busy)
    }

    /// Takes note of files that were edited.
    pub(crate) fn edited(&mut self, files: impl IntoIterator<Item = OsString>) {
        for file in files {
            self.edited.retain(|known| *known != file);
            self.edited.push_back(file);
            self.kinds.edited();
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
        self.saves(checkpoint) >= self.kinds.price(kind, overhead)
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

    /// What `checkpoint` has consumed and has changed: files and directories, or else names of modules.
    pub(crate) fn changed_below(&self, checkpoint: SnapshotId) -> Vec<OsString> {
        let stretches = self.waiting.get(&checkpoint).map(|waiting| waiting.line.stretches.as_slice());
        let stretches = stretches.unwrap_or_default();
        let files: Vec<_> = stretches.iter().flat_map(|stretch| stretch.changed()).collect();
        let moved = || stretches.iter().flat_map(|stretch| stretch.moved()).map(OsString::from).collect();
        if files.is_empty() { moved() } else { files }
    }

    /// A run of `kind` begins in `template`, or goes on from `checkpoint`. It may leave others as `checkpointing` says.
    pub(crate) fn begins(
        &mut self,
        run: RunId,
        kind: Kind,
        template: SnapshotId,
        checkpoint: Option<SnapshotId>,
        checkpointing: Option<&Checkpointing>,
    ) {
        let expected = checkpointing.and_then(|checkpointing| checkpointing.cost);
        let kind = self.kinds.begins(kind, expected);
        let behind = checkpoint.and_then(|checkpoint| self.waiting.get(&checkpoint));
        let stretches = behind.map(|waiting| waiting.line.stretches.clone()).unwrap_or_default();
        self.runs.insert(
            run,
            Line {
                kind,
                template,
                stretches,
                began: SystemTime::now(),
                open: checkpointing.is_some(),
                told: false,
            },
        );
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
        let of = self.kinds.modules(&waiting.line.kind);
        Some(Resumed { of, ..waiting.resumed.clone() })
    }

    /// Takes in a checkpoint. Returns whether it may be worth keeping.
    ///
    /// One that stands on something that nobody has told of would not know when it is out of date. Each tells for itself, so
    /// it may only have been quicker than the one before, and waits for that.
    pub(crate) fn add(&mut self, id: SnapshotId, run: RunId, checkpoint: Checkpoint) -> bool {
        let Some(line) = self.runs.get(&run) else { return false };
        if !self.kinds.knows(&line.kind) {
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
        let sys_path = line.kind.sys_path();
        line.stretches.push(Rc::new(Consumed::new(loaded, sys_path, line.began, &self.watch)));
        let resumed = Resumed { module, kept: modules, of: None, micros };
        self.waiting.insert(id, Waiting { line: line.clone(), file, resumed });
    }

    /// A run will leave no more checkpoints.
    pub(crate) fn imports_over(&mut self, over: &ImportsOver) {
        let Some(line) = self.runs.get_mut(&over.run) else { return };
        line.open = false;
        let is_first = !std::mem::replace(&mut line.told, true);
        self.kinds.imports_over(&line.kind, over, is_first);
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
        let mut surplus = Vec::new();
        for (index, kind) in self.kinds.iter().rev().enumerate() {
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
        self.kinds.iter().find_map(|kind| {
            let kept = self.kept(kind);
            thinning::least_useful(&kept).map(|index| kept[index].id)
        })
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
