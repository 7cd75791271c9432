//! Bringing the template up to date: scan, decide, build, swap. One thing at a time for those who wait; what nobody
//! waits for is built beside it.

mod awaited;
mod building;
mod renewal;

use std::collections::VecDeque;
use std::os::fd::{BorrowedFd, OwnedFd};

use hr_forkserver::SnapshotTree;
use hr_forkserver::protocol::{
    self, BuildEvent, Call, Checkpoint, Failure, ImportProfile, ImportsOver, Open, ProcessContext, Reply,
    RunId, SnapshotId, TemplateState, TreeReport, Watched,
};
use nix::sys::signal::SigSet;

use self::awaited::{Work, answer};
use self::renewal::Renewal;
use super::clients::Answer;
use super::opened::Opened;
use super::scan::Scan;
use super::snapshots::{ContextId, Kind, MemorySaved, Snapshots, Start};
use super::watch::Watch;

/// For how many interpreter contexts templates are kept: as many shells as a person works in.
const MAX_CONTEXTS: usize = 4;

/// How much of what a failing interpreter printed is kept for the error message, in bytes.
const KEPT_OUTPUT: usize = 4096;

/// Why the template is looked at.
pub(crate) enum Purpose {
    /// The project was opened.
    Open(Answer),
    /// The client asks for an update.
    Update(Answer),
    /// A run with this context is wanted, and no snapshot can be forked for it.
    Revive(Box<ProcessContext>),
}

/// What came of it.
pub(crate) enum Outcome {
    /// Tell this client.
    Answer(Answer, Box<Reply>),
    /// This happens while somebody waits for a template.
    Building(BuildEvent),
    /// There is a template to fork.
    Ready,
    /// There is none, for this reason.
    NoTemplate(String),
}

/// The snapshots there are, and the work on the next one.
pub(crate) struct Refresh {
    mask: SigSet,
    project: Option<Opened>,
    snapshots: Snapshots,
    /// The context in whose circumstances the snapshots were compared with what is in demand.
    rated: Option<ContextId>,
    work: Work,
    renewal: Renewal,
    queue: VecDeque<Purpose>,
    /// How many scans have begun, and how many of them have ended.
    scans_begun: u64,
    scans_ended: u64,
    /// The last words of the interpreter while it is being built.
    output: Vec<u8>,
    watch: Watch,
}

impl Refresh {
    /// No project, no template. Processes will start with `mask`.
    pub(crate) fn new(mask: SigSet) -> Self {
        let watch = Watch::start();
        Self {
            mask,
            project: None,
            rated: None,
            snapshots: Snapshots::new(watch.clone()),
            watch,
            work: Work::Idle,
            renewal: Renewal::Idle,
            queue: VecDeque::new(),
            scans_begun: 0,
            scans_ended: 0,
            output: Vec::new(),
        }
    }

    /// Whether there is a project.
    pub(crate) fn is_open(&self) -> bool {
        self.project.is_some()
    }

    /// The scan that a run must wait for which is asked for now: the source may have been edited since the last one, and
    /// what the project writes to the environment decides what its template may hold.
    pub(crate) fn scan_to_wait_for(&self) -> u64 {
        let current = self.project.as_ref().is_some_and(|project| project.scans.is_current());
        if current { 0 } else { self.scans_begun + 1 }
    }

    /// Whether that scan is there.
    pub(crate) fn has_scanned(&self, scan: u64) -> bool {
        scan <= self.scans_ended
    }

    /// What `call`, which comes with `descriptors`, is to be like for its run to go on from the past of another. None if none
    /// is to.
    pub(crate) fn kind(&self, call: &Call, descriptors: &[OwnedFd]) -> Option<Kind> {
        let most = self.project.as_ref().map_or(0, |project| project.checkpointing().most);
        if most > 0 { Kind::of(call, descriptors) } else { None }
    }

    /// Where a run that carries out `call`, and is of that `kind`, may start at this moment, if there is such a place.
    pub(crate) fn start(
        &mut self,
        tree: &mut SnapshotTree,
        call: &Call,
        kind: Option<&Kind>,
    ) -> Option<Start> {
        let changed = match &call.work {
            protocol::Work::Program { changed, .. } => changed.as_slice(),
            protocol::Work::Function { .. } => &[],
        };
        if kind.is_some() {
            self.note_edits();
        }
        let checkpointing = self.project.as_ref().map(Opened::checkpointing).unwrap_or_default();
        self.snapshots.start(tree, &call.context, kind, changed, &checkpointing)
    }

