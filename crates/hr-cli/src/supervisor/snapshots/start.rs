//! Where a run starts: in a template, or in the past of a run like it.

use std::ffi::OsString;

use hr_forkserver::SnapshotTree;
use hr_forkserver::protocol::{
    Checkpoint, Checkpointing, ImportsOver, ProcessContext, Resumed, RunId, SnapshotId,
};

use super::past::{SortedOut, private_memory};
use super::{Kind, Snapshots};

/// Where a run starts, and where it leaves checkpoints itself.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) snapshot: SnapshotId,
    /// What it goes on from, if that is a checkpoint.
    pub(crate) resumed: Option<Resumed>,
    pub(crate) checkpointing: Option<Checkpointing>,
}

impl Snapshots {
    /// Where a run with `context` may start at this moment: in the deepest checkpoint of its `kind`, or else in the best
    /// template. All that went into either is what it was. It is to leave checkpoints as `checkpointing` says.
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
        let wanted = checkpointing.most > 0;
        if let Some(kind) = kind
            && !changed.iter().all(|file| self.pasts.is_consumed(kind, file))
        {
            self.pasts.of_kind(kind).into_iter().for_each(|checkpoint| self.forget(tree, checkpoint));
        }
        let checkpoint = kind.filter(|_| wanted).and_then(|kind| self.deepest(tree, kind));
        let snapshot = checkpoint.or_else(|| self.best_for(tree, context))?;
        Some(Start {
            snapshot,
            resumed: checkpoint.and_then(|checkpoint| self.pasts.resumed(checkpoint)),
            checkpointing: kind.filter(|_| wanted).map(|_| self.pasts.checkpointing(checkpointing)),
        })
    }

    /// The checkpoint that saves a run of `kind` most. Those that are out of date end here.
    fn deepest(&mut self, tree: &mut SnapshotTree, kind: &Kind) -> Option<SnapshotId> {
        let stands = |template| self.line(template).all(|(_, node)| node.is_current());
        let SortedOut { current, outdated, changed } =
            self.pasts.sorted_out(self.pasts.of_kind(kind), stands);
        for checkpoint in outdated {
            self.forget(tree, checkpoint);
        }
        self.pasts.edited(changed);
        current.into_iter().find(|checkpoint| tree.is_alive(*checkpoint))
    }

    /// A run starts, as [`Snapshots::start`] has said.
    pub(crate) fn begins(&mut self, run: RunId, kind: Kind, start: &Start) {
        let checkpoint = start.resumed.is_some().then_some(start.snapshot);
        let below = checkpoint.and_then(|checkpoint| self.pasts.template_of(checkpoint));
        self.pasts.begins(run, kind, below.unwrap_or(start.snapshot), checkpoint);
    }

    /// A run is over.
    pub(crate) fn ends(&mut self, run: RunId) {
        self.pasts.ends(run);
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

    /// Lets checkpoints go until all of them together take no more private memory than `limit` bytes. Returns how many.
    pub(crate) fn save_memory(&mut self, tree: &mut SnapshotTree, limit: u64) -> usize {
        let mut dropped = 0;
        loop {
            let pids = self.pasts.ids().filter_map(|id| tree.pid(id));
            let taken: u64 = pids.filter_map(private_memory).sum();
            let Some(least) = self.pasts.least_useful().filter(|_| taken > limit) else { return dropped };
            self.forget(tree, least);
            dropped += 1;
        }
    }

    /// A snapshot has died.
    pub(crate) fn died(&mut self, snapshot: SnapshotId) {
        self.pasts.remove(snapshot);
    }

    /// Files were edited.
    pub(crate) fn edited(&mut self, files: impl IntoIterator<Item = OsString>) {
        self.pasts.edited(files);
    }

    /// Lets a checkpoint go. What goes on from it is not disturbed.
    pub(super) fn forget(&mut self, tree: &mut SnapshotTree, checkpoint: SnapshotId) {
        self.pasts.remove(checkpoint);
        tree.retire(checkpoint);
    }
}
