//! What a project says of itself in `[tool.hotreload]` of its `pyproject.toml`.

mod reader;

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::layout;
use crate::graph::{Place, Problem};

/// The file that holds the settings, in the project's root.
pub(super) const FILE: &str = "pyproject.toml";

/// Every key there is. `source-roots` and `packages` say where modules begin; see [`super::layout`].
const KEYS: &[&str] = &[
    "preload",
    "exclude",
    "lazy",
    "import-limit",
    "spares",
    "source-roots",
    "packages",
    "watch",
    "ignore",
    "env-file",
    "grace",
    "python",
    "entry",
    "checkpoints",
    "checkpoint-memory",
    "checkpoint-overhead",
];

/// `[tool.hotreload]` of a project's `pyproject.toml`. What is not set there, or not understood, has its default.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// `preload`: modules that a template imports in any case, in this order, after those that are imported eagerly.
    pub preload: Vec<Preload>,
    /// `exclude`: modules that no template imports. Each name stands for its submodules as well, and is stronger than
    /// `preload`.
    pub exclude: Vec<String>,
    /// `lazy`: whether modules that are imported only inside of functions are planned, too. They are by default.
    pub lazy: bool,
    /// `import-limit`, in seconds: how long the import of one module may take.
    pub import_limit: Option<Duration>,
    /// `spares`: how many runs are forked ahead of time.
    pub spares: Option<usize>,
    /// `watch`: globs, relative to the project's root, of files for which a program is restarted though it does not load
    /// them as modules.
    pub watch: Vec<String>,
    /// `ignore`: globs, relative to the project's root, of files for which no program is restarted.
    pub ignore: Vec<String>,
    /// `env-file`: files of environment variables, as written: relative to the project's root.
    pub env_file: Vec<PathBuf>,
    /// `grace`: how long a program may take to end after SIGTERM.
    pub grace: Option<Duration>,
    /// `python`: a version such as `3.12`, or the path of an interpreter or of a virtual environment relative to the
    /// project's root.
    pub python: Option<String>,
    /// `entry`: the module of the application that a server imports in its event loop; of a value like
    /// `package.module:application`, the part before the colon.
    pub entry: Option<String>,
    /// `checkpoints`: how many a run leaves behind; with 0, none.
    pub checkpoints: Option<u32>,
    /// `checkpoint-memory`, in megabytes there and in bytes here: how much private memory all checkpoints together may take.
    pub checkpoint_memory: Option<u64>,
    /// `checkpoint-overhead`, in percent: how much longer a program may take to load its modules for the checkpoints it
    /// leaves.
    pub checkpoint_overhead: Option<u32>,
}

/// The settings of a project, and where they are from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectSettings {
    /// The project's root, in which their file lies if there is one.
    pub root: PathBuf,
    /// What is set.
    pub settings: Settings,
    /// What is wrong with it. A key that is unknown comes with the nearest one that exists, in its message.
    pub problems: Vec<Problem>,
}

/// A module that is to be imported in any case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preload {
    /// Its dotted name.
    pub module: String,
    /// Where that is written.
    pub place: Place,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            preload: Vec::new(),
            exclude: Vec::new(),
            lazy: true,
            import_limit: None,
            spares: None,
            watch: Vec::new(),
            ignore: Vec::new(),
            env_file: Vec::new(),
            grace: None,
            python: None,
            entry: None,
            checkpoints: None,
            checkpoint_memory: None,
            checkpoint_overhead: None,
        }
    }
}

impl Settings {
    /// Whether a module is excluded, by its own name or that of a package it lies in.
    pub fn excludes(&self, module: &str) -> bool {
        covers(&self.exclude, module)
    }

    /// Reads the settings of a project, and what is wrong with them.
    pub(crate) fn read(root: &Path) -> (Self, Vec<Problem>) {
        // Without the file there is nothing to say. One that cannot be read is a problem of the tools that need it.
        let text = std::fs::read_to_string(root.join(FILE)).unwrap_or_default();
        if text.contains("hotreload") { reader::understand(&text) } else { (Self::default(), Vec::new()) }
    }

    /// Reads the settings of the project that a directory lies in, before anything else is known of it.
    pub fn near(directory: &Path) -> ProjectSettings {
        let root = layout::project_root(directory);
        let (settings, problems) = Self::read(&root);
        ProjectSettings { root, settings, problems }
    }
}

/// Whether a module is one of those named, or lies in one of them.
pub fn covers(names: &[String], module: &str) -> bool {
    names.iter().any(|name| {
        module.strip_prefix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

#[cfg(test)]
mod tests;
