//! The template that runs are forked from, and what is known of it.

use std::ffi::OsString;
use std::time::Duration;

use hr_forkserver::protocol::{Exclusion, ImportFailure, Problem, SnapshotId, TemplateState};
use hr_forkserver::transaction::Cause;
use hr_forkserver::{SnapshotTree, Template};

use super::inputs::Inputs;
use super::scan::{Scan, Wanted};

/// A template and its past.
#[derive(Debug)]
pub(crate) struct Current {
    pub(crate) snapshot: SnapshotId,
    /// How many layers it stands on.
    pub(crate) layers: usize,
    /// Planned modules it has imported, in that order.
    modules: Vec<String>,
    /// Planned modules it has not, with the reason.
    excluded: Vec<(String, Cause)>,
    inputs: Inputs,
    build: Duration,
}

impl Current {
    /// What `template` is when it was built from nothing.
    pub(crate) fn built(template: Template) -> Self {
        let Template { snapshot, modules, excluded, files, began, elapsed } = template;
        let mut inputs = Inputs::default();
        inputs.add(files, began);
        Self { snapshot, layers: 0, modules, excluded, inputs, build: elapsed }
    }

    /// What `template` is when it was built on top of this one.
    pub(crate) fn layered(&self, template: Template) -> Self {
        let Template { snapshot, modules, excluded, files, began, elapsed } = template;
        let mut inputs = self.inputs.clone();
        inputs.add(files, began);
        let tried_again =
            |name: &String| modules.contains(name) || excluded.iter().any(|(other, _)| other == name);
        let still_excluded = self.excluded.iter().filter(|(name, _)| !tried_again(name)).cloned();
        let all_excluded = still_excluded.chain(excluded.iter().cloned()).collect();
        let all_modules = self.modules.iter().cloned().chain(modules.iter().cloned()).collect();
        Self {
            snapshot,
            layers: self.layers + 1,
            modules: all_modules,
            excluded: all_excluded,
            inputs,
            build: elapsed,
        }
    }

    /// The modules that it was built for and that need not be tried again: a module that was not found then and is
    /// found by `scan` is not one of them.
    pub(crate) fn planned(&self, scan: &Scan) -> Vec<String> {
        let appeared = |name: &String, cause: &Cause| {
            *cause == Cause::Failed(ImportFailure::NotFound)
                && scan.modules.iter().any(|wanted| wanted.module == *name && wanted.resolved)
        };
        let excluded =
            self.excluded.iter().filter(|(name, cause)| !appeared(name, cause)).map(|(name, _)| name);
        self.modules.iter().chain(excluded).cloned().collect()
    }

    /// Whether everything it has loaded is still what it was.
    pub(crate) fn is_valid(&self) -> bool {
        self.inputs.hold()
    }

    /// Files it has loaded and that are no longer what they were.
    pub(crate) fn changed_files(&self) -> Vec<OsString> {
        self.inputs.changed()
    }

    /// Its state for people: of what was left out, that which `scan` still asks for.
    pub(crate) fn state(&self, tree: &SnapshotTree, scan: &Scan) -> TemplateState {
        let place = |name: &String| scan.modules.iter().find(|wanted| wanted.module == *name);
        let excluded = self.excluded.iter().filter_map(|(name, cause)| Some(place(name)?.excluded(cause)));
        TemplateState {
            supervisor: nix::unistd::getpid().as_raw(),
            template: tree.pid(self.snapshot).unwrap_or_default(),
            modules: self.modules.clone(),
            excluded: excluded.collect::<Vec<Exclusion>>(),
            problems: scan.problems.clone() as Vec<Problem>,
            build_micros: u64::try_from(self.build.as_micros()).unwrap_or(u64::MAX),
        }
    }
}

/// The names of `wanted`, in order.
pub(crate) fn names(wanted: &[Wanted]) -> Vec<String> {
    wanted.iter().map(|wanted| wanted.module.clone()).collect()
}
