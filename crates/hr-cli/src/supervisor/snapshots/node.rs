//! One paused process, and what went into it.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::time::Duration;

use hr_forkserver::protocol::{ImportProfile, SnapshotId};

use super::consumed::Consumed;
use super::contexts::ContextId;
use super::holding::{Demand, Excluded, Fit};
use crate::supervisor::basis::Basis;
use crate::supervisor::inputs::Inputs;
use crate::supervisor::watch::Watch;
use crate::supervisor::writes::Dependence;

/// A paused process, and what it has consumed beyond what its parent has.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) parent: Option<SnapshotId>,
    pub(super) context: ContextId,
    /// Planned modules it has imported itself, in that order.
    pub(super) modules: Vec<String>,
    /// Planned modules that it does not have.
    pub(super) excluded: Vec<Excluded>,
    pub(super) consumed: Consumed,
    pub(super) basis: Basis,
    /// Variables that its imports have read, or were given up for.
    pub(super) variables: BTreeSet<OsString>,
    pub(super) dependence: Dependence,
    /// The project's files that the dependence was found in.
    pub(super) sources: Inputs,
    pub(super) build: Duration,
    /// What its imports have cost, those of what it stands on included.
    pub(super) profile: Option<Box<ImportProfile>>,
    pub(super) fit: Fit,
}

impl Node {
    /// Whether all that went into it is what it was.
    pub(super) fn is_current(&self) -> bool {
        self.consumed.is_current() && self.sources.changed().is_empty()
    }

    /// Planned modules that were imported, or given up, here.
    pub(super) fn tried(&self) -> Vec<String> {
        let excluded = self.excluded.iter().map(|excluded| &excluded.module);
        self.modules.iter().chain(excluded).cloned().collect()
    }

    /// Takes note of what it has found in the environment, according to the last scan.
    pub(super) fn depend(&mut self, demand: Demand<'_>, watch: &Watch) {
        self.dependence = Dependence::new(&self.tried(), &self.variables, demand);
        self.sources = Inputs::new(self.dependence.files(demand), demand.writes.at, watch);
    }
}
