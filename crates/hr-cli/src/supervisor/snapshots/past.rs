//! The pasts of runs: checkpoints that they have left, and from which of them the next run goes on.
//!
//! A run has a line of stretches behind it, each with what the program has consumed from one checkpoint to the next. A
//! checkpoint stands on all stretches before it. Which of them are kept is decided here; that they end is the tree's
//! business.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use hr_forkserver::protocol::{
    Call, Checkpoint, Checkpointing, ImportsOver, ProcessContext, Program, Resumed, RunId, SnapshotId, Work,
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

/// Everything that a program can see of its beginning but files. What was begun in another way has another past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    context: ProcessContext,
    program: Program,
    reloaded: bool,
    early: bool,
    /// Device and inode of the working directory.
    directory: (u64, u64),
    /// Which standard streams are terminals.
    terminals: Vec<bool>,
}

impl Kind {
    /// That of a call with its `descriptors`; none for a function.
    pub(crate) fn of(call: &Call, descriptors: &[OwnedFd]) -> Option<Self> {
        let Work::Program { program, reloaded, early, changed: _ } = &call.work else { return None };
        let directory = fstat(descriptors.first()?).ok()?;
        let streams = descriptors.iter().skip(2);
        Some(Self {
            context: call.context.clone(),
            program: program.clone(),
            reloaded: *reloaded,
            early: *early,
            directory: (directory.st_dev, directory.st_ino),
            terminals: streams.map(|stream| isatty(stream).unwrap_or_default()).collect(),
        })
    }
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
    waiting: BTreeMap<SnapshotId, Waiting>,
    /// How many modules each kind of run has loaded in the end; the kind that was run last at the end.
    kinds: Vec<(Rc<Kind>, Option<u32>)>,
    /// Files that were edited lately, the last one at the end.
    edited: VecDeque<OsString>,
}

impl Past {
    /// Nothing was run yet. What happens to what will have been consumed is heard from `watch`.
    pub(crate) fn new(watch: Watch) -> Self {
        Self {
            watch,
            runs: BTreeMap::new(),
            waiting: BTreeMap::new(),
            kinds: Vec::new(),
            edited: VecDeque::new(),
        }
    }

    /// Where a run is to leave checkpoints, now that some files were edited.
    pub(crate) fn checkpointing(&self, checkpointing: &Checkpointing) -> Checkpointing {
        Checkpointing { edited: self.edited.iter().cloned().collect(), ..checkpointing.clone() }
    }

    /// Takes note of files that were edited.
    pub(crate) fn edited(&mut self, files: impl IntoIterator<Item = OsString>) {
        for file in files {
            self.edited.retain(|known| *known != file);
            self.edited.push_back(file);
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

    /// A run of `kind` begins in `template`, or goes on from `checkpoint`.
    pub(crate) fn begins(
        &mut self,
        run: RunId,
        kind: Kind,
        template: SnapshotId,
        checkpoint: Option<SnapshotId>,
    ) {
        let known = self.kinds.iter().position(|(known, _)| **known == kind);
        let (kind, modules) = known.map_or_else(|| (Rc::new(kind), None), |index| self.kinds.remove(index));
        self.kinds.push((Rc::clone(&kind), modules));
        let behind = checkpoint.and_then(|checkpoint| self.waiting.get(&checkpoint));
        let stretches = behind.map(|waiting| waiting.line.stretches.clone()).unwrap_or_default();
        self.runs.insert(run, Line { kind, template, stretches, began: SystemTime::now() });
    }

    /// A run is over.
    pub(crate) fn ends(&mut self, run: RunId) {
        self.runs.remove(&run);
    }

    /// Where a run that goes on from `checkpoint` finds itself.
    pub(crate) fn resumed(&self, checkpoint: SnapshotId) -> Option<Resumed> {
        let waiting = self.waiting.get(&checkpoint)?;
        let of = self.kinds.iter().find(|(kind, _)| Rc::ptr_eq(kind, &waiting.line.kind));
        Some(Resumed { of: of.and_then(|(_, modules)| *modules), ..waiting.resumed.clone() })
    }

    /// Takes in a checkpoint. Returns whether it is worth keeping: one that stands on something that nobody has told of
    /// would not know when it is out of date.
    pub(crate) fn add(&mut self, id: SnapshotId, run: RunId, checkpoint: Checkpoint) -> bool {
        let Some(line) = self.runs.get_mut(&run) else { return false };
        let Checkpoint { number, module, file, micros, modules, loaded } = checkpoint;
        if usize::try_from(number) != Ok(line.stretches.len()) {
            return false;
        }
        let mut loaded = loaded;
        for stretch in &line.stretches {
            stretch.leave_out_of(&mut loaded);
        }
        let sys_path = &line.kind.context.sys_path;
        line.stretches.push(Rc::new(Consumed::new(loaded, sys_path, line.began, &self.watch)));
        let resumed = Resumed { module, kept: modules, of: None, micros };
        self.waiting.insert(id, Waiting { line: line.clone(), file, resumed });
        true
    }

    /// A run will leave no more checkpoints.
    pub(crate) fn imports_over(&mut self, over: &ImportsOver) {
        let Some(line) = self.runs.get(&over.run) else { return };
        if let Some((_, modules)) = self.kinds.iter_mut().find(|(kind, _)| Rc::ptr_eq(kind, &line.kind)) {
            *modules = Some(over.modules);
        }
    }

    /// A checkpoint is no more.
    pub(crate) fn remove(&mut self, checkpoint: SnapshotId) {
        self.waiting.remove(&checkpoint);
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
        let kinds = self.kinds.iter().rev().map(|(kind, _)| kind);
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
        self.kinds.iter().find_map(|(kind, _)| {
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

/// The memory that process `pid` shares with no other, in bytes; none if that cannot be told.
pub(crate) fn private_memory(pid: i32) -> Option<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let kilobytes = |line: &str| line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok();
    Some(rollup.lines().filter(|line| line.starts_with("Private_")).filter_map(kilobytes).sum::<u64>() << 10)
}
