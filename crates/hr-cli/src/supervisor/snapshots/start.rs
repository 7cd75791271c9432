//! Where a run starts: in a template, or in the past of a run like it.

use std::ffi::OsString;
use std::time::Duration;

use hr_forkserver::SnapshotTree;
use hr_forkserver::protocol::{
    Checkpoint, Checkpointing, ImportsOver, ProcessContext, Resumed, RunId, SnapshotId,
};

use super::past::SortedOut;
use super::{Kind, Snapshots};

/// How many restarts a start from a better template may take to pay off.
///
/// What goes on from a checkpoint has what the checkpoint's template had, and imports again what was added to the template
/// since then, in each restart. A start from the new one is slow once, and leaves checkpoints that have it.
const PAYS_OFF_AFTER: u32 = 20;

/// Where a run starts, and where it leaves checkpoints itself.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) snapshot: SnapshotId,
    /// What it goes on from, if that is a checkpoint.
    pub(crate) resumed: Option<Resumed>,
    pub(crate) checkpointing: Option<Checkpointing>,
    /// What the first checkpoint had consumed and has changed, if it is a template for that reason.
    pub(crate) outdated_by: Vec<OsString>,
}

impl Snapshots {
    /// Where a run with `context` may start at this moment: in the deepest checkpoint of its `kind`, or else in the best
    /// template. All that went into either is what it was. If it has a kind, it may leave checkpoints as `checkpointing` says.
    ///
    /// If nobody is known to have read one of the files in `changed`, it may have been read unseen, at any point.
    pub(crate) fn start(
        &mut self,
        tree: &mut SnapshotTree,
        context: &ProcessContext,
        kind: Option<&Kind>,
        changed: &[OsString],
        checkpointing: &Checkpointing,
    ) -> Option<Start> {
        if let Some(kind) = kind
            && !changed.iter().all(|file| self.pasts.is_consumed(kind, file))
        {
            self.forget_all(tree, kind);
        }
        let template = self.best_for(tree, context);
        let (deepest, outdated_by) = kind.map(|kind| self.deepest(tree, kind)).unwrap_or_default();
        let mut checkpoint = deepest.filter(|deepest| {
            let is_quicker = |kind| self.pasts.is_quicker(kind, *deepest, checkpointing.overhead);
            template.is_none() || kind.is_some_and(is_quicker)
        });
        if let (Some(deepest), Some(template), Some(kind)) = (checkpoint, template, kind)
            && self.pays_off(template, deepest)
        {
            self.forget_all(tree, kind);
            checkpoint = None;
        }
        let snapshot = checkpoint.or(template)?;
        Some(Start {
            snapshot,
            resumed: checkpoint.and_then(|checkpoint| self.pasts.resumed(checkpoint)),
            checkpointing: kind.and_then(|kind| self.pasts.checkpointing(kind, checkpointing)),
            outdated_by,
        })
    }

    /// The checkpoint that a run like `run` would go on from at this moment.
    pub(crate) fn next_checkpoint(
        &self,
        tree: &SnapshotTree,
        run: RunId,
        overhead: u32,
    ) -> Option<SnapshotId> {
        let kind = self.pasts.kind_of(run)?;
        let SortedOut { current, .. } = self.sorted_out(&kind);
        let deepest = current.into_iter().find(|checkpoint| tree.is_alive(*checkpoint))?;
        self.pasts.is_quicker(&kind, deepest, overhead).then_some(deepest)
    }

    /// The checkpoints of a kind, those first that save most.
    fn sorted_out(&self, kind: &Kind) -> SortedOut {
        let stands = |template| self.line(template).all(|(_, node)| node.is_current());
        self.pasts.sorted_out(self.pasts.of_kind(kind), stands)
    }

