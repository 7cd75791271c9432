//! Asking `hr-graph` what a template should hold, off the main thread.

use std::cell::RefCell;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use hr_forkserver::protocol::{self, Failure, FirstParty, Open};
use hr_graph::{
    Consulted, Interpreter, Kind, LocateError, PlannedModule, Project, ProjectGraph, ScanOptions, Scanner,
    Settings, Target,
};
use rustix::event::{EventfdFlags, eventfd};

use super::memory::{Memory, Store};
use super::unchanged::{LastScan, Told};
use super::watch::Watch;
use super::writes::{Write, Writes};
use crate::analysis::cache_directory;

/// What a project asks of its template.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scan {
    /// Modules to import, in order.
    pub(crate) modules: Arc<Vec<Wanted>>,
    /// Files that could not be read or parsed.
    pub(crate) problems: Vec<protocol::Problem>,
    /// What must not be imported.
    pub(crate) first_party: Arc<FirstParty>,
    /// What the project writes to the environment while it is loaded.
    pub(crate) writes: Writes,
    /// What the project's settings say.
    pub(crate) settings: Settings,
    /// The project's own modules, to be compared with those of another scan.
    pub(crate) graph: Option<Arc<ProjectGraph>>,
}

/// A module to import.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) module: String,
    pub(crate) asked_by: AskedBy,
    /// How many of the project's writes to the environment come before it.
    pub(crate) written: usize,
}

/// Who asks for a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AskedBy {
    /// A file of the project, by its path below the root, and a line.
    File(PathBuf, u32),
    /// The user, who wants it in templates whatever the source says.
    User,
    /// The command that programs are started with.
    Programs,
    /// Runs, which have had to load it.
    Runs,
}

/// Scans one project, again and again, on a thread of its own.
///
/// The thread ends with this value: it then finds no one to scan for.
#[derive(Debug)]
pub(crate) struct ScanThread {
    tasks: Option<Sender<Task>>,
    scans: Receiver<(Scan, Arc<Consulted>)>,
    last: RefCell<LastScan>,
    /// Becomes readable when a scan is there.
    wake: OwnedFd,
    store: Option<Store>,
    /// The project's.
    root: PathBuf,
}

#[derive(Debug)]
enum Task {
    /// Of what may have changed, or of everything.
    Scan(Option<Told>),
    Save(Store, Memory),
}

/// How long nothing is asked of the thread before it writes to the cache what it knows.
const PAUSE: Duration = Duration::from_millis(500);

/// How long the last task may take when the supervisor ends.
const LAST_TASK: Duration = Duration::from_millis(300);

impl ScanThread {
    /// Finds the project, and starts the thread. What happens to the project is heard from `watch`.
    pub(crate) fn start(open: &Open, watch: &Watch) -> Result<Self, Failure> {
        let interpreter = interpreter(open);
        let target = match &open.target {
            protocol::Target::Module(name) => Target::Module(name.clone()),
            protocol::Target::Path(path) => Target::Path(path.into()),
        };
        let project = Project::locate(&target, &interpreter).map_err(|error| not_found(open, &error))?;
        let root = project.root().to_owned();
        let cache = cache_directory();
        let store = cache.as_ref().map(|cache| Store::new(cache, project.root(), &interpreter.executable));
        let options = ScanOptions {
            ignored_modules: open.ignored_modules.clone(),
            cache_dir: cache,
            ..ScanOptions::default()
        };
        let failed = |error: &dyn std::error::Error| Failure::Invalid { message: error.to_string() };
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK | EventfdFlags::SEMAPHORE)
            .map_err(|error| failed(&error))?;
        let signal = wake.try_clone().map_err(|error| failed(&error))?;
        let (tasks, to_do) = channel();
        let (answers, scans) = channel();
        let scanner = Scanner::new(project, interpreter, options);
        let work = move || work(scanner, &to_do, &answers, &signal);
        thread::Builder::new().name("scan".to_owned()).spawn(work).map_err(|error| failed(&error))?;
        let last = RefCell::new(LastScan::new(watch.clone()));
        Ok(Self { tasks: Some(tasks), scans, last, wake, store, root })
    }

    fn ask(&self, task: Task) {
        if let Some(tasks) = &self.tasks {
            let _ = tasks.send(task);
        }
    }

    /// Asks for a scan of what is on disk from now on. The thread lives as long as this.
    pub(crate) fn request(&self) {
        let mut last = self.last.borrow_mut();
        if last.still_holds() {
            // The scan is there already.
            let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
        } else {
            self.ask(Task::Scan(last.begin()));
        }
    }

    /// Whether another scan would find what the last one has found, as far as is known without one.
    pub(crate) fn is_current(&self) -> bool {
        self.last.borrow_mut().is_current()
    }

    /// What is remembered of the project.
    pub(crate) fn memory(&self) -> Memory {
        self.store.as_ref().map(Store::load).unwrap_or_default()
    }

    /// Keeps `memory` for the next supervisor.
    pub(crate) fn remember(&self, memory: &Memory) {
        if let Some(store) = &self.store {
            self.ask(Task::Save(store.clone(), memory.clone()));
        }
    }

    /// Readable when [`ScanThread::take`] has something to give.
    pub(crate) fn wake(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    /// The project's root.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// What decided the last scan.
    pub(crate) fn watched(&self) -> protocol::Watched {
        let consulted = self.last.borrow().consulted();
        let names = |paths: &[PathBuf]| paths.iter().map(Into::into).collect();
        protocol::Watched {
            root: self.root.clone().into(),
            files: names(&consulted.files),
            directories: names(&consulted.directories),
        }
    }

    /// A scan that is ready.
    pub(crate) fn take(&self) -> Option<Scan> {
        let _ = rustix::io::read(&self.wake, &mut [0; 8]);
        let mut last = self.last.borrow_mut();
        if let Ok((scan, consulted)) = self.scans.try_recv() {
            last.replace(scan, consulted);
        }
        last.take_asked()
    }
}

