//! What the commands that explain a project have in common: which project, for which interpreter, scanned.

use std::env;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use hr_forkserver::protocol;
use hr_graph::{Interpreter, LocateError, Project, ProjectGraph, ScanOptions, Target};

use crate::interpreter;

/// How many problems are printed one by one.
const SHOWN_PROBLEMS: usize = 20;

/// Which project to look at.
#[derive(Debug, Args)]
pub(crate) struct Subject {
    /// The Python interpreter the project is for: a file, an environment's directory, or a version such as 3.12 [default: the
    /// active or nearest virtual environment's, then python3]
    #[arg(long, value_name = "FILE|VERSION")]
    pub(crate) python: Option<PathBuf>,
    /// Read every file anew, and remember nothing
    #[arg(long)]
    pub(crate) no_cache: bool,
}

/// Which project to look at, where that is all there is to say.
#[derive(Debug, Args)]
pub(crate) struct Named {
    /// A package's name, or the path of a package, project or script
    #[arg(value_name = "PATH|PACKAGE", default_value = ".")]
    pub(crate) target: String,
    #[command(flatten)]
    pub(crate) subject: Subject,
}

impl Named {
    /// Finds, scans, and warns of what cannot be understood.
    pub(crate) fn analyse(&self) -> anyhow::Result<Analysis> {
        self.subject.analyse(Some(&self.target))
    }
}

/// Whom the output is for.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    /// For tools
    Json,
}

/// A project that was scanned.
pub(crate) struct Analysis {
    pub(crate) interpreter: Interpreter,
    /// The project as a supervisor is told of it.
    pub(crate) target: protocol::Target,
    pub(crate) project: Project,
    pub(crate) options: ScanOptions,
    pub(crate) graph: ProjectGraph,
}

impl Subject {
    /// Finds, scans, and warns of what cannot be understood.
    pub(crate) fn analyse(&self, target: Option<&str>) -> anyhow::Result<Analysis> {
        self.analyse_target(target_of(target.unwrap_or(".")))
    }

    /// The same for what is known to be a path, or a module.
    pub(crate) fn analyse_target(&self, target: Target) -> anyhow::Result<Analysis> {
        let mut interpreter = self.interpreter()?;
        let project = Project::locate(&target, &interpreter).map_err(|error| explained(&error))?;
        // A project that lies elsewhere is not run from here, so nothing here is on its path.
        interpreter.sys_path.retain(|directory| {
            env::current_dir().map_or(true, |here| *directory != here || here.starts_with(project.root()))
        });
        let options = ScanOptions { cache_dir: self.cache(), ..ScanOptions::default() };
        let graph = hr_graph::scan(&project, &interpreter, &options);
        warn(&graph);
        let target = match target {
            Target::Path(path) => protocol::Target::Path(path.into()),
            Target::Module(name) => protocol::Target::Module(name),
        };
        Ok(Analysis { interpreter, target, project, options, graph })
    }

    /// The interpreter, searching the current directory first.
    pub(crate) fn interpreter(&self) -> anyhow::Result<Interpreter> {
        self.find_interpreter().map(|found| found.interpreter)
    }

    /// The same, and where it was found.
    pub(crate) fn find_interpreter(&self) -> anyhow::Result<interpreter::Found> {
        interpreter::find(self.python.as_deref(), self.cache().as_deref())
    }

    fn cache(&self) -> Option<PathBuf> {
        if self.no_cache { None } else { cache_directory() }
    }
}

impl Analysis {
    /// The interpreter's version as it is reported.
    pub(crate) fn python(&self) -> String {
        let (major, minor) = self.interpreter.version;
        format!("{major}.{minor}")
    }
}

/// What exists as a path is one; all else is a module's name.
fn target_of(target: &str) -> Target {
    let path = Path::new(target);
    let is_name = !target.is_empty()
        && target.split('.').all(|part| !part.is_empty() && !part.contains(['/', '\\', '-', ' ']))
        && path.extension().is_none_or(|suffix| suffix != "py");
    if path.exists() || !is_name { Target::Path(path.to_owned()) } else { Target::Module(target.to_owned()) }
}

fn explained(error: &LocateError) -> anyhow::Error {
    let hint = format!("hint: {}", error.hint());
    let cause = std::error::Error::source(error).map(ToString::to_string);
    let message = match cause {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    };
    anyhow::Error::msg(hint).context(message)
}

fn warn(graph: &ProjectGraph) {
    let mut stderr = anstream::stderr().lock();
    let problems = graph.problems();
    for problem in problems.iter().take(SHOWN_PROBLEMS) {
        // A warning nobody can read is no reason to fail.
        let _ = writeln!(
            stderr,
            "hr  warning: {}:{}:{} {}",
            problem.file.display(),
            problem.line,
            problem.column,
            problem.message
        );
    }
    if let Some(more @ 1..) = problems.len().checked_sub(SHOWN_PROBLEMS) {
        let _ = writeln!(stderr, "hr  … and {more} more warnings like these");
    }
}

/// Where this user's caches lie.
pub(crate) fn cache_directory() -> Option<PathBuf> {
    let base = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|directory| directory.is_absolute())
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")))?;
    Some(base.join("hotreload"))
}

/// Prints data. A reader that has gone (`hr graph | head`) is no error.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = anstream::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to stdout")
        }
        _ => Ok(()),
    }
}
