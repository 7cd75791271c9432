//! One build: where it takes place, and the process it starts with.

use std::time::Instant;

use hr_forkserver::protocol::{BuildEvent, SnapshotId, TargetInterpreter};
use hr_forkserver::{Build, BuildError, Launch, Plan, Progress, SnapshotTree, Template, TreeEvent};
use nix::sys::signal::SigSet;

use super::snapshots::{ContextId, Excluded};

const BOOTSTRAP: &str = include_str!("bootstrap.py");

/// Where a snapshot is built.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site {
    pub(crate) context: ContextId,
    /// What it stands on; nothing if it is a process of its own.
    pub(crate) base: Option<SnapshotId>,
}

/// A snapshot on its way.
#[derive(Debug)]
pub(crate) struct Construction {
    build: Build,
    site: Site,
    known: Vec<Excluded>,
}

impl Construction {
    /// Begins to carry out `plan` at `site`, whose context is `interpreter`'s. Nothing is done about `known` failures.
    pub(crate) fn begin(
        tree: &mut SnapshotTree,
        site: Site,
        interpreter: &TargetInterpreter,
        plan: Plan,
        known: Vec<Excluded>,
        mask: SigSet,
    ) -> Result<Self, BuildError> {
        let build = match site.base {
            Some(base) => Build::layer(tree, base, plan)?,
            None => Build::boot(tree, &launch(interpreter, mask), plan)?,
        };
        Ok(Self { build, site, known })
    }

    /// Where it takes place.
    pub(crate) fn site(&self) -> Site {
        self.site
    }

    /// What it stands on.
    pub(crate) fn base(&self) -> Option<SnapshotId> {
        self.site.base
    }

    /// Modules that it was to import and does not try.
    pub(crate) fn known_failures(self) -> Vec<Excluded> {
        self.known
    }

    /// When [`Construction::expired`] must be called.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.build.deadline()
    }

    /// Gives up an import that takes too long, or tells that it takes long.
    pub(crate) fn expired(&mut self, tree: &mut SnapshotTree) {
        self.build.expired(tree);
    }

    /// What has happened since it was asked for the last time.
    pub(crate) fn events(&mut self) -> Vec<BuildEvent> {
        std::iter::from_fn(|| self.build.next_event()).collect()
    }

    /// Takes note of an event. Returns what was built, once it is.
    pub(crate) fn handle(
        &mut self,
        tree: &mut SnapshotTree,
        event: &TreeEvent,
    ) -> Option<Result<Box<Template>, BuildError>> {
        match self.build.handle(tree, event) {
            Progress::Working => None,
            Progress::Finished(result) => Some(result),
        }
    }
}

fn launch(interpreter: &TargetInterpreter, mask: SigSet) -> Launch {
    let mut arguments = interpreter.options.clone();
    arguments.extend(["-c".into(), BOOTSTRAP.into(), interpreter.package_directory.clone()]);
    Launch {
        program: interpreter.executable.clone(),
        arguments,
        environment: interpreter.environment.clone(),
        mask,
    }
}
