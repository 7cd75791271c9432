//! The snapshots that runs may be forked from, as a tree: each node a paused process and what went into it.
//!
//! A change makes useless only the nodes that have consumed what changed, and those that stand on them. A run, or the
//! next build, grows from the deepest node that is left. Nothing here knows what a node paused before: a template, a
//! layer and a checkpoint differ in what they have consumed, and in that alone.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use hr_forkserver::protocol::{
    ImportProfile, Loaded, OpenedFile, ProcessContext, SnapshotId, TargetInterpreter,
};
use hr_forkserver::{SnapshotTree, Template};

use super::absences::Absences;
use super::basis::Basis;
use super::inputs::Inputs;
use super::listings::Listings;
use super::memory::{Circumstances, Surroundings};
use super::resolution::Resolutions;
use super::scan::Wanted;
use super::watch::Watch;
use super::writes::{Dependence, Writes};

/// Names one interpreter context: a search path and an environment that snapshots were started with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ContextId(u64);

/// A paused process, and what it has consumed beyond what its parent has.
#[derive(Debug)]
struct Node {
    parent: Option<SnapshotId>,
    context: ContextId,
    /// Planned modules it has imported itself, in that order.
    modules: Vec<String>,
    /// Planned modules that it does not have.
    excluded: Vec<Excluded>,
    inputs: Inputs,
    absences: Absences,
    listings: Listings,
    resolutions: Resolutions,
    basis: Basis,
    /// Variables that its imports have read, or were given up for.
    variables: BTreeSet<OsString>,
    dependence: Dependence,
    /// The project's files that the dependence was found in.
    sources: Inputs,
    build: Duration,
    /// What its imports have cost, those of what it stands on included.
    profile: Option<Box<ImportProfile>>,
    fit: Fit,
}

impl Node {
    fn is_current(&self) -> bool {
        self.resolutions.moved().is_empty() && self.changed().is_empty() && self.sources.changed().is_empty()
    }

    /// Planned modules that were imported, or given up, here.
    fn tried(&self) -> Vec<String> {
        let excluded = self.excluded.iter().map(|excluded| &excluded.module);
        self.modules.iter().chain(excluded).cloned().collect()
    }

    /// Takes note of what it has found in the environment, according to the last scan.
    fn depend(&mut self, demand: Demand<'_>, watch: &Watch) {
        self.dependence = Dependence::new(&self.tried(), &self.variables, demand);
        self.sources = Inputs::new(self.dependence.files(demand), demand.writes.at, watch);
    }

    /// What it has looked at and would find changed.
    fn changed(&self) -> Vec<OsString> {
        [self.inputs.changed(), self.absences.changed(), self.listings.changed()].concat()
    }
}

/// A planned module that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Excluded {
    pub(crate) module: String,
    /// For people.
    pub(crate) cause: String,
    /// What it is worth another try in is not these.
    pub(crate) circumstances: Circumstances,
}

/// A snapshot that was just built.
#[derive(Debug)]
pub(crate) struct New {
    pub(crate) template: Template,
    /// What it lacks.
    pub(crate) excluded: Vec<Excluded>,
    /// Variables that modules were given up for.
    pub(crate) undecided: Vec<OsString>,
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

/// What has changed of what snapshots have consumed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Stale {
    /// Files that are no longer what was loaded, and directories that no longer hold what was found.
    pub(crate) files: BTreeSet<OsString>,
    /// Names that would be found elsewhere now.
    pub(crate) names: BTreeSet<String>,
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

    fn fit(&self, demand: Demand<'_>) -> Fit {
        Fit { missing: self.missing(demand).len(), surplus: self.surplus(demand.modules).len() }
    }
}

/// The tree.
#[derive(Debug)]
pub(crate) struct Snapshots {
    watch: Watch,
    nodes: BTreeMap<SnapshotId, Node>,
    /// The contexts that snapshots were started with, the one used last at the end.
    contexts: Vec<(ContextId, TargetInterpreter)>,
    contexts_made: u64,
}

impl Snapshots {
    /// None yet. What happens to what they will have consumed is heard from `watch`.
    pub(crate) fn new(watch: Watch) -> Self {
        Self { watch, nodes: BTreeMap::new(), contexts: Vec::new(), contexts_made: 0 }
    }

    /// The context that snapshots of `interpreter` belong to. It is the one used last from now on.
    pub(crate) fn context(&mut self, interpreter: &TargetInterpreter) -> ContextId {
        let known = self.contexts.iter().find(|(_, known)| known == interpreter).map(|(id, _)| *id);
        let id = known.unwrap_or_else(|| {
            self.contexts_made += 1;
            self.contexts.push((ContextId(self.contexts_made), interpreter.clone()));
            ContextId(self.contexts_made)
        });
        self.used(id);
        id
    }

