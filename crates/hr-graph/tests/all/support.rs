//! Small trees on disk, and an interpreter that needs none installed.

use std::path::{Path, PathBuf};

use hr_graph::{Entry, Interpreter, Project, ProjectGraph, ScanOptions, Target};
use tempfile::TempDir;

/// `CPython` 3.12 on Linux, with nothing on its `sys.path`.
pub(crate) fn interpreter() -> Interpreter {
    serde_json::from_str(include_str!("../cpython-3.12-linux.json")).unwrap()
}

/// A directory that goes away with its owner.
pub(crate) struct Tree(TempDir);

impl Tree {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        for (path, content) in files {
            tree.write(path, content.as_bytes());
        }
        tree
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.0.path().canonicalize().unwrap()
    }

    pub(crate) fn write(&self, path: &str, content: &[u8]) {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// An interpreter with directories of this tree on its `sys.path`.
    pub(crate) fn interpreter(&self, sys_path: &[&str]) -> Interpreter {
        let sys_path = sys_path.iter().map(|path| self.at(path)).collect();
        Interpreter { sys_path, ..interpreter() }
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        if path == "." { self.root() } else { self.root().join(path) }
    }

    /// The whole tree as a project with the given source roots.
    pub(crate) fn project(&self, source_roots: &[&str]) -> Project {
        let roots: Vec<PathBuf> = source_roots.iter().map(|path| self.at(path)).collect();
        Project::with_source_roots(&self.root(), &roots, Entry::All, &interpreter())
    }

    /// The project that a module's name leads to.
    pub(crate) fn located(&self, name: &str, sys_path: &[&str]) -> ProjectGraph {
        let interpreter = self.interpreter(sys_path);
        let project = Project::locate(&Target::Module(name.to_owned()), &interpreter).unwrap();
        hr_graph::scan(&project, &interpreter, &ScanOptions::default())
    }

    /// The project that a path leads to.
    pub(crate) fn located_at(&self, path: &str, sys_path: &[&str]) -> ProjectGraph {
        let interpreter = self.interpreter(sys_path);
        let project = Project::locate(&Target::Path(self.at(path)), &interpreter).unwrap();
        hr_graph::scan(&project, &interpreter, &ScanOptions::default())
    }

    /// The whole tree, every module of which may be an entry.
    pub(crate) fn scan(&self) -> ProjectGraph {
        hr_graph::scan(&self.project(&["."]), &interpreter(), &ScanOptions::default())
    }
}

/// The names of a plan, in order.
pub(crate) fn planned(graph: &ProjectGraph) -> Vec<String> {
    graph.plan(&ScanOptions::default()).modules.into_iter().map(|module| module.name).collect()
}

/// The names of the project's own modules.
pub(crate) fn own(graph: &ProjectGraph) -> Vec<&str> {
    graph.first_party().collect()
}
