//! The template that runs are forked from, and what is known of it.

use std::ffi::OsString;
use std::time::Duration;

use hr_forkserver::protocol::{
    Exclusion, ImportFailure, Problem, ProcessContext, SnapshotId, TargetInterpreter, TemplateState,
};
use hr_forkserver::transaction::Cause;
use hr_forkserver::{SnapshotTree, Template};

use super::basis::Basis;
use super::inputs::Inputs;
use super::resolution::Resolutions;
use super::scan::{Scan, Wanted};
use super::watch::Watch;

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
    resolutions: Resolutions,
    basis: Basis,
    build: Duration,
}

impl Current {
    /// What `template`, a template of `interpreter`, is when it was built from nothing.
    pub(crate) fn built(template: Template, interpreter: &TargetInterpreter, watch: &Watch) -> Self {
        let Template { snapshot, modules, excluded, loaded, began, elapsed } = template;
        Self {
            snapshot,
            layers: 0,
            modules,
            excluded,
            inputs: Inputs::new(loaded.files, began, watch),
            resolutions: Resolutions::new(&interpreter.sys_path, &loaded.names, began),
            basis: Basis::new(interpreter, loaded.variables),
            build: elapsed,
        }
    }

    /// What `template` is when it was built on top of this one. It has consumed what this one has, and more.
    pub(crate) fn layered(&self, template: Template, interpreter: &TargetInterpreter, watch: &Watch) -> Self {
        let tried = |name: &String| {
            template.modules.contains(name) || template.excluded.iter().any(|(other, _)| other == name)
        };
        let old_modules = self.modules.iter().filter(|name| !tried(name)).cloned();
        let old_excluded = self.excluded.iter().filter(|(name, _)| !tried(name)).cloned();
        let (modules, excluded) = (old_modules.collect::<Vec<_>>(), old_excluded.collect::<Vec<_>>());
        let mut layered = Self::built(template, interpreter, watch);
        // What was loaded before the layer began is known as it was then.
        layered.inputs = layered.inputs.after(&self.inputs);
        layered.modules.splice(0..0, modules);
        layered.excluded.splice(0..0, excluded);
        layered.layers = self.layers + 1;
        layered
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

    /// Whether a run with `context` may start from it at this moment: everything it has consumed is what it was.
    pub(crate) fn is_valid_for(&self, context: &ProcessContext) -> bool {
        self.basis.suits(context) && self.resolutions.moved().is_empty() && self.inputs.hold()
    }

    /// Whether it was started with what matters of `context`.
    pub(crate) fn suits(&self, context: &ProcessContext) -> bool {
        self.basis.suits(context)
    }

    /// Names it has loaded that would be found elsewhere now.
    pub(crate) fn moved_names(&self) -> Vec<String> {
        self.resolutions.moved()
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