    /// While `run` ends, forks what would go on from one of its checkpoints in its place, if runs are to be forked ahead at all.
    /// To fork a large program takes as long as its end.
    pub(crate) fn fork_ahead(&mut self, tree: &mut SnapshotTree, run: RunId) {
        let Some(project) = self.project.as_ref().filter(|project| project.spares() > 0) else { return };
        let overhead = project.checkpointing().overhead;
        if let Some(checkpoint) = self.snapshots.next_checkpoint(tree, run, overhead) {
            // If that cannot be done now, it is forked when it is asked for.
            let _ = tree.keep_spares(checkpoint, 1);
        }
    }

    /// Whether there is something to do for [`Refresh::end_outdated`].
    pub(crate) fn has_outdated(&self) -> bool {
        self.snapshots.has_outdated()
    }

    /// Ends what [`Refresh::start`] has found out of date, once there is time for it.
    pub(crate) fn end_outdated(&mut self, tree: &mut SnapshotTree) {
        self.snapshots.end_outdated(tree);
    }

    /// The snapshot that runs are forked from, as far as is known without looking at its inputs.
    pub(crate) fn template(&self, tree: &SnapshotTree) -> Option<SnapshotId> {
        self.snapshots.best_in(tree, self.snapshots.active()?)
    }

    /// Whether runs are forked from `snapshot`, which may just have died.
    pub(crate) fn served(&self, snapshot: SnapshotId) -> bool {
        self.snapshots.serves(snapshot)
    }

    /// How many runs are to be forked ahead of time, for each snapshot.
    pub(crate) fn spares(&self, tree: &SnapshotTree) -> Vec<(SnapshotId, usize)> {
        let wanted = self.project.as_ref().map_or(0, Opened::spares);
        let best = self.template(tree);
        self.snapshots.ids().map(|id| (id, if Some(id) == best { wanted } else { 0 })).collect()
    }

    /// Whether there is something to do for [`Refresh::look`].
    pub(crate) fn has_new_snapshots(&self) -> bool {
        self.snapshots.are_new()
    }

    /// Compares new snapshots with what they have consumed, so that nobody waits for that later.
    pub(crate) fn look(&self) {
        self.snapshots.look();
    }

