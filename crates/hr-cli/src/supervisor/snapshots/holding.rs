//! What a line of snapshots holds, and how far that is from what a project asks for.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::supervisor::memory::{Circumstances, Surroundings};
use crate::supervisor::scan::Wanted;
use crate::supervisor::writes::Writes;

/// A planned module that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Excluded {
    pub(crate) module: String,
    /// For people.
    pub(crate) cause: String,
    /// What it is worth another try in is not these.
    pub(crate) circumstances: Circumstances,
}

/// What a project asks of a snapshot, in the circumstances of this moment.
#[derive(Clone, Copy)]
pub(crate) struct Demand<'a> {
    pub(crate) modules: &'a [Wanted],
    pub(crate) writes: &'a Writes,
    pub(crate) surroundings: &'a Surroundings,
}

/// How far a node is from what the project asks for; less is better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fit {
    /// Modules it lacks and has not tried.
    pub(crate) missing: usize,
    /// Modules it holds and nobody wants.
    pub(crate) surplus: usize,
}

/// What a line of snapshots holds: one of them, and all that it stands on.
#[derive(Debug, Default)]
pub(crate) struct Holding {
    /// Planned modules that are imported, in that order.
    pub(crate) modules: Vec<String>,
    /// Planned modules that are not.
    pub(crate) excluded: Vec<Excluded>,
    /// How long building the last of them took.
    pub(crate) build: Duration,
    /// How many snapshots it stands on.
    pub(crate) layers: usize,
}

impl Holding {
    /// Modules that are in demand and have not been tried in these circumstances.
    pub(crate) fn missing(&self, demand: Demand<'_>) -> Vec<String> {
        let given_up = self
            .excluded
            .iter()
            .filter(|excluded| demand.surroundings.of_module(&excluded.module) == excluded.circumstances);
        let given_up = given_up.map(|excluded| &excluded.module);
        let tried: BTreeSet<&str> = self.modules.iter().chain(given_up).map(String::as_str).collect();
        let names = demand.modules.iter().map(|wanted| &wanted.module);
        names.filter(|name| !tried.contains(name.as_str())).cloned().collect()
    }

    /// Modules that were planned once and that nobody wants now.
    pub(crate) fn surplus(&self, wanted: &[Wanted]) -> Vec<String> {
        let wanted: BTreeSet<&str> = wanted.iter().map(|wanted| wanted.module.as_str()).collect();
        let planned = self.modules.iter().chain(self.excluded.iter().map(|excluded| &excluded.module));
        planned.filter(|name| !wanted.contains(name.as_str())).cloned().collect()
    }

    /// How well it fits.
    pub(super) fn fit(&self, demand: Demand<'_>) -> Fit {
        Fit { missing: self.missing(demand).len(), surplus: self.surplus(demand.modules).len() }
    }
}
