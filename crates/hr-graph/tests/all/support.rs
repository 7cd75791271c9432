//! Small trees on disk, and an interpreter that needs none installed.

use std::path::{Path, PathBuf};

use hr_graph::{Entry, Interpreter, Project, ProjectGraph, ScanOptions};
use tempfile::TempDir;

/// CPython 3.12 on Linux, with nothing on its `sys.path`.
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

    /// The whole tree as a project with the given source roots.
    pub(crate) fn project(&self, source_roots: &[&str]) -> Project {
        let root = self.root();
        let roots: Vec<PathBuf> = source_roots
            .iter()
            .map(|path| if *path == "." { root.clone() } else { root.join(path) })
            .collect();
        Project::with_source_roots(&root, &roots, Entry::All, &interpreter())
    }

    pub(crate) fn scan(&self) -> ProjectGraph {
        hr_graph::scan(&self.project(&["."]), &interpreter(), &ScanOptions::default())
    }
}
