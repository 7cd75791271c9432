//! How much memory all checkpoints together may take.

use std::time::Instant;

use hr_forkserver::SnapshotTree;

use super::Snapshots;
use super::past::Past;
use crate::private_memory;

/// For how many times as long as it has taken to look at the memory of checkpoints nobody looks again: a program that leaves
/// many large ones would be slowed down by the looking.
const MEMORY_RESTS: u32 = 50;

/// What came of looking at the memory of checkpoints.
#[derive(Debug, Default)]
pub(crate) struct MemorySaved {
    /// How many were let go.
    pub(crate) dropped: usize,
    /// It is too early to look, and time to do so then.
    pub(crate) again: Option<Instant>,
}

impl Snapshots {
    /// Lets checkpoints go until all of them together take no more private memory than `limit` bytes. Looking takes the kernel
    /// long, and is put off if that was done a short while ago.
    pub(crate) fn save_memory(&mut self, tree: &mut SnapshotTree, limit: u64) -> MemorySaved {
        let taken = |pasts: &Past, of: fn(i32) -> Option<u64>| {
            pasts.ids().filter_map(|id| tree.pid(id)).filter_map(of).sum::<u64>()
        };
        let began = Instant::now();
        let mut saved = MemorySaved::default();
        if taken(&self.pasts, private_memory::at_most) <= limit {
            return saved;
        }
        saved.again = self.memory_rests.filter(|until| *until > began);
        if saved.again.is_some() {
            return saved;
        }
        let mut surplus = Vec::new();
        while taken(&self.pasts, private_memory::of) > limit
            && let Some(least) = self.pasts.least_useful()
        {
            self.pasts.remove(least);
            surplus.push(least);
        }
        self.memory_rests = Some(Instant::now() + began.elapsed() * MEMORY_RESTS);
        saved.dropped = surplus.len();
        for checkpoint in surplus {
            tree.retire(checkpoint);
        }
        saved
    }
}