impl Drop for ScanThread {
    fn drop(&mut self) {
        self.tasks = None;
        // The thread ends when all is done, and its end of this with it.
        let deadline = Instant::now() + LAST_TASK;
        while self.scans.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_ok() {}
    }
}

/// Does what the thread is asked to do, until nobody can ask any more.
fn work(
    mut scanner: Scanner,
    tasks: &Receiver<Task>,
    answers: &Sender<(Scan, Arc<Consulted>)>,
    signal: &OwnedFd,
) {
    let mut unsaved = false;
    let mut last: Option<Scan> = None;
    loop {
        let task = if unsaved {
            tasks.recv_timeout(PAUSE)
        } else {
            tasks.recv().map_err(|_| RecvTimeoutError::Disconnected)
        };
        match task {
            Ok(Task::Scan(told)) => {
                unsaved = true;
                let scan = scan(&mut scanner, told, last.as_ref());
                last = Some(scan.clone());
                if answers.send((scan, scanner.consulted())).is_err()
                    || rustix::io::write(signal, &1u64.to_ne_bytes()).is_err()
                {
                    return scanner.save();
                }
            }
            // What cannot be stored is forgotten.
            Ok(Task::Save(store, memory)) => drop(store.save(&memory)),
            Err(RecvTimeoutError::Timeout) => {
                scanner.save();
                unsaved = false;
            }
            Err(RecvTimeoutError::Disconnected) => return scanner.save(),
        }
    }
}

fn interpreter(open: &Open) -> Interpreter {
    let told = &open.interpreter;
    Interpreter {
        executable: told.executable.clone().into(),
        version: told.version,
        platform: told.platform.clone(),
        sys_path: told.sys_path.iter().map(PathBuf::from).collect(),
        stdlib: told.stdlib.iter().cloned().collect(),
        builtins: told.builtins.iter().cloned().collect(),
    }
}

fn not_found(open: &Open, error: &LocateError) -> Failure {
    let name = match &open.target {
        protocol::Target::Module(name) => name.clone(),
        protocol::Target::Path(path) => path.to_string_lossy().into_owned(),
    };
    let source = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
    Failure::UnknownPackage { name, message: format!("{error}{source}; {}", error.hint()) }
}

/// The project as it is now.
pub(super) fn graph(scanner: &mut Scanner, told: Option<Told>) -> ProjectGraph {
    match told {
        // Only of what decided the last scan is it known what happened.
        Some(told) if Arc::ptr_eq(&told.watched, &scanner.consulted()) => scanner.rescan(&told.suspects),
        _ => scanner.scan(),
    }
}

/// The project as it is now. What is as it was in the `last` scan is that scan's.
fn scan(scanner: &mut Scanner, told: Option<Told>, last: Option<&Scan>) -> Scan {
    let at = SystemTime::now();
    let graph = graph(scanner, told);
    let last = last.and_then(|last| Some((last, last.graph.as_deref()?)));
    let (modules, writes) = match last {
        Some((last, before)) if graph.has_plan_of(before) => {
            (Arc::clone(&last.modules), last.writes.list.clone())
        }
        _ => plan(&graph, scanner),
    };
    let project = scanner.project();
    let first_party = match last {
        Some((last, before)) if graph.has_modules_of(before) => Arc::clone(&last.first_party),
        _ => Arc::new(FirstParty {
            paths: project.source_roots().iter().map(Into::into).collect(),
            modules: graph.first_party().map(str::to_owned).collect(),
        }),
    };
    let problems = graph.problems().iter().map(|problem| protocol::Problem {
        file: problem.file.clone().into(),
        line: problem.line,
        column: problem.column,
        message: problem.message.clone(),
    });
    let mut problems: Vec<_> = problems.collect();
    // One mistake makes the parser stumble more than once; like Python, only the first is told.
    problems.dedup_by(|later, first| later.file == first.file);
    Scan {
        modules,
        problems,
        writes: Writes { list: writes, at },
        settings: project.settings().clone(),
        first_party,
        graph: Some(Arc::new(graph)),
    }
}

/// What a template is to hold, and what the project writes to the environment on the way there.
fn plan(graph: &ProjectGraph, scanner: &Scanner) -> (Arc<Vec<Wanted>>, Vec<Write>) {
    let plan = graph.plan(scanner.options());
    let written = |index: usize| plan.writes.iter().take_while(|write| write.before <= index).count();
    // The standard library's names include those of modules that only other platforms have.
    let is_possible = |planned: &PlannedModule| planned.resolved || planned.kind != Kind::Stdlib;
    let possible = plan.modules.iter().enumerate().filter(|(_, planned)| is_possible(planned));
    let modules = possible.map(|(index, planned)| Wanted {
        module: planned.name.clone(),
        asked_by: AskedBy::File(planned.location.file.clone(), planned.location.line),
        written: written(index),
    });
    let writes = plan.writes.iter().map(|write| Write::new(write, scanner.project().root()));
    (Arc::new(modules.collect()), writes.collect())
}
