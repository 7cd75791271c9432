//! Bringing the template up to date: scan, decide, build, swap. One thing at a time.

use std::collections::VecDeque;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use hr_forkserver::protocol::{
    Failure, Open, ProcessContext, Reply, SnapshotId, TargetInterpreter, TemplateState, Update,
};
use hr_forkserver::{Build, BuildError, Launch, Plan, Progress, SnapshotTree, Template, TreeEvent};
use nix::sys::signal::SigSet;

use super::change::Change;
use super::clients::Answer;
use super::decide::{Decision, Situation};
use super::scan::{Scan, ScanThread};
use super::template::{Current, names};
use super::watch::Watch;

/// How long one module may take to import. Generous: some compile code the first time.
const IMPORT_LIMIT: Duration = Duration::from_mins(2);

/// How much of what a failing interpreter printed is kept for the error message, in bytes.
const KEPT_OUTPUT: usize = 4096;

const BOOTSTRAP: &str = include_str!("bootstrap.py");

/// Why the template is looked at.
pub(crate) enum Purpose {
    /// The project was opened.
    Open(Answer),
    /// The client asks for an update.
    Update(Answer),
    /// A run with this context is wanted, and the template is dead, or has consumed what is different now.
    Revive(Box<ProcessContext>),
}

/// What came of it.
pub(crate) enum Outcome {
    /// Tell this client.
    Answer(Answer, Box<Reply>),
    /// There is a template to fork.
    Ready,
    /// There is none, for this reason.
    NoTemplate(String),
}

enum Work {
    Idle,
    Scanning(Purpose),
    Building(Box<Building>),
}

/// A template on its way.
struct Building {
    build: Build,
    purpose: Purpose,
    change: Change,
    /// Whether it is a layer on the current template.
    on_top: bool,
}

/// The project, as the client described it.
struct Opened {
    open: Open,
    scans: ScanThread,
}

/// The template, and the work on the next one.
pub(crate) struct Refresh {
    mask: SigSet,
    project: Option<Opened>,
    scan: Option<Scan>,
    current: Option<Current>,
    work: Work,
    queue: VecDeque<Purpose>,
    /// The last words of the interpreter while it is being built.
    output: Vec<u8>,
    watch: Watch,
}

impl Refresh {
    /// No project, no template. Processes will start with `mask`.
    pub(crate) fn new(mask: SigSet) -> Self {
        let (queue, output, watch) = (VecDeque::new(), Vec::new(), Watch::start());
        Self { mask, project: None, scan: None, current: None, work: Work::Idle, queue, output, watch }
    }

    /// Whether there is a project.
    pub(crate) fn is_open(&self) -> bool {
        self.project.is_some()
    }

    /// The snapshot that a run with `context` may be forked from at this moment, if there is one.
    pub(crate) fn valid_template(&self, tree: &SnapshotTree, context: &ProcessContext) -> Option<SnapshotId> {
        let current = self.current.as_ref()?;
        (tree.is_alive(current.snapshot) && current.is_valid_for(context)).then_some(current.snapshot)
    }

    /// The snapshot that runs are forked from. It may have died, and its inputs may have changed.
    pub(crate) fn template(&self) -> Option<SnapshotId> {
        self.current.as_ref().map(|current| current.snapshot)
    }

    /// How many runs the client wants forked ahead of time.
    pub(crate) fn spares(&self) -> usize {
        self.project.as_ref().map_or(0, |project| usize::try_from(project.open.spares).unwrap_or(usize::MAX))
    }