    /// What snapshots of `context` were started with.
    pub(crate) fn interpreter(&self, context: ContextId) -> Option<&TargetInterpreter> {
        self.contexts.iter().find(|(id, _)| *id == context).map(|(_, interpreter)| interpreter)
    }

    /// Takes note of a use of `context`.
    fn used(&mut self, context: ContextId) {
        if let Some(index) = self.contexts.iter().position(|(id, _)| *id == context) {
            self.contexts[index..].rotate_left(1);
        }
    }

    /// The context used last.
    pub(crate) fn active(&self) -> Option<ContextId> {
        self.contexts.last().map(|(id, _)| *id)
    }

    /// Adds a snapshot, started in `context` and forked from `parent`. Returns whether it was: a snapshot whose parent
    /// is gone would not know what that has consumed.
    pub(crate) fn insert(
        &mut self,
        new: New,
        context: ContextId,
        parent: Option<SnapshotId>,
        demand: Demand<'_>,
    ) -> bool {
        let New { template, excluded, undecided } = new;
        let Template { snapshot, modules, excluded: _, loaded, began, elapsed } = template;
        let Some(interpreter) = self.interpreter(context) else { return false };
        if parent.is_some_and(|parent| !self.nodes.contains_key(&parent)) {
            return false;
        }
        let Loaded { mut files, mut names, mut absent, variables, mut opened, mut listed, profile } = loaded;
        // What it stands on has consumed the rest.
        for (_, below) in parent.into_iter().flat_map(|parent| self.line(parent)) {
            files.retain(|file| !below.inputs.contains(file));
            opened.retain(|OpenedFile { path, .. }| {
                !below.inputs.contains(path) && !below.absences.contains(path)
            });
            listed.retain(|listed| !below.listings.contains(listed));
            names.retain(|(name, _)| !below.resolutions.contains(name));
            absent.retain(|name| !below.resolutions.contains(name));
        }
        let mut inputs = Inputs::new(files, began, &self.watch);
        let mut absences = Absences::default();
        for file in opened {
            match file.stamp {
                Some(_) => inputs.add_opened(file),
                None => absences.add(Path::new(&file.path)),
            }
        }
        let mut listings = Listings::default();
        listings.add(listed);
        let mut node = Node {
            parent,
            context,
            modules,
            excluded,
            inputs,
            absences,
            listings,
            resolutions: Resolutions::new(&interpreter.sys_path, &names, &absent, began),
            dependence: Dependence::default(),
            sources: Inputs::new(Vec::new(), began, &self.watch),
            variables: variables.iter().cloned().chain(undecided).collect(),
            basis: Basis::new(interpreter, variables),
            build: elapsed,
            profile,
            fit: Fit::default(),
        };
        node.depend(demand, &self.watch);
        self.nodes.insert(snapshot, node);
        self.rate(demand);
        true
    }

    /// All of them.
    pub(crate) fn ids(&self) -> impl Iterator<Item = SnapshotId> {
        self.nodes.keys().copied()
    }

    /// Whether runs are forked from `snapshot` rather than from what stands on it. It may have died.
    pub(crate) fn serves(&self, snapshot: SnapshotId) -> bool {
        self.nodes.contains_key(&snapshot) && self.nodes.values().all(|node| node.parent != Some(snapshot))
    }

    /// The snapshot of `context` that was made last, alive or not.
    pub(crate) fn newest_in(&self, context: ContextId) -> Option<SnapshotId> {
        self.nodes.iter().rev().find(|(_, node)| node.context == context).map(|(id, _)| *id)
    }

    /// A snapshot and all that it stands on, from the top down.
    fn line(&self, top: SnapshotId) -> impl Iterator<Item = (SnapshotId, &Node)> {
        let mut next = Some(top);
        std::iter::from_fn(move || {
            let id = next?;
            let node = self.nodes.get(&id)?;
            next = node.parent;
            Some((id, node))
        })
    }

    /// What `top` holds.
    pub(crate) fn holding(&self, top: SnapshotId) -> Holding {
        let line: Vec<_> = self.line(top).map(|(_, node)| node).collect();
        let mut holding = Holding {
            build: line.first().map(|node| node.build).unwrap_or_default(),
            layers: line.len().saturating_sub(1),
            ..Holding::default()
        };
        for node in line.into_iter().rev() {
            // What a layer tries again counts as what became of it there.
            let tried = |name: &String| {
                node.modules.contains(name) || node.excluded.iter().any(|other| other.module == *name)
            };
            holding.excluded.retain(|excluded| !tried(&excluded.module));
            holding.modules.extend(node.modules.iter().cloned());
            holding.excluded.extend(node.excluded.iter().cloned());
        }
        holding
    }

    /// Sets how well each node fits what is in demand now.
    pub(crate) fn rate(&mut self, demand: Demand<'_>) {
        let fits: Vec<_> = self.nodes.keys().map(|id| (*id, self.holding(*id).fit(demand))).collect();
        for (id, fit) in fits {
            if let Some(node) = self.nodes.get_mut(&id) {
                node.fit = fit;
            }
        }
    }

