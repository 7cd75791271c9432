//! Bringing the template up to date: scan, decide, build, swap. One thing at a time for those who wait; what nobody
//! waits for is built beside it.

use std::collections::VecDeque;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use hr_forkserver::protocol::{
    BuildEvent, Failure, ImportProfile, Open, Preparation, ProcessContext, Reply, SnapshotId, TemplateState,
    Update, Watched,
};
use hr_forkserver::{BuildError, Plan, SnapshotTree, Template, TreeEvent};
use nix::sys::signal::SigSet;

use super::change::Change;
use super::clients::{Answer, Answers};
use super::construction::{Construction, Site};
use super::decide::{self, Best, Decision};
use super::opened::Opened;
use super::scan::Scan;
use super::snapshots::{ContextId, New, Snapshots, Stale};
use super::watch::Watch;
use super::writes::undecided;

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

enum Work {
    Idle,
    Scanning(Purpose),
    Building { construction: Box<Construction>, purpose: Purpose, change: Change },
}

/// What is built while nobody waits for it.
enum Renewal {
    /// Nothing. It is looked for when there is nothing else to do.
    Idle,
    Building(Box<Construction>),
    /// It failed; there is no use in trying before something changes.
    Failed,
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

    /// The snapshot that a run with `context` may be forked from at this moment, if there is one.
    pub(crate) fn valid_template(
        &mut self,
        tree: &SnapshotTree,
        context: &ProcessContext,
    ) -> Option<SnapshotId> {
        self.snapshots.best_for(tree, context)
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

    /// What becomes readable when a scan is there.
    pub(crate) fn wake(&self) -> Option<BorrowedFd<'_>> {
        self.project.as_ref().map(|project| project.scans.wake())
    }

    /// The scan that is there.
    pub(crate) fn scanned(&self) -> Option<Scan> {
        self.project.as_ref()?.scans.take()
    }

    fn constructions(&self) -> impl Iterator<Item = &Construction> {
        let awaited = match &self.work {
            Work::Building { construction, .. } => Some(&**construction),
            Work::Idle | Work::Scanning(_) => None,
        };
        let renewal = match &self.renewal {
            Renewal::Building(construction) => Some(&**construction),
            Renewal::Idle | Renewal::Failed => None,
        };
        awaited.into_iter().chain(renewal)
    }

