//! The graph after an edit that leaves imports as they were.

use std::ffi::OsString;
use std::sync::Arc;

use hr_imports::{FileImports, Form, Import};
use petgraph::stable_graph::NodeIndex;

use super::{Module, ProjectGraph, dependencies};
use crate::scan::Scanned;

impl ProjectGraph {
    /// The graph with these files as they are now, by their paths. `None` if more than the files themselves may
    /// look different: they import something else, or have something wrong with them.
    pub(crate) fn edited(&self, files: &[(OsString, Arc<Scanned>)]) -> Option<Self> {
        let mut edits = Vec::new();
        for (path, scanned) in files {
            let index = *self.by_file.get(path)?;
            let before = self.graph[index].found.as_ref()?;
            if !Arc::ptr_eq(before, &scanned.found) {
                if !self.leads_to_the_same(index, before, &scanned.found) {
                    return None;
                }
                edits.push((index, scanned));
            }
        }
        let mut this = self.clone();
        for (index, scanned) in edits {
            this.edit(index, scanned);
        }
        Some(this)
    }

    fn leads_to_the_same(&self, index: NodeIndex, before: &FileImports, now: &FileImports) -> bool {
        let file = self.relative(&self.graph[index].file);
        let is_clean = |found: &FileImports| found.problems.is_empty() && found.unresolved.is_empty();
        is_clean(before)
            && is_clean(now)
            && before.imports.len() == now.imports.len()
            && before.imports.iter().zip(&now.imports).all(|(before, now)| ask_the_same(before, now))
            // These tell where they are.
            && !self.unresolved.iter().any(|unresolved| unresolved.place.file == file)
    }

    fn edit(&mut self, index: NodeIndex, scanned: &Scanned) {
        let before = &self.graph[index];
        let mut references = before.references.clone();
        for one in &mut references {
            let import = &scanned.found.imports[one.import as usize];
            (one.location, one.context, one.is_call) = (import.location, import.context, import.is_call());
        }
        if before.references != references || before.environment() != scanned.found.environment {
            self.planned_by = Arc::default();
        }
        // Each edge keeps its number, by which the graph is walked.
        for (target, dependency) in dependencies(index, &references) {
            if let Some(edge) = self.graph.find_edge(index, target) {
                self.graph[edge] = dependency;
            }
        }
        let module = Module {
            references,
            found: Some(Arc::clone(&scanned.found)),
            hash: scanned.hash,
            ..Module::clone(&self.graph[index])
        };
        self.graph[index] = Arc::new(module);
    }
}

/// Whether two imports are resolved alike, whatever surrounds them.
fn ask_the_same(one: &Import, other: &Import) -> bool {
    let shape = |form: &Form| std::mem::discriminant(form);
    one.module == other.module
        && shape(&one.form) == shape(&other.form)
        && one.names().iter().map(|name| &name.name).eq(other.names().iter().map(|name| &name.name))
}
