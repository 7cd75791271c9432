//! Finds the project that a package name or a path stands for.

mod boundary;
mod editable;
mod layout;
mod locate;
mod settings;

use std::path::{Path, PathBuf};

use crate::graph::Problem;
use crate::interpreter::Interpreter;

pub(crate) use layout::is_project_directory;
pub use settings::{Preload, ProjectSettings, Settings, covers};

/// What a user names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A module or package by its dotted name, looked for where the interpreter would.
    Module(String),
    /// A package's directory, a project's directory, or a script.
    Path(PathBuf),
}

/// Where a program can begin.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Entry {
    /// A module by name, as `python -m` takes it.
    Module(String),
    /// A script; its file.
    Script(PathBuf),
    /// Every module of a package: any of them may be asked for.
    Package(String),
    /// Every module of the project.
    All,
}

/// What is scanned before the imports found there lead to more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seed {
    Tree(PathBuf),
    File(PathBuf),
}

/// A project on disk: what is its own code, and where that begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    root: PathBuf,
    /// In the order in which they are searched.
    source_roots: Vec<PathBuf>,
    first_party: Vec<PathBuf>,
    /// Directories on `sys.path` that are not the project's own, even if they lie in it.
    foreign: Vec<PathBuf>,
    packages: Vec<String>,
    entry: Entry,
    seeds: Vec<Seed>,
    settings: Settings,
    /// What is wrong with the settings.
    settings_problems: Vec<Problem>,
}

/// Why there is no such project.
#[derive(Debug, thiserror::Error)]
pub enum LocateError {
    /// No module of that name.
    #[error("no module named {name:?}")]
    NotFound {
        /// The name asked for.
        name: String,
        /// Where it was looked for, in order.
        searched: Vec<PathBuf>,
    },
    /// The path does not exist or cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The path asked for.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file that is no Python source.
    #[error("{} is neither a directory nor Python source", path.display())]
    NotPython {
        /// The path asked for.
        path: PathBuf,
    },
}

impl LocateError {
    /// What the user can do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::NotFound { searched, .. } => {
                let mut hint = "looked in".to_owned();
                for directory in searched {
                    hint.push_str("\n  ");
                    hint.push_str(&directory.display().to_string());
                }
                hint
            }
            Self::Unreadable { .. } => "name an existing package, directory or script".to_owned(),
            Self::NotPython { .. } => "name a package, a project's directory, or a .py file".to_owned(),
        }
    }
}

impl Project {
    /// A project whose source roots are given, in the order in which they are to be searched. Everything below them
    /// is scanned.
    pub fn with_source_roots(
        root: &Path,
        source_roots: &[PathBuf],
        entry: Entry,
        interpreter: &Interpreter,
    ) -> Self {
        let seeds = source_roots.iter().cloned().map(Seed::Tree).collect();
        Self::assemble(root.to_owned(), source_roots.to_vec(), entry, seeds, interpreter)
    }

    /// The directory to which reported files are relative.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The directories whose files are first-party, except for virtual environments in them.
    pub fn source_roots(&self) -> &[PathBuf] {
        if self.source_roots.is_empty() { &self.first_party } else { &self.source_roots }
    }

    /// The top-level packages and modules that the target names, sorted.
    pub fn packages(&self) -> &[String] {
        &self.packages
    }

    /// Where the program begins.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// What it says of itself in `[tool.hotreload]` of its `pyproject.toml`: as of when it was found, or of the last scan.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The file that may hold settings, if there is one.
    pub(crate) fn settings_file(&self) -> Option<PathBuf> {
        Some(self.root.join(settings::FILE)).filter(|file| file.is_file())
    }

    /// What is wrong with them.
    pub fn settings_problems(&self) -> &[Problem] {
        &self.settings_problems
    }

    /// Whether the settings are still what was read last.
    pub(crate) fn settings_hold(&self) -> bool {
        let (settings, problems) = Settings::read(&self.root);
        settings == self.settings && problems == self.settings_problems
    }

    pub(crate) fn read_settings(&mut self) {
        (self.settings, self.settings_problems) = Settings::read(&self.root);
    }

    /// Where modules are looked for: source roots that are not on `sys.path` come first.
    pub(crate) fn search_path(&self, interpreter: &Interpreter) -> Vec<PathBuf> {
        let mut path: Vec<PathBuf> =
            self.source_roots.iter().filter(|root| !interpreter.sys_path.contains(root)).cloned().collect();
        for directory in &interpreter.sys_path {
            if !path.contains(directory) {
                path.push(directory.clone());
            }
        }
        path
    }

    pub(crate) fn seeds(&self) -> &[Seed] {
        &self.seeds
    }

    /// A path as it is reported: relative to the root where it lies in it.
    pub fn relative<'p>(&self, path: &'p Path) -> &'p Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }

    fn assemble(
        root: PathBuf,
        source_roots: Vec<PathBuf>,
        entry: Entry,
        seeds: Vec<Seed>,
        interpreter: &Interpreter,
    ) -> Self {
        let mut source_roots = source_roots;
        for directory in &interpreter.sys_path {
            if directory.starts_with(&root) && !is_foreign(directory) && !source_roots.is_empty() {
                add_missing(&mut source_roots, vec![directory.clone()]);
            }
        }
        if !source_roots.is_empty() {
            add_missing(&mut source_roots, editable::directories(interpreter));
        }
        let foreign =
            interpreter.sys_path.iter().filter(|path| !source_roots.contains(path)).cloned().collect();
        let mut project = Self {
            root,
            first_party: source_roots.clone(),
            source_roots,
            foreign,
            packages: Vec::new(),
            entry,
            seeds,
            settings: Settings::default(),
            settings_problems: Vec::new(),
        };
        project.read_settings();
        project
    }
}

/// Whether a directory on `sys.path` holds what others wrote.
fn is_foreign(directory: &Path) -> bool {
    is_installed(directory)
        || Interpreter::is_stdlib_directory(directory)
        || directory.ends_with("lib-dynload")
        || directory.extension().is_some_and(|suffix| suffix == "zip" || suffix == "egg")
}

fn is_installed(directory: &Path) -> bool {
    directory
        .components()
        .any(|part| part.as_os_str() == "site-packages" || part.as_os_str() == "dist-packages")
}

fn add_missing(paths: &mut Vec<PathBuf>, more: Vec<PathBuf>) {
    for path in more {
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
}

/// Whether an `import` statement can spell this name (keywords aside).
pub fn is_identifier(name: &str) -> bool {
    let mut letters = name.chars();
    let begins = letters.next().is_some_and(|letter| letter == '_' || unicode_ident::is_xid_start(letter));
    begins && letters.all(unicode_ident::is_xid_continue)
}