    /// What the imports of `snapshot` have cost, if that was measured.
    pub(crate) fn profile(&self, snapshot: SnapshotId) -> Option<&ImportProfile> {
        self.nodes.get(&snapshot)?.profile.as_deref()
    }

    /// How well `snapshot` fits.
    pub(crate) fn fit(&self, snapshot: SnapshotId) -> Fit {
        self.nodes.get(&snapshot).map(|node| node.fit).unwrap_or_default()
    }

    /// The context `snapshot` was started in.
    pub(crate) fn context_of(&self, snapshot: SnapshotId) -> Option<ContextId> {
        self.nodes.get(&snapshot).map(|node| node.context)
    }

    /// Nodes that are alive and chosen by `select`, the best fitting first; of two alike, the newer.
    fn by_fit(&self, tree: &SnapshotTree, select: impl Fn(&Node) -> bool) -> Vec<SnapshotId> {
        let chosen = self.nodes.iter().filter(|(id, node)| select(node) && tree.is_alive(**id));
        let mut chosen: Vec<_> = chosen.map(|(id, node)| (node.fit, std::cmp::Reverse(*id))).collect();
        chosen.sort_unstable();
        chosen.into_iter().map(|(_, id)| id.0).collect()
    }

    /// The best snapshot that a run with `context` may be forked from at this moment: all that went into it, and into
    /// what it stands on, is what it was.
    pub(crate) fn best_for(&mut self, tree: &SnapshotTree, context: &ProcessContext) -> Option<SnapshotId> {
        let suitable = self.by_fit(tree, |node| node.basis.suits(context));
        let best = suitable.into_iter().find(|id| self.line(*id).all(|(_, node)| node.is_current()))?;
        if let Some(context) = self.context_of(best) {
            self.used(context);
        }
        Some(best)
    }

    /// The context, if any, whose best snapshot suits `context`.
    pub(crate) fn context_for(&self, tree: &SnapshotTree, context: &ProcessContext) -> Option<ContextId> {
        let ids = self.contexts.iter().rev().map(|(id, _)| *id);
        ids.into_iter().find(|id| {
            let best = self.best_in(tree, *id).and_then(|best| self.nodes.get(&best));
            best.is_some_and(|node| node.basis.suits(context))
        })
    }

    /// The best snapshot of `context` that is alive. Whether it is current was not asked.
    pub(crate) fn best_in(&self, tree: &SnapshotTree, context: ContextId) -> Option<SnapshotId> {
        self.by_fit(tree, |node| node.context == context).into_iter().next()
    }

    /// Takes out what has consumed something that has changed, all that stands on it, and what nobody will need:
    /// so many `contexts` are kept, and of each the best snapshot and what it stands on. What is `in_use` stays, too.
    pub(crate) fn prune(
        &mut self,
        tree: &mut SnapshotTree,
        demand: Demand<'_>,
        contexts: usize,
        in_use: &[SnapshotId],
    ) -> Stale {
        let mut stale = Stale::default();
        let mut outdated = BTreeSet::new();
        for (id, node) in &mut self.nodes {
            // A parent is older than what was forked from it, and so comes first.
            let parent = node.parent.is_some_and(|parent| outdated.contains(&parent));
            let (files, names) = (node.changed(), node.resolutions.moved());
            let written = !node.dependence.holds(&node.tried(), &node.variables, demand);
            if written {
                stale.files.extend(node.sources.changed());
            } else {
                // What was written is the same, wherever it stands now.
                node.depend(demand, &self.watch);
            }
            if parent || written || !files.is_empty() || !names.is_empty() {
                outdated.insert(*id);
            }
            stale.files.extend(files);
            stale.names.extend(names);
        }
        self.remove(tree, |id| !outdated.contains(&id));
        self.collect(tree, contexts, in_use);
        stale
    }

    /// Takes out what nobody will need: see [`Snapshots::prune`].
    pub(crate) fn collect(&mut self, tree: &mut SnapshotTree, contexts: usize, in_use: &[SnapshotId]) {
        let forgotten = self.contexts.len().saturating_sub(contexts);
        self.contexts.drain(..forgotten);
        let best = self.contexts.iter().filter_map(|(id, _)| self.best_in(tree, *id));
        let tops = best.chain(in_use.iter().copied());
        let kept: BTreeSet<_> =
            tops.flat_map(|top| self.line(top).map(|(id, _)| id).collect::<Vec<_>>()).collect();
        self.remove(tree, |id| kept.contains(&id));
    }

    fn remove(&mut self, tree: &mut SnapshotTree, keep: impl Fn(SnapshotId) -> bool) {
        self.nodes.retain(|id, _| {
            let kept = keep(*id);
            if !kept {
                // Its runs go on undisturbed; it ends with the last of them.
                tree.retire(*id);
            }
            kept
        });
    }
}