    /// What becomes readable when a scan is there.
    pub(crate) fn wake(&self) -> Option<BorrowedFd<'_>> {
        self.project.as_ref().map(|project| project.scans.wake())
    }

    /// The scan that is there.
    pub(crate) fn scanned(&self) -> Option<Scan> {
        self.project.as_ref()?.scans.take()
    }

    /// The template for people and programs.
    pub(crate) fn state(&self, tree: &SnapshotTree) -> Option<TemplateState> {
        let project = self.project.as_ref()?;
        let template = self.template(tree)?;
        let described = project.describe(self.snapshots.holding(template));
        Some(TemplateState { template: tree.pid(template).unwrap_or_default(), ..described })
    }

    /// Every process below, and what it is for. `client` is for whom.
    pub(crate) fn report(&self, tree: &SnapshotTree, client: i32) -> TreeReport {
        let (mut snapshots, runs) = tree.inventory();
        for snapshot in &mut snapshots {
            snapshot.role = self.snapshots.role(snapshot.snapshot);
        }
        let project = self.project.as_ref();
        TreeReport {
            project: project.map(|project| project.scans.root().as_os_str().to_owned()),
            python: project.map(|project| project.open.interpreter.executable.clone()).unwrap_or_default(),
            client,
            snapshots,
            runs,
        }
    }

    /// What decides what the template holds.
    pub(crate) fn watched(&self) -> Option<Watched> {
        self.project.as_ref().map(|project| project.scans.watched())
    }

    /// What the template's imports have cost, if the client wanted that measured.
    pub(crate) fn profile(&self, tree: &SnapshotTree) -> Option<&ImportProfile> {
        self.snapshots.profile(self.template(tree)?)
    }

    /// Remembers what a template prints, for the case that it cannot be built.
    pub(crate) fn keep_output(&mut self, bytes: &[u8]) {
        self.output.extend_from_slice(bytes);
        let surplus = self.output.len().saturating_sub(KEPT_OUTPUT);
        self.output.drain(..surplus);
    }

    /// Takes on a project.
    pub(crate) fn open(&mut self, open: &Open, answer: Answer) -> Vec<Outcome> {
        if self.project.is_some() {
            let message = "a project is open already".to_owned();
            return vec![Outcome::Answer(answer, Box::new(Reply::Failed(Failure::Invalid { message })))];
        }
        match Opened::new(open, &self.watch) {
            Ok(opened) => {
                self.project = Some(opened);
                self.scans_begun += 1;
                self.work = Work::Scanning(Purpose::Open(answer));
                Vec::new()
            }
            Err(failure) => vec![Outcome::Answer(answer, Box::new(Reply::Failed(failure)))],
        }
    }

    /// What was edited since the last run will most likely be edited again.
    fn note_edits(&mut self) {
        let Some(project) = &self.project else { return };
        let root = project.scans.root();
        let changed = project.source_changes().into_iter();
        self.snapshots.edited(changed.map(|change| root.join(change.file).into_os_string()));
    }

    /// A run is forked.
    pub(crate) fn run_begins(&mut self) {
        if let Some(project) = &mut self.project {
            project.run_begins();
        }
    }

    /// It was, from `start`.
    pub(crate) fn run_started(&mut self, run: RunId, kind: Kind, start: &Start) {
        self.snapshots.begins(run, kind, start);
    }

    /// A run is over.
    pub(crate) fn run_ended(&mut self, tree: &mut SnapshotTree, run: RunId) {
        self.snapshots.ends(tree, run);
    }

    /// A run has left a checkpoint.
    pub(crate) fn add_checkpoint(
        &mut self,
        tree: &mut SnapshotTree,
        snapshot: SnapshotId,
        run: RunId,
        checkpoint: Checkpoint,
    ) {
        let most = self.project.as_ref().map_or(0, |project| project.checkpointing().most);
        self.snapshots.add_checkpoint(tree, snapshot, run, checkpoint, most);
    }

    /// A run has loaded most of its modules.
    pub(crate) fn imports_over(&mut self, over: &ImportsOver) {
        self.snapshots.imports_over(over);
        if let (Some(project), Some(micros)) = (&mut self.project, over.cost) {
            project.checkpoint_has_cost(micros);
        }
    }

    /// Lets checkpoints go for the memory that they take.
    pub(crate) fn save_memory(&mut self, tree: &mut SnapshotTree) -> MemorySaved {
        let limit = self.project.as_ref().map_or(0, Opened::checkpoint_memory);
        self.snapshots.save_memory(tree, limit)
    }

    /// A snapshot has died.
    pub(crate) fn died(&mut self, snapshot: SnapshotId) {
        self.snapshots.died(snapshot);
    }

    /// Takes note of modules that a run has had to load itself.
    pub(crate) fn learn(&mut self, modules: Vec<String>) {
        if let Some(project) = &mut self.project {
            project.learn(modules);
            if project.open.learn_at_once {
                // They are looked at as soon as nobody waits.
                self.rated = None;
                self.renewal.retry();
            }
        }
    }

    /// Puts work into the queue. [`Refresh::advance`] begins it.
    pub(crate) fn request(&mut self, purpose: Purpose) {
        self.queue.push_back(purpose);
    }

    /// Whether nobody waits for anything.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.work, Work::Idle) && self.queue.is_empty()
    }

    /// Begins the next work in the queue if there is none under way, or what is worth doing while there is none.
    pub(crate) fn advance(&mut self, tree: &mut SnapshotTree) -> Vec<Outcome> {
        if !matches!(self.work, Work::Idle) {
            return Vec::new();
        }
        let Some(purpose) = self.queue.pop_front() else {
            self.renew(tree);
            return Vec::new();
        };
        self.aim(tree, &purpose);
        if let Some(project) = &self.project {
            project.scans.request();
            self.scans_begun += 1;
            self.work = Work::Scanning(purpose);
            // While the scan is made on another processor.
            self.snapshots.look();
            return Vec::new();
        }
        let message = "no project is open".to_owned();
        answer(purpose, Reply::Failed(Failure::Invalid { message })).into_iter().collect()
    }

    /// Sets the interpreter context that `purpose` is about.
    fn aim(&mut self, tree: &SnapshotTree, purpose: &Purpose) {
        let context = match purpose {
            Purpose::Open(_) | Purpose::Update(_) => self.snapshots.active(),
            Purpose::Revive(context) => self.snapshots.context_for(tree, context),
        };
        let Some(project) = &mut self.project else { return };
        let known = context.and_then(|context| self.snapshots.interpreter(context)).cloned();
        let mut interpreter = known.unwrap_or_else(|| project.open.interpreter.clone());
        if let (Purpose::Revive(wanted), None) = (purpose, context) {
            let pairs = wanted.environment.iter();
            interpreter.environment = pairs.map(|(name, value)| (name.into(), value.into())).collect();
            interpreter.sys_path.clone_from(&wanted.sys_path);
        }
        project.aim(interpreter, &self.watch);
    }
}