    /// The checkpoint that saves a run of `kind` most, or, if all are out of date, what has changed. Those that are out of date
    /// are not to be had any more, and end when [`Snapshots::end_outdated`] is called.
    fn deepest(&mut self, tree: &mut SnapshotTree, kind: &Kind) -> (Option<SnapshotId>, Vec<OsString>) {
        let SortedOut { current, outdated, changed } = self.sorted_out(kind);
        let first = outdated.last().filter(|_| current.is_empty());
        let outdated_by = first.map(|first| self.pasts.changed_below(*first)).unwrap_or_default();
        for checkpoint in outdated {
            self.pasts.remove(checkpoint);
            self.outdated.push(checkpoint);
        }
        self.pasts.edited(changed);
        (current.into_iter().find(|checkpoint| tree.is_alive(*checkpoint)), outdated_by)
    }

    /// Whether there is something to do for [`Snapshots::end_outdated`].
    pub(crate) fn has_outdated(&self) -> bool {
        !self.outdated.is_empty()
    }

    /// Ends the checkpoints that were found out of date. To free their memory takes the kernel milliseconds each, which a run
    /// that starts in their place is not to wait for.
    pub(crate) fn end_outdated(&mut self, tree: &mut SnapshotTree) {
        for checkpoint in self.outdated.drain(..) {
            tree.retire(checkpoint);
        }
    }

    /// Whether it is better, in the long run, to start from `template` than from a checkpoint that stands on another one.
    fn pays_off(&self, template: SnapshotId, checkpoint: SnapshotId) -> bool {
        let Some(below) = self.pasts.template_of(checkpoint) else { return true };
        let mut added = Duration::ZERO;
        for (id, node) in self.line(template) {
            if id == below {
                return added * PAYS_OFF_AFTER > self.pasts.saves(checkpoint);
            }
            added += node.build;
        }
        // It was built anew, and what of it is new has not been measured.
        self.fit(template).missing < self.fit(below).missing
    }

    /// A run starts, as [`Snapshots::start`] has said.
    pub(crate) fn begins(&mut self, run: RunId, kind: Kind, start: &Start) {
        let checkpoint = start.resumed.is_some().then_some(start.snapshot);
        let below = checkpoint.and_then(|checkpoint| self.pasts.template_of(checkpoint));
        let template = below.unwrap_or(start.snapshot);
        self.pasts.begins(run, kind, template, checkpoint, start.checkpointing.as_ref());
    }

    /// A run is over.
    pub(crate) fn ends(&mut self, tree: &mut SnapshotTree, run: RunId) {
        for useless in self.pasts.ends(run) {
            tree.retire(useless);
        }
    }

    /// Takes in a checkpoint that `run` has left, if it is worth keeping. `most` of each kind are.
    pub(crate) fn add_checkpoint(
        &mut self,
        tree: &mut SnapshotTree,
        snapshot: SnapshotId,
        run: RunId,
        checkpoint: Checkpoint,
        most: u32,
    ) {
        if !self.pasts.add(snapshot, run, checkpoint) {
            tree.retire(snapshot);
        }
        for surplus in self.pasts.surplus(most) {
            self.forget(tree, surplus);
        }
    }

    /// A run will leave no more of them.
    pub(crate) fn imports_over(&mut self, over: &ImportsOver) {
        self.pasts.imports_over(over);
    }

    /// A snapshot has died.
    pub(crate) fn died(&mut self, snapshot: SnapshotId) {
        self.pasts.remove(snapshot);
    }

    /// Files were edited.
    pub(crate) fn edited(&mut self, files: impl IntoIterator<Item = OsString>) {
        self.pasts.edited(files);
    }

    /// Lets all checkpoints of a kind go.
    fn forget_all(&mut self, tree: &mut SnapshotTree, kind: &Kind) {
        for checkpoint in self.pasts.of_kind(kind) {
            self.forget(tree, checkpoint);
        }
    }

    /// Lets a checkpoint go. What goes on from it is not disturbed.
    pub(super) fn forget(&mut self, tree: &mut SnapshotTree, checkpoint: SnapshotId) {
        self.pasts.remove(checkpoint);
        tree.retire(checkpoint);
    }
}
