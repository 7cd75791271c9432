//! Follows imports from file to file.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::PathBuf;

use hr_imports::Problem as FileProblem;
use rustc_hash::FxHashSet;

use super::SourceFile;
use super::read::{Outcome, Trust, read_all};
use crate::cache::Known;
use crate::finder::Finder;
use crate::interpreter::Interpreter;
use crate::project::Project;
use crate::resolve;

/// How many files are read at once, at most: enough to keep all threads busy, few enough that following their imports
/// does not begin late.
const BATCH: usize = 256;

/// Follows imports from file to file.
pub(super) struct Following<'a> {
    project: &'a Project,
    pub(super) finder: Finder<'a>,
    /// Files to be read.
    pending: VecDeque<SourceFile>,
    /// Every file that was or is to be read.
    requested: FxHashSet<OsString>,
    /// By number, the modules that were met.
    seen: Vec<bool>,
    pub(super) files: Vec<SourceFile>,
    /// Of files that cannot be read.
    pub(super) problems: Vec<(PathBuf, FileProblem)>,
}

impl<'a> Following<'a> {
    pub(super) fn new(project: &'a Project, finder: Finder<'a>, seeds: Vec<SourceFile>) -> Self {
        let requested = seeds.iter().map(|file| file.path.clone().into_os_string()).collect();
        Self {
            project,
            finder,
            pending: seeds.into(),
            requested,
            seen: Vec::new(),
            files: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Reads all files, and those that they lead to.
    pub(super) fn read(&mut self, known: &Known, trust: Trust, interpreter: &Interpreter) {
        let mut read = Vec::new();
        loop {
            let batch = self.next_batch();
            if batch.is_empty() && read.is_empty() {
                break;
            }
            // One thread follows imports while the others read on.
            let (outcomes, ()) =
                rayon::join(|| read_all(batch, known, trust, interpreter), || self.follow_all(read));
            read = outcomes;
        }
    }

    fn next_batch(&mut self) -> Vec<SourceFile> {
        self.pending.drain(..self.pending.len().min(BATCH)).collect()
    }

    fn follow_all(&mut self, outcomes: Vec<Outcome>) {
        for outcome in outcomes {
            match outcome {
                Ok(file) => self.follow(file),
                Err(problem) => self.problems.push(problem),
            }
        }
    }

    fn follow(&mut self, mut file: SourceFile) {
        file.references = resolve::file_references(&file, &mut self.finder);
        for id in resolve::first_party(&file, &mut self.finder) {
            if self.seen.len() < self.finder.len() {
                self.seen.resize(self.finder.len(), false);
            }
            if std::mem::replace(&mut self.seen[id as usize], true) {
                continue;
            }
            let Some(path) = &self.finder.get(id).file else { continue };
            if !self.requested.contains(path.as_os_str())
                && let Some((module, is_package)) = self.project.module_name(path)
            {
                self.requested.insert(path.clone().into_os_string());
                self.pending.push_back(SourceFile::new(path.clone(), module, is_package));
            }
        }
        self.files.push(file);
    }
}
