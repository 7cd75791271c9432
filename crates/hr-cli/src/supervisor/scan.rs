//! Asking `hr-graph` what a template should hold, off the main thread.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use hr_forkserver::protocol::{self, Exclusion, Failure, FirstParty, Open};
use hr_graph::{Interpreter, Kind, LocateError, Project, ScanOptions, Scanner, Target};
use rustix::event::{EventfdFlags, eventfd};

/// What a project asks of its template.
#[derive(Debug)]
pub(crate) struct Scan {
    /// Modules to import, in order.
    pub(crate) modules: Vec<Wanted>,
    /// Files that could not be read or parsed.
    pub(crate) problems: Vec<protocol::Problem>,
    /// What must not be imported.
    pub(crate) first_party: FirstParty,
}

impl Scan {
    /// Plans what the user wants besides, at the end.
    fn preload(&mut self, modules: &[String], sys_path: &[PathBuf]) {
        for module in modules {
            if !self.modules.iter().any(|wanted| wanted.module == *module) {
                self.modules.push(Wanted::preloaded(module, sys_path));
            }
        }
    }
}

/// A module to import, and the place that asks for it.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) module: String,
    pub(crate) file: PathBuf,
    pub(crate) line: u32,
    /// Whether a file was found for it. Some packages make modules up, so it is tried all the same.
    pub(crate) resolved: bool,
}

impl Wanted {
    /// A module that no file of the project asks for: the user does.
    fn preloaded(module: &str, sys_path: &[PathBuf]) -> Self {
        let path: PathBuf = module.split('.').collect();
        let resolved = sys_path.iter().any(|entry| {
            let found = entry.join(&path);
            found.is_dir() || found.with_extension("py").is_file()
        });
        Self { module: module.to_owned(), file: PathBuf::new(), line: 0, resolved }
    }
}

impl Wanted {
    /// The module as one that the template lacks.
    pub(crate) fn excluded(&self, cause: &impl ToString) -> Exclusion {
        Exclusion {
            module: self.module.clone(),
            cause: cause.to_string(),
            file: self.file.clone().into(),
            line: self.line,
        }
    }
}

/// Scans one project, again and again, on a thread of its own.
///
/// The thread ends with this value: it then finds no one to scan for.
#[derive(Debug)]
pub(crate) struct ScanThread {
    requests: Sender<()>,
    scans: Receiver<Scan>,
    /// Becomes readable when a scan is there.
    wake: OwnedFd,
}

impl ScanThread {
    /// Finds the project, and starts the thread.
    pub(crate) fn start(open: &Open) -> Result<Self, Failure> {
        let interpreter = interpreter(open);
        let target = match &open.target {
            protocol::Target::Module(name) => Target::Module(name.clone()),
            protocol::Target::Path(path) => Target::Path(path.into()),
        };
        let project = Project::locate(&target, &interpreter).map_err(|error| not_found(open, &error))?;
        let options = ScanOptions { ignored_modules: open.ignored_modules.clone(), ..ScanOptions::default() };
        let failed = |error: &dyn std::error::Error| Failure::Invalid { message: error.to_string() };
        let wake =
            eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(|error| failed(&error))?;
        let signal = wake.try_clone().map_err(|error| failed(&error))?;
        let (requests, asked) = channel();
        let (answers, scans) = channel();
        let sys_path = interpreter.sys_path.clone();
        let preload = open.preload.clone();
        let mut scanner = Scanner::new(project, interpreter, options);
        let work = move || {
            while let Ok(()) = asked.recv() {
                let mut scan = scan(&mut scanner);
                scan.preload(&preload, &sys_path);
                if answers.send(scan).is_err() || rustix::io::write(&signal, &1u64.to_ne_bytes()).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new().name("scan".to_owned()).spawn(work).map_err(|error| failed(&error))?;
        Ok(Self { requests, scans, wake })
    }

    /// Asks for a scan of what is on disk from now on. The thread lives as long as this.
    pub(crate) fn request(&self) {
        let _ = self.requests.send(());
    }

    /// Readable when [`ScanThread::take`] has something to give.
    pub(crate) fn wake(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    /// A scan that is ready.
    pub(crate) fn take(&self) -> Option<Scan> {
        let _ = rustix::io::read(&self.wake, &mut [0; 8]);
        self.scans.try_recv().ok()
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

fn scan(scanner: &mut Scanner) -> Scan {
    let graph = scanner.scan();
    let project = scanner.project();
    // The standard library's names include those of modules that only other platforms have.
    let plan = graph.plan(scanner.options()).modules.into_iter();
    let possible = plan.filter(|planned| planned.resolved || planned.kind != Kind::Stdlib);
    let modules = possible.map(|planned| Wanted {
        module: planned.name,
        file: planned.location.file,
        line: planned.location.line,
        resolved: planned.resolved,
    });
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
        modules: modules.collect(),
        problems,
        first_party: FirstParty {
            paths: project.source_roots().iter().map(Into::into).collect(),
            modules: graph.first_party().map(str::to_owned).collect(),
        },
    }
}