    /// What becomes readable when a scan is there.
    pub(crate) fn wake(&self) -> Option<BorrowedFd<'_>> {
        self.project.as_ref().map(|project| project.scans.wake())
    }

    /// The scan that is there.
    pub(crate) fn scanned(&self) -> Option<Scan> {
        self.project.as_ref()?.scans.take()
    }

    /// When [`Refresh::on_overdue`] must be called.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.work {
            Work::Building(building) => building.build.deadline(),
            Work::Idle | Work::Scanning(_) => None,
        }
    }

    /// The template for people.
    pub(crate) fn state(&self, tree: &SnapshotTree) -> Option<TemplateState> {
        Some(self.current.as_ref()?.state(tree, self.scan.as_ref()?))
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
        match ScanThread::start(open) {
            Ok(scans) => {
                scans.request();
                self.project = Some(Opened { open: open.clone(), scans });
                self.work = Work::Scanning(Purpose::Open(answer));
                Vec::new()
            }
            Err(failure) => vec![Outcome::Answer(answer, Box::new(Reply::Failed(failure)))],
        }
    }

    /// Puts work into the queue. [`Refresh::advance`] begins it.
    pub(crate) fn request(&mut self, purpose: Purpose) {
        self.queue.push_back(purpose);
    }

    /// Whether nothing is under way, nor in the queue.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.work, Work::Idle) && self.queue.is_empty()
    }

    /// Begins the next work in the queue if there is none under way.
    pub(crate) fn advance(&mut self) -> Vec<Outcome> {
        if !matches!(self.work, Work::Idle) {
            return Vec::new();
        }
        match self.queue.pop_front() {
            None => Vec::new(),
            Some(purpose) => {
                if let Purpose::Revive(context) = &purpose {
                    self.adapt(context);
                }
                if let Some(project) = &self.project {
                    project.scans.request();
                    self.work = Work::Scanning(purpose);
                    return Vec::new();
                }
                let message = "no project is open".to_owned();
                answer(purpose, Reply::Failed(Failure::Invalid { message })).into_iter().collect()
            }
        }
    }

    /// The next template will be one of an interpreter with the search path and the environment of `context`.
    fn adapt(&mut self, context: &ProcessContext) {
        let Some(project) = &mut self.project else { return };
        project.open.interpreter.environment.clone_from(&context.environment);
        if project.open.interpreter.sys_path != context.sys_path {
            project.open.interpreter.sys_path.clone_from(&context.sys_path);
            // If the project cannot be found that way any more, what was found before still is the project.
            if let Ok(scans) = ScanThread::start(&project.open) {
                project.scans = scans;
            }
        }
    }

    /// A scan is there: decides what it means for the template.
    pub(crate) fn on_scan(&mut self, tree: &mut SnapshotTree, scan: Scan) -> Vec<Outcome> {
        let Work::Scanning(purpose) = std::mem::replace(&mut self.work, Work::Idle) else {
            return Vec::new();
        };
        let alive = self.current.as_ref().filter(|current| tree.is_alive(current.snapshot));
        let planned = alive.map(|current| current.planned(&scan));
        let wanted = names(&scan.modules);
        let files = alive.map(Current::changed_files).unwrap_or_default();
        let layers = alive.map_or(0, |current| current.layers);
        let moved = alive.map(Current::moved_names).unwrap_or_default();
        let unsuitable = match (&purpose, alive) {
            (Purpose::Revive(context), Some(current)) => !current.suits(context),
            _ => false,
        };
        let situation = Situation {
            planned: planned.as_deref(),
            wanted: &wanted,
            changed_files: &files,
            moved_names: &moved,
            unsuitable,
            layers,
        };
        let (decision, added, removed) = (situation.decide(), situation.added(), situation.removed());
        self.scan = Some(scan);
        self.build(tree, purpose, Change { added, removed, files, moved }, &decision)
    }

    fn build(
        &mut self,
        tree: &mut SnapshotTree,
        purpose: Purpose,
        change: Change,
        decision: &Decision,
    ) -> Vec<Outcome> {
        let (Some(project), Some(scan)) = (&self.project, &self.scan) else { return Vec::new() };
        let interpreter = &project.open.interpreter;
        let plan = |modules: Vec<String>| Plan {
            modules,
            argv: interpreter.argv.clone(),
            sys_path: interpreter.sys_path.clone(),
            first_party: scan.first_party.clone(),
            import_limit: IMPORT_LIMIT,
        };
        let (build, on_top) = match (decision, &self.current) {
            (Decision::Keep, _) => return self.finish(tree, purpose, &change, false),
            (Decision::Layer(modules), Some(base)) => {
                (Build::layer(tree, base.snapshot, plan(modules.clone())), true)
            }
            (Decision::Layer(_), None) | (Decision::Rebuild, _) => {
                let launch = launch(interpreter, self.mask);
                (Build::boot(tree, &launch, plan(names(&scan.modules))), false)
            }
        };
        self.output.clear();
        match build {
            Ok(build) => {
                self.work = Work::Building(Box::new(Building { build, purpose, change, on_top }));
                Vec::new()
            }
            Err(error) => self.fail(tree, purpose, &error),
        }
    }

    /// Lets the build take note of an event.
    pub(crate) fn on_event(&mut self, tree: &mut SnapshotTree, event: &TreeEvent) -> Vec<Outcome> {
        let Work::Building(building) = &mut self.work else { return Vec::new() };
        let Progress::Finished(result) = building.build.handle(tree, event) else { return Vec::new() };
        let Work::Building(building) = std::mem::replace(&mut self.work, Work::Idle) else {
            return Vec::new();
        };
        let Building { purpose, change, on_top, .. } = *building;
        match result {
            Ok(template) => {
                self.swap(tree, template, on_top);
                self.finish(tree, purpose, &change, true)
            }
            // What the layer was to stand on may have died meanwhile.
            Err(_) if on_top => self.build(tree, purpose, change, &Decision::Rebuild),
            Err(error) => self.fail(tree, purpose, &error),
        }
    }

    /// Gives up an import that takes too long.
    pub(crate) fn on_overdue(&mut self, tree: &mut SnapshotTree) {
        if let Work::Building(building) = &mut self.work {
            building.build.expired(tree);
        }
    }

    fn swap(&mut self, tree: &mut SnapshotTree, template: Template, on_top: bool) {
        let Some(project) = &self.project else { return };
        let interpreter = &project.open.interpreter;
        let old = self.current.take();
        let new = match &old {
            Some(base) if on_top => base.layered(template, interpreter, &self.watch),
            Some(_) | None => Current::built(template, interpreter, &self.watch),
        };
        if let Some(old) = old {
            // Its runs go on undisturbed; it ends with the last of them.
            tree.retire(old.snapshot);
        }
        self.current = Some(new);
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
                reason: change.reason(changed),
                state,
            }),
        };
        let mut outcomes: Vec<_> = answer(purpose, reply).into_iter().collect();
        outcomes.push(Outcome::Ready);
        outcomes.extend(self.advance());
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
        if self.current.as_ref().is_some_and(|current| tree.is_alive(current.snapshot)) {
            outcomes.push(Outcome::Ready);
        } else {
            outcomes.push(Outcome::NoTemplate(message));
        }
        outcomes.extend(self.advance());
        outcomes
    }
}

fn answer(purpose: Purpose, reply: Reply) -> Option<Outcome> {
    match purpose {
        Purpose::Open(answer) | Purpose::Update(answer) => Some(Outcome::Answer(answer, Box::new(reply))),
        Purpose::Revive(_) => None,
    }
}

fn launch(interpreter: &TargetInterpreter, mask: SigSet) -> Launch {
    let mut arguments = interpreter.options.clone();
    arguments.extend(["-c".into(), BOOTSTRAP.into(), interpreter.package_directory.clone()]);
    Launch {
        program: interpreter.executable.clone(),
        arguments,
        environment: interpreter.environment.clone(),
        mask,
    }
}
