//! The snapshots that runs may be forked from, as a tree: each node a paused process and what went into it.
//!
//! A change makes useless only the nodes that have consumed what changed, and those that stand on them. A run, or the
//! next build, grows from the deepest node that is left. Nothing here knows what a node paused before: a template, a
//! layer and a checkpoint differ in what they have consumed, and in that alone.

mod consumed;
mod contexts;
mod holding;
mod kind;
mod known_kinds;
mod memory_limit;
mod node;
mod past;
mod pruning;
mod start;
mod thinning;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Instant;

use hr_forkserver::protocol::{ImportProfile, ProcessContext, SnapshotId, SnapshotRole, TargetInterpreter};
use hr_forkserver::{SnapshotTree, Template};

use self::consumed::Consumed;
pub(crate) use self::contexts::ContextId;
use self::contexts::Contexts;
pub(crate) use self::holding::{Demand, Excluded, Fit, Holding};
pub(crate) use self::kind::Kind;
pub(crate) use self::memory_limit::MemorySaved;
use self::node::Node;
use self::past::Past;
pub(crate) use self::pruning::Stale;
pub(crate) use self::start::Start;
use super::basis::Basis;
use super::inputs::Inputs;
use super::watch::Watch;
use super::writes::Dependence;

/// A snapshot that was just built.
#[derive(Debug)]
pub(crate) struct New {
    pub(crate) template: Template,
    /// What it lacks.
    pub(crate) excluded: Vec<Excluded>,
    /// Variables that modules were given up for.
    pub(crate) undecided: Vec<OsString>,
}

/// The tree.
#[derive(Debug)]
pub(crate) struct Snapshots {
    watch: Watch,
    nodes: BTreeMap<SnapshotId, Node>,
    contexts: Contexts,
    pasts: Past,
    /// Checkpoints that are of no use any more, and are still to be told to end.
    outdated: Vec<SnapshotId>,
    /// Until when nobody looks how much memory checkpoints take.
    memory_rests: Option<Instant>,
}

impl Snapshots {
    /// None yet. What happens to what they will have consumed is heard from `watch`.
    pub(crate) fn new(watch: Watch) -> Self {
        let pasts = Past::new(watch.clone());
        Self {
            watch,
            nodes: BTreeMap::new(),
            contexts: Contexts::default(),
            pasts,
            outdated: Vec::new(),
            memory_rests: None,
        }
    }

    /// The context that snapshots of `interpreter` belong to. It is the one used last from now on.
    pub(crate) fn context(&mut self, interpreter: &TargetInterpreter) -> ContextId {
        self.contexts.of(interpreter)
    }

    /// What snapshots of `context` were started with.
    pub(crate) fn interpreter(&self, context: ContextId) -> Option<&TargetInterpreter> {
        self.contexts.interpreter(context)
    }

    /// The context used last.
    pub(crate) fn active(&self) -> Option<ContextId> {
        self.contexts.last()
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
        let Some(interpreter) = self.contexts.interpreter(context) else { return false };
        if parent.is_some_and(|parent| !self.nodes.contains_key(&parent)) {
            return false;
        }
        let mut loaded = loaded;
        // What it stands on has consumed the rest.
        for (_, below) in parent.into_iter().flat_map(|parent| self.line(parent)) {
            below.consumed.leave_out_of(&mut loaded);
        }
        let (variables, profile) = (std::mem::take(&mut loaded.variables), loaded.profile.take());
        let mut node = Node {
            parent,
            context,
            modules,
            excluded,
            consumed: Consumed::new(loaded, &interpreter.sys_path, began, &self.watch),
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

    /// Whether something has yet to be compared for the first time, which takes longer than later.
    pub(crate) fn are_new(&self) -> bool {
        self.nodes.values().any(|node| !node.consumed.is_watched()) || self.pasts.are_new()
    }

    /// Compares for the first time what has not been compared yet, so that it is done when it counts.
    pub(crate) fn look(&self) {
        for node in self.nodes.values().filter(|node| !node.consumed.is_watched()) {
            node.consumed.look();
        }
        self.pasts.look();
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

    /// What `snapshot` is for.
    pub(crate) fn role(&self, snapshot: SnapshotId) -> SnapshotRole {
        let template = self.nodes.get(&snapshot).map(|node| SnapshotRole::Template {
            modules: u32::try_from(node.modules.len()).unwrap_or(u32::MAX),
            saves: node.build,
        });
        template.or_else(|| self.pasts.role(snapshot)).unwrap_or(SnapshotRole::Other)
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
            self.contexts.used(context);
        }
        Some(best)
    }

    /// The context, if any, whose best snapshot suits `context`.
    pub(crate) fn context_for(&self, tree: &SnapshotTree, context: &ProcessContext) -> Option<ContextId> {
        self.contexts.ids().rev().find(|id| {
            let best = self.best_in(tree, *id).and_then(|best| self.nodes.get(&best));
            best.is_some_and(|node| node.basis.suits(context))
        })
    }

    /// The best snapshot of `context` that is alive. Whether it is current was not asked.
    pub(crate) fn best_in(&self, tree: &SnapshotTree, context: ContextId) -> Option<SnapshotId> {
        self.by_fit(tree, |node| node.context == context).into_iter().next()
    }
}