    /// When [`Refresh::on_overdue`] must be called.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.constructions().filter_map(Construction::deadline).min()
    }

    /// The template for people and programs.
    pub(crate) fn state(&self, tree: &SnapshotTree) -> Option<TemplateState> {
        let project = self.project.as_ref()?;
        let template = self.template(tree)?;
        let described = project.describe(self.snapshots.holding(template));
        Some(TemplateState { template: tree.pid(template).unwrap_or_default(), ..described })
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

    /// A run is forked.
    pub(crate) fn run_begins(&mut self) {
        if let Some(project) = &mut self.project {
            project.run_begins();
        }
    }

    /// Takes note of modules that a run has had to load itself.
    pub(crate) fn learn(&mut self, modules: Vec<String>) {
        if let Some(project) = &mut self.project {
            project.learn(modules);
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
            interpreter.environment.clone_from(&wanted.environment);
            interpreter.sys_path.clone_from(&wanted.sys_path);
        }
        project.aim(interpreter, &self.watch);
    }

    /// A scan is there: decides what it means for the template.
    pub(crate) fn on_scan(&mut self, tree: &mut SnapshotTree, scan: Scan) -> Vec<Outcome> {
        let Work::Scanning(purpose) = std::mem::replace(&mut self.work, Work::Idle) else {
            return Vec::new();
        };
        // There is one at a time.
        self.scans_ended = self.scans_begun;
        let in_use: Vec<_> = self.constructions().filter_map(Construction::base).collect();
        let Some(project) = &mut self.project else { return Vec::new() };
        project.scanned(scan);
        let context = self.snapshots.context(&project.open.interpreter);
        let before = self.snapshots.newest_in(context).map(|newest| self.snapshots.holding(newest));
        self.snapshots.rate(project.demand());
        self.rated = Some(context);
        let added = before.as_ref().map(|before| before.missing(project.demand())).unwrap_or_default();
        let removed = before.map(|before| before.surplus(project.demand().modules)).unwrap_or_default();
        let Stale { files, names } = self.snapshots.prune(tree, project.demand(), MAX_CONTEXTS, &in_use);
        let (files, moved) = (files.into_iter().collect(), names.into_iter().collect());
        let change = Change { added, removed, files, moved };
        if matches!(self.renewal, Renewal::Failed) {
            self.renewal = Renewal::Idle;
        }
        let best = self.snapshots.best_in(tree, context);
        let appraised = best.map(|best| self.appraise(best));
        let decision = match purpose {
            // What it lacks, the run loads itself.
            Purpose::Revive(_) if best.is_some() => Decision::Keep,
            _ => decide::now(appraised),
        };
        match decision {
            Decision::Keep => self.finish(tree, purpose, &change, false),
            Decision::Layer => self.build(tree, Site { context, base: best }, purpose, change),
            Decision::Boot => self.build(tree, Site { context, base: None }, purpose, change),
        }
    }

    fn appraise(&self, best: SnapshotId) -> Best {
        Best { fit: self.snapshots.fit(best), layers: self.snapshots.holding(best).layers }
    }

    fn begin(&self, tree: &mut SnapshotTree, site: Site) -> Option<Result<Construction, BuildError>> {
        let interpreter = self.snapshots.interpreter(site.context)?;
        let project = self.project.as_ref()?;
        let demand = project.demand();
        let modules = match site.base {
            Some(base) => self.snapshots.holding(base).missing(demand),
            None => demand.modules.iter().map(|wanted| wanted.module.clone()).collect(),
        };
        let (modules, known) = project.worth_trying(modules);
        let (writes, written) = project.writes();
        let preparation = Preparation {
            argv: interpreter.argv.clone(),
            sys_path: interpreter.sys_path.clone(),
            first_party: project.first_party().clone(),
            profile: project.open.profile,
            writes,
        };
        let (forced, import_limit) = (project.forced(), project.import_limit());
        let plan = Plan { modules, preparation, forced, written, import_limit };
        Some(Construction::begin(tree, site, interpreter, plan, known, self.mask))
    }

    fn build(
        &mut self,
        tree: &mut SnapshotTree,
        site: Site,
        purpose: Purpose,
        change: Change,
    ) -> Vec<Outcome> {
        self.output.clear();
        match self.begin(tree, site) {
            None => Vec::new(),
            Some(Ok(construction)) => {
                self.work = Work::Building { construction: Box::new(construction), purpose, change };
                Vec::new()
            }
            Some(Err(error)) => self.fail(tree, purpose, &error),
        }
    }

    /// Begins what is worth building while nobody waits.
    fn renew(&mut self, tree: &mut SnapshotTree) {
        if !matches!(self.renewal, Renewal::Idle) {
            return;
        }
        let Some(context) = self.snapshots.active() else { return };
        if let (Some(project), true) = (&mut self.project, self.rated != Some(context)) {
            if let Some(interpreter) = self.snapshots.interpreter(context) {
                project.look_around(interpreter);
            }
            self.snapshots.rate(project.demand());
            self.rated = Some(context);
        }
        let Some(best) = self.snapshots.best_in(tree, context) else { return };
        let base = match decide::later(self.appraise(best)) {
            Decision::Keep => return,
            Decision::Layer => Some(best),
            Decision::Boot => None,
        };
        self.renewal = match self.begin(tree, Site { context, base }) {
            Some(Ok(construction)) => Renewal::Building(Box::new(construction)),
            Some(Err(_)) | None => Renewal::Failed,
        };
    }

    /// Lets builds take note of an event.
    pub(crate) fn on_event(&mut self, tree: &mut SnapshotTree, event: &TreeEvent) -> Vec<Outcome> {
        let mut outcomes = self.on_renewal_event(tree, event);
        let Work::Building { construction, .. } = &mut self.work else { return outcomes };
        let result = construction.handle(tree, event);
        outcomes.extend(self.happened());
        let Some(result) = result else { return outcomes };
        let Work::Building { construction, purpose, change } = std::mem::replace(&mut self.work, Work::Idle)
        else {
            return outcomes;
        };
        let Site { context, base } = construction.site();
        let new = result.map(|template| self.insert(tree, *template, *construction));
        outcomes.extend(match new {
            Ok(true) => self.finish(tree, purpose, &change, true),
            // What the layer was to stand on may have died meanwhile, or be out of date.
            Ok(false) | Err(_) if base.is_some() => {
                self.build(tree, Site { context, base: None }, purpose, change)
            }
            Ok(false) => self.finish(tree, purpose, &change, false),
            Err(error) => self.fail(tree, purpose, &error),
        });
        outcomes
    }

    /// Tells what has happened in the build that somebody waits for.
    fn happened(&mut self) -> Vec<Outcome> {
        let Work::Building { construction, purpose, .. } = &mut self.work else { return Vec::new() };
        let events = construction.events();
        if let Purpose::Open(answer) | Purpose::Update(answer) = purpose {
            for event in &events {
                Answers::say(answer, &Reply::Building(event.clone()), Vec::new());
            }
        }
        events.into_iter().map(Outcome::Building).collect()
    }

    fn on_renewal_event(&mut self, tree: &mut SnapshotTree, event: &TreeEvent) -> Vec<Outcome> {
        let Renewal::Building(construction) = &mut self.renewal else { return Vec::new() };
        let result = construction.handle(tree, event);
        // Nobody waits for it.
        drop(construction.events());
        let Some(result) = result else { return Vec::new() };
        let failed = std::mem::replace(&mut self.renewal, Renewal::Failed);
        let (Ok(template), Renewal::Building(construction)) = (result, failed) else { return Vec::new() };
        self.renewal = Renewal::Idle;
        self.insert(tree, *template, *construction);
        let mut outcomes = vec![Outcome::Ready];
        outcomes.extend(self.advance(tree));
        outcomes
    }

    /// Gives up imports that take too long, and tells of those that take long.
    pub(crate) fn on_overdue(&mut self, tree: &mut SnapshotTree) -> Vec<Outcome> {
        if let Work::Building { construction, .. } = &mut self.work {
            construction.expired(tree);
        }
        if let Renewal::Building(construction) = &mut self.renewal {
            construction.expired(tree);
        }
        self.happened()
    }

    /// Adds a new snapshot, and retires what it takes the place of. Returns whether there was a place for it.
    fn insert(
        &mut self,
        tree: &mut SnapshotTree,
        mut template: Template,
        construction: Construction,
    ) -> bool {
        let Some(project) = &mut self.project else { return false };
        let (snapshot, site) = (template.snapshot, construction.site());
        let failed = std::mem::take(&mut template.excluded);
        let undecided: Vec<_> = undecided(&failed).collect();
        let excluded = [project.tried(&template.modules, failed), construction.known_failures()].concat();
        let new = New { template, excluded, undecided };
        if !self.snapshots.insert(new, site.context, site.base, project.demand()) {
            tree.retire(snapshot);
            return false;
        }
        let in_use: Vec<_> = self.constructions().filter_map(Construction::base).collect();
        self.snapshots.collect(tree, MAX_CONTEXTS, &in_use);
        true
    }

    fn finish(
        &mut self,
        tree: &mut SnapshotTree,
        purpose: Purpose,
        change: &Change,
        changed: bool,
    ) -> Vec<Outcome> {
        let state = self.state(tree).unwrap_or_default();
        let reply = match purpose {
            Purpose::Open(_) | Purpose::Revive(_) => Reply::Opened(state),
            Purpose::Update(_) => Reply::Updated(Update {
                changed,
                added: change.added.clone(),
                removed: change.removed.clone(),
                files: change.files.clone(),
                source: self.project.as_ref().map(Opened::source_changes).unwrap_or_default(),
                reason: change.reason(changed),
                state,
            }),
        };
        let mut outcomes: Vec<_> = answer(purpose, reply).into_iter().collect();
        outcomes.push(Outcome::Ready);
        outcomes.extend(self.advance(tree));
        outcomes
    }

    fn fail(&mut self, tree: &mut SnapshotTree, purpose: Purpose, error: &BuildError) -> Vec<Outcome> {
        let mut message = format!("no template could be built: {error}");
        let words = String::from_utf8_lossy(&self.output);
        if !words.trim().is_empty() {
            message.push_str("; the interpreter said:\n");
            message.push_str(words.trim());
        }
        let reply = Reply::Failed(Failure::Interpreter { message: message.clone() });
        let mut outcomes: Vec<_> = answer(purpose, reply).into_iter().collect();
        if self.template(tree).is_some() {
            outcomes.push(Outcome::Ready);
        } else {
            outcomes.push(Outcome::NoTemplate(message));
        }
        outcomes.extend(self.advance(tree));
        outcomes
    }
}

fn answer(purpose: Purpose, reply: Reply) -> Option<Outcome> {
    match purpose {
        Purpose::Open(answer) | Purpose::Update(answer) => Some(Outcome::Answer(answer, Box::new(reply))),
        Purpose::Revive(_) => None,
    }
}
