//! What happened between two states of a project.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use petgraph::visit::IntoNodeReferences;

use crate::graph::{Module, ProjectGraph};
use crate::scan::ScanOptions;

/// What one file's change means.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Comments, blanks, formatting: the same code on the same lines.
    Cosmetic,
    /// Only strings that are statements, docstrings mostly. A program may still read them.
    Docstrings,
    /// Code.
    Code,
    /// The file can no longer be read or parsed as a whole.
    Unreadable,
    /// There is a new file.
    Added,
    /// A file is gone.
    Deleted,
    /// A file lies elsewhere, unchanged.
    Moved {
        /// Where it lay, relative to the root.
        from: PathBuf,
    },
}

/// A file that changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChangedFile {
    /// Relative to the root where it lies in it.
    pub file: PathBuf,
    /// The module it holds or held.
    pub module: String,
    /// What happened to it.
    pub change: Change,
}

/// What happened between two states of a project.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// The files that changed, sorted.
    pub files: Vec<ChangedFile>,
    /// Modules of others that are planned now and were not before, in plan order.
    pub imports_added: Vec<String>,
    /// Modules of others that were planned before and are not now, in the order of the old plan.
    pub imports_removed: Vec<String>,
}

impl Changes {
    /// Whether a program would run exactly as before: at most comments and formatting changed.
    pub fn is_nothing(&self) -> bool {
        self.files.iter().all(|file| file.change == Change::Cosmetic) && !self.touches_imports()
    }

    /// Whether the import plan differs as a set.
    pub fn touches_imports(&self) -> bool {
        !self.imports_added.is_empty() || !self.imports_removed.is_empty()
    }

    /// Whether a file of the new state cannot be read or parsed: what was running should keep running.
    pub fn has_unreadable(&self) -> bool {
        self.files.iter().any(|file| file.change == Change::Unreadable)
    }
}

impl ProjectGraph {
    /// What happened between `self`, the earlier state, and `now`.
    pub fn changes(&self, now: &Self, options: &ScanOptions) -> Changes {
        let (before, after) = (self.plan(options), now.plan(options));
        let names = |plan: &crate::plan::ImportPlan| -> BTreeSet<String> {
            plan.modules.iter().map(|module| module.name.clone()).collect()
        };
        let (old, new) = (names(&before), names(&after));
        let only = |plan: crate::plan::ImportPlan, other: &BTreeSet<String>| -> Vec<String> {
            plan.modules.into_iter().map(|module| module.name).filter(|name| !other.contains(name)).collect()
        };
        Changes {
            files: self.changed_files(now),
            imports_added: only(after, &old),
            imports_removed: only(before, &new),
        }
    }

    /// The files that differ between `self`, the earlier state, and `now`, sorted.
    pub fn changed_files(&self, now: &Self) -> Vec<ChangedFile> {
        changed_files(self, now)
    }
}

fn changed_files(before: &ProjectGraph, now: &ProjectGraph) -> Vec<ChangedFile> {
    let mut files = Vec::new();
    if now.has_modules_of(before) {
        // Each has its place, and most are shared.
        for (index, module) in now.graph.node_references() {
            let old = &before.graph[index];
            if !Arc::ptr_eq(old, module) {
                files.extend(modification(old, module).map(|change| changed(now, module, change)));
            }
        }
        files.sort();
        return files;
    }
    let mut added = Vec::new();
    for module in now.modules() {
        match before.by_file.get(module.file.as_os_str()).map(|index| &before.graph[*index]) {
            None => added.push(module),
            Some(old) => files.extend(modification(old, module).map(|change| changed(now, module, change))),
        }
    }
    let mut gone: BTreeMap<u64, Vec<&Module>> = BTreeMap::new();
    for module in before.modules().filter(|module| !now.by_file.contains_key(module.file.as_os_str())) {
        gone.entry(module.hash).or_default().push(module);
    }
    for module in added {
        let same_content = gone.get_mut(&module.hash).filter(|_| module.found.is_some()).and_then(Vec::pop);
        let change = match same_content {
            Some(old) => Change::Moved { from: before.relative(&old.file).to_owned() },
            None if module.is_readable() => Change::Added,
            None => Change::Unreadable,
        };
        files.push(changed(now, module, change));
    }
    for module in gone.into_values().flatten() {
        files.push(changed(before, module, Change::Deleted));
    }
    files.sort();
    files
}

fn changed(graph: &ProjectGraph, module: &Module, change: Change) -> ChangedFile {
    ChangedFile { file: graph.relative(&module.file).to_owned(), module: module.name.clone(), change }
}

fn modification(old: &Module, new: &Module) -> Option<Change> {
    if old.hash == new.hash && old.is_readable() == new.is_readable() {
        return None;
    }
    if !new.is_readable() {
        return Some(Change::Unreadable);
    }
    let (Some(before), Some(now)) = (old.fingerprint(), new.fingerprint()) else { return Some(Change::Code) };
    // What could not be parsed has no fingerprint to be trusted.
    Some(if before.code != now.code || !old.is_readable() {
        Change::Code
    } else if before.docstrings != now.docstrings {
        Change::Docstrings
    } else {
        Change::Cosmetic
    })
}
