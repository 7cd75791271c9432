//! Finds the project that a package name or a path stands for.

mod editable;
mod layout;

use std::path::{Path, PathBuf};

use crate::interpreter::Interpreter;

pub(crate) use layout::is_project_directory;

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
    /// Finds a project.
    ///
    /// Modules are looked for in the directories of `sys.path` and in the source directories of the projects that
    /// lie there (`src` layouts, workspace members, editable installs).
    pub fn locate(target: &Target, interpreter: &Interpreter) -> Result<Self, LocateError> {
        match target {
            Target::Module(name) => Self::of_module(name, interpreter),
            Target::Path(path) => Self::of_path(path, interpreter),
        }
    }

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

    /// Whether a file is the project's own. Decided by where it lies, never by a name.
    pub fn is_first_party(&self, file: &Path) -> bool {
        let own = longest_prefix(&self.first_party, file);
        let Some(own) = own else { return false };
        if longest_prefix(&self.foreign, file)
            .is_some_and(|foreign| foreign.as_os_str().len() > own.as_os_str().len())
        {
            return false;
        }
        !inside(own, file).is_some_and(holds_installed)
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

    /// The name under which a file below a source root is imported, and whether it is a package's `__init__`.
    /// `None` if no `import` statement can name it.
    pub(crate) fn module_name(&self, file: &Path) -> Option<(String, bool)> {
        let root = longest_prefix(&self.source_roots, file).or_else(|| {
            self.first_party.iter().find(|own| file.starts_with(own)).and_then(|own| own.parent())
        })?;
        let inner = std::str::from_utf8(inside(root, file)?).ok()?;
        let mut parts: Vec<&str> = inner.split(std::path::is_separator).collect();
        let stem = parts.pop()?;
        let stem = stem.split_once('.').map_or(stem, |(stem, rest)| {
            // `a.b.py` is no module: only extension modules have a tag between name and suffix.
            if matches!(rest, "py" | "pyc") || rest.ends_with("so") || rest.ends_with("pyd") {
                stem
            } else {
                ""
            }
        });
        let is_package = stem == "__init__" && !parts.is_empty();
        if !is_package {
            parts.push(stem);
        }
        parts.iter().all(|part| is_identifier(part)).then(|| (parts.join("."), is_package))
    }

    /// A path as it is reported: relative to the root where it lies in it.
    pub fn relative<'p>(&self, path: &'p Path) -> &'p Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }

    fn of_module(name: &str, interpreter: &Interpreter) -> Result<Self, LocateError> {
        let top = name.split('.').next().unwrap_or(name);
        let mut searched = Vec::new();
        let mut candidates: Vec<PathBuf> = Vec::new();
        for directory in &interpreter.sys_path {
            if !Interpreter::is_stdlib_directory(directory) && !candidates.contains(directory) {
                candidates.push(directory.clone());
            }
            if is_project_directory(directory) {
                for root in layout::source_roots(directory) {
                    if !candidates.contains(&root) {
                        candidates.push(root);
                    }
                }
            }
        }
        for root in editable::directories(interpreter) {
            if !candidates.contains(&root) {
                candidates.push(root);
            }
        }
        // A regular package wins over a namespace portion further up the path, as it does for Python.
        for namespaces in [false, true] {
            for directory in &candidates {
                let package = directory.join(top);
                let module = directory.join(format!("{top}.py"));
                let is_package = package.join("__init__.py").is_file()
                    || (namespaces && is_identifier(top) && layout::holds_python(&package));
                if (is_package || module.is_file()) && !names_a_module(name, &candidates) {
                    return Err(LocateError::NotFound { name: name.to_owned(), searched: vec![package] });
                }
                if is_package {
                    return Ok(Self::of_package(name, directory, Seed::Tree(package), interpreter));
                }
                if module.is_file() {
                    return Ok(Self::of_package(name, directory, Seed::File(module), interpreter));
                }
            }
        }
        searched.append(&mut candidates);
        Err(LocateError::NotFound { name: name.to_owned(), searched })
    }

    /// A package or module found in `directory`, which is where `sys.path` would have to lead.
    fn of_package(name: &str, directory: &Path, seed: Seed, interpreter: &Interpreter) -> Self {
        let is_submodule = name.contains('.');
        let entry = match &seed {
            Seed::Tree(_) if !is_submodule => Entry::Package(name.to_owned()),
            _ => Entry::Module(name.to_owned()),
        };
        let installed = is_installed(directory);
        let root = if installed { directory.to_owned() } else { layout::project_root(directory) };
        let mut project;
        if installed {
            let (Seed::Tree(own) | Seed::File(own)) = &seed;
            let own = own.clone();
            project = Self::assemble(root, Vec::new(), entry, vec![seed], interpreter);
            project.first_party.push(own);
        } else {
            let mut roots = vec![directory.to_owned()];
            add_missing(&mut roots, layout::source_roots(&root));
            project = Self::assemble(root, roots, entry, vec![seed], interpreter);
        }
        project.packages = vec![name.split('.').next().unwrap_or(name).to_owned()];
        project
    }

    fn of_path(path: &Path, interpreter: &Interpreter) -> Result<Self, LocateError> {
        let unreadable = |source| LocateError::Unreadable { path: path.to_owned(), source };
        let path = path.canonicalize().map_err(unreadable)?;
        if path.is_dir() {
            std::fs::read_dir(&path).map_err(unreadable)?;
            if path.join("__init__.py").is_file() && !is_project_directory(&path) {
                let (directory, name) = enclosing_root(&path);
                return Ok(Self::of_package(&name, &directory, Seed::Tree(path), interpreter));
            }
            return Ok(Self::of_directory(&path, interpreter));
        }
        let is_python = path.extension().is_some_and(|suffix| suffix == "py" || suffix == "pyw")
            || has_python_shebang(&path);
        if !is_python {
            return Err(LocateError::NotPython { path });
        }
        let directory = path.parent().unwrap_or(&path).to_owned();
        if directory.join("__init__.py").is_file()
            && let Some(stem) = path.file_stem().and_then(|stem| stem.to_str())
        {
            let (root, package) = enclosing_root(&directory);
            let name = if stem == "__init__" { package } else { format!("{package}.{stem}") };
            let mut project = Self::of_package(&name, &root, Seed::File(path), interpreter);
            project.entry = Entry::Module(name);
            return Ok(project);
        }
        let root = layout::project_root(&directory);
        let mut roots = vec![directory];
        add_missing(&mut roots, layout::source_roots(&root));
        let seeds = vec![Seed::File(path.clone())];
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let mut project = Self::assemble(root, roots, Entry::Script(path), seeds, interpreter);
        project.packages = name.into_iter().collect();
        Ok(project)
    }

    fn of_directory(root: &Path, interpreter: &Interpreter) -> Self {
        let roots = layout::source_roots(root);
        // What lies below another root is found when that is walked.
        let seeds = roots
            .iter()
            .filter(|root| !roots.iter().any(|other| *root != other && root.starts_with(other)))
            .cloned()
            .map(Seed::Tree)
            .collect();
        let mut project = Self::assemble(root.to_owned(), roots, Entry::All, seeds, interpreter);
        let mut packages: Vec<String> =
            project.source_roots.iter().flat_map(|root| layout::top_level_names(root)).collect();
        packages.retain(|name| is_identifier(name));
        packages.sort();
        packages.dedup();
        project.packages = packages;
        project
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
        Self {
            root,
            first_party: source_roots.clone(),
            source_roots,
            foreign,
            packages: Vec::new(),
            entry,
            seeds,
        }
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

/// The first directory above a package that is no package itself, and the package's name from there.
fn enclosing_root(package: &Path) -> (PathBuf, String) {
    let mut parts = Vec::new();
    let mut directory = package;
    while directory.join("__init__.py").is_file() {
        let (Some(parent), Some(name)) = (directory.parent(), directory.file_name()) else { break };
        parts.push(name.to_string_lossy().into_owned());
        directory = parent;
    }
    parts.reverse();
    (directory.to_owned(), parts.join("."))
}

fn has_python_shebang(path: &Path) -> bool {
    use std::io::Read;
    let mut start = [0; 128];
    let read = std::fs::File::open(path).and_then(|mut file| file.read(&mut start)).unwrap_or(0);
    let line = start[..read].split(|byte| *byte == b'\n').next().unwrap_or_default();
    line.starts_with(b"#!") && line.windows(6).any(|word| word == b"python")
}

/// Whether `name` leads to a directory or a file below one of `directories`. The parts of a namespace package may lie
/// below different ones.
fn names_a_module(name: &str, directories: &[PathBuf]) -> bool {
    let inner: PathBuf = name.split('.').collect();
    directories.iter().any(|directory| {
        let path = directory.join(&inner);
        let holds_file = |entry: std::io::Result<std::fs::DirEntry>| {
            let stem = entry.ok().map(|entry| entry.file_name().to_string_lossy().into_owned());
            let last = name.rsplit('.').next().unwrap_or(name);
            stem.is_some_and(|stem| stem.split('.').next() == Some(last) && stem.len() > last.len())
        };
        path.is_dir()
            || path
                .parent()
                .and_then(|parent| parent.read_dir().ok())
                .is_some_and(|mut all| all.any(holds_file))
    })
}

fn longest_prefix<'p>(prefixes: &'p [PathBuf], path: &Path) -> Option<&'p Path> {
    prefixes
        .iter()
        .filter(|prefix| inside(prefix, path).is_some())
        .max_by_key(|prefix| prefix.as_os_str().len())
        .map(PathBuf::as_path)
}

