//! What the project writes to the environment before it imports a library, and which snapshots depend on it. Pure.
//!
//! A library that reads such a variable while it is imported must find in a template what it would find in a fresh
//! process. Constants are written for it; a library that reads what is only known at run time is left to runs.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hr_forkserver::protocol::{EnvironmentWrite, ImportFailure};
use hr_forkserver::transaction::Cause;
use hr_graph::PlannedWrite;

use super::basis::is_read_unseen;
use super::snapshots::Demand;

/// A write, and the file that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) write: EnvironmentWrite,
    pub(crate) file: PathBuf,
}

impl Write {
    /// A planned write of the project at `root`. What may not happen is as good as unknown.
    pub(crate) fn new(planned: &PlannedWrite, root: &Path) -> Self {
        let PlannedWrite { key, value, only_if_unset, location, certain, .. } = planned;
        let write = EnvironmentWrite {
            variable: key.into(),
            value: value.as_ref().filter(|_| *certain).map(OsString::from),
            only_if_unset: *only_if_unset,
            place: format!("{}:{}", location.file.display(), location.line),
        };
        Self { write, file: root.join(&location.file) }
    }
}

/// All writes, in the order in which Python would come by, as they were found at a moment.
#[derive(Clone, Debug)]
pub(crate) struct Writes {
    pub(crate) list: Vec<Write>,
    pub(crate) at: SystemTime,
}

impl Default for Writes {
    fn default() -> Self {
        Self { list: Vec::new(), at: SystemTime::UNIX_EPOCH }
    }
}

/// What the modules of a snapshot have found written, of what they read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dependence {
    variables: BTreeSet<OsString>,
    found: BTreeMap<String, Vec<EnvironmentWrite>>,
}

impl Dependence {
    /// What `modules` depend on, that were imported for `demand` and have `read` these variables.
    pub(crate) fn new(modules: &[String], read: &BTreeSet<OsString>, demand: Demand<'_>) -> Self {
        let variables: BTreeSet<_> = demand
            .writes
            .list
            .iter()
            .map(|Write { write, .. }| &write.variable)
            .filter(|variable| read.contains(*variable) || is_read_unseen(variable))
            .cloned()
            .collect();
        let found = found(modules, &variables, demand);
        Self { variables, found }
    }

    /// Whether `modules` would find the same now, those that are still asked for.
    pub(crate) fn holds(&self, modules: &[String], read: &BTreeSet<OsString>, demand: Demand<'_>) -> bool {
        let now = Self::new(modules, read, demand);
        let differ = |module: &&String| now.found.get(*module) != self.found.get(*module);
        let mut differing = now.found.keys().chain(self.found.keys()).filter(differ);
        !differing.any(|module| demand.modules.iter().any(|wanted| wanted.module == *module))
    }

    /// The files that hold what was found.
    pub(crate) fn files(&self, demand: Demand<'_>) -> Vec<OsString> {
        let relevant =
            demand.writes.list.iter().filter(|Write { write, .. }| self.variables.contains(&write.variable));
        relevant.map(|write| write.file.clone().into_os_string()).collect()
    }
}

fn found(
    modules: &[String],
    variables: &BTreeSet<OsString>,
    demand: Demand<'_>,
) -> BTreeMap<String, Vec<EnvironmentWrite>> {
    if variables.is_empty() {
        return BTreeMap::new();
    }
    let modules: BTreeSet<&str> = modules.iter().map(String::as_str).collect();
    let wanted = demand.modules.iter().filter(|wanted| modules.contains(wanted.module.as_str()));
    let found = wanted.map(|wanted| {
        let before = demand.writes.list.iter().take(wanted.written).map(|Write { write, .. }| write);
        let relevant = before.filter(|write| variables.contains(&write.variable)).map(|write| {
            // Where it stands is for people.
            EnvironmentWrite { place: String::new(), ..write.clone() }
        });
        (wanted.module.clone(), relevant.collect::<Vec<_>>())
    });
    found.filter(|(_, writes)| !writes.is_empty()).collect()
}

/// The variables that modules were given up for.
pub(crate) fn undecided(failed: &[(String, Cause)]) -> impl Iterator<Item = OsString> {
    failed.iter().filter_map(|(_, cause)| match cause {
        Cause::Failed(ImportFailure::Environment { variable, .. }) => Some(OsString::from(variable)),
        _ => None,
    })
}
