//! Finds the project that a name or a path stands for.

use std::path::{Path, PathBuf};

use super::{
    Entry, LocateError, Project, Seed, Target, add_missing, editable, is_identifier, is_installed,
    is_project_directory, layout,
};
use crate::interpreter::Interpreter;

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
        let mut packages: Vec<String> = project
            .source_roots
            .iter()
            .flat_map(|root| layout::top_level_names(root, &project.source_roots))
            .collect();
        packages.retain(|name| is_identifier(name));
        packages.sort();
        packages.dedup();
        project.packages = packages;
        project
    }
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