/// What follows a directory in a path that lies in it, as text. Paths are made by joining names to the directories that
/// they are compared with, so their texts can be compared, which takes a tenth of the time of comparing components.
fn inside<'p>(directory: &Path, path: &'p Path) -> Option<&'p [u8]> {
    let directory = directory.as_os_str().as_encoded_bytes();
    let rest = path.as_os_str().as_encoded_bytes().strip_prefix(directory)?;
    match rest.split_first() {
        None => Some(rest),
        Some((first, inner)) if std::path::is_separator(char::from(*first)) => Some(inner),
        Some(_) => {
            directory.last().is_some_and(|last| std::path::is_separator(char::from(*last))).then_some(rest)
        }
    }
}

/// Whether one of the directories in a path's text holds installed packages.
fn holds_installed(inner: &[u8]) -> bool {
    inner
        .split(|byte| std::path::is_separator(char::from(*byte)))
        .any(|part| part == b"site-packages" || part == b"dist-packages")
}

fn add_missing(paths: &mut Vec<PathBuf>, more: Vec<PathBuf>) {
    for path in more {
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
}

/// Whether an `import` statement can spell this name (keywords aside).
pub(crate) fn is_identifier(name: &str) -> bool {
    let mut letters = name.chars();
    let begins = letters.next().is_some_and(|letter| letter == '_' || unicode_ident::is_xid_start(letter));
    begins && letters.all(unicode_ident::is_xid_continue)
}
