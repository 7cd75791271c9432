//! What version control is told to leave out.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use ignore::{DirEntry, WalkBuilder};

/// What is asked for once for each directory, however many of its entries are asked about.
#[derive(Debug, Default)]
pub(super) struct Hidden {
    known: RefCell<HashMap<PathBuf, bool>>,
}

impl Hidden {
    /// Whether `.gitignore` and the like speak against `path`. Of what does not exist, they say nothing.
    pub(super) fn contains(&self, path: &Path) -> bool {
        if let Some(hidden) = self.known.borrow().get(path) {
            return *hidden;
        }
        let Some(parent) = path.parent() else { return false };
        if path.symlink_metadata().is_err() {
            return false;
        }
        self.ask(parent);
        self.known.borrow().get(path).copied().unwrap_or(false)
    }

    /// Forgets everything if `name` is one of a file that says what is left out.
    pub(super) fn mind(&self, name: &OsStr) {
        if name == ".gitignore" {
            self.known.borrow_mut().clear();
        }
    }

    fn ask(&self, directory: &Path) {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        let entries: Vec<_> = entries.map(|entry| entry.path()).collect();
        let shown = gitignoring(directory).max_depth(Some(1)).build().flatten();
        let shown: HashSet<_> = shown.map(DirEntry::into_path).collect();
        // What the walk has not met may have gone before, and can come again.
        let is_there = |path: &PathBuf| shown.contains(path) || path.symlink_metadata().is_ok();
        let answers = entries.into_iter().filter(is_there).map(|path| {
            let is_hidden = !shown.contains(&path);
            (path, is_hidden)
        });
        self.known.borrow_mut().extend(answers);
    }
}

/// A walk through a directory that leaves out what version control is told to leave out.
pub(super) fn gitignoring(directory: &Path) -> WalkBuilder {
    let mut builder = WalkBuilder::new(directory);
    builder.hidden(false).ignore(false).require_git(false);
    builder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_question_is_answered_for_a_whole_directory() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path(".gitignore"), "*.log\n").unwrap();
        for number in 0..10 {
            fs::write(path(&format!("{number}.txt")), "").unwrap();
            fs::write(path(&format!("{number}.log")), "").unwrap();
        }
        let hidden = Hidden::default();
        assert!(!hidden.contains(&path("missing.log")), "it is not there");
        assert!(hidden.known.borrow().is_empty());
        assert!(hidden.contains(&path("0.log")));
        let known = hidden.known.borrow().clone();
        assert_eq!(known.len(), 21);
        let logs = known.iter().filter(|(path, _)| path.extension().is_some_and(|end| end == "log"));
        assert!(logs.clone().all(|(_, hidden)| *hidden) && logs.count() == 10);
        assert_eq!(known.values().filter(|hidden| **hidden).count(), 10);
    }
}
