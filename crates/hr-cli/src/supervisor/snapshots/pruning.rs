//! What goes: what has consumed something that has changed, and what nobody will need.

use std::collections::BTreeSet;
use std::ffi::OsString;

use hr_forkserver::SnapshotTree;
use hr_forkserver::protocol::SnapshotId;

use super::{Demand, Snapshots};

/// What has changed of what snapshots have consumed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Stale {
    /// Files that are no longer what was loaded, and directories that no longer hold what was found.
    pub(crate) files: BTreeSet<OsString>,
    /// Names that would be found elsewhere now.
    pub(crate) names: BTreeSet<String>,
}

impl Snapshots {
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
            let (files, names) = (node.consumed.changed(), node.consumed.moved());
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
        self.contexts.keep(contexts);
        let best = self.contexts.ids().filter_map(|id| self.best_in(tree, id));
        let tops = best.chain(in_use.iter().copied()).chain(self.pasts.templates());
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
        for checkpoint in self.pasts.without_template(|template| self.nodes.contains_key(&template)) {
            self.forget(tree, checkpoint);
        }
    }
}
