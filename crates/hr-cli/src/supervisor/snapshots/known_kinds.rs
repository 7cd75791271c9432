//! What earlier runs of a kind have shown: whether checkpoints are worth their cost. Pure.

use std::ffi::OsString;
use std::rc::Rc;
use std::time::Duration;

use hr_forkserver::protocol::{Checkpointing, ImportsOver};

use super::Kind;

/// How many kinds of runs are remembered.
const KNOWN_KINDS: usize = 32;

/// What checkpoints cost at the least (`_cost.py`), as the time that imports must take for each percent that they may be
/// lengthened by.
const LEAST_COST: Duration = Duration::from_millis(100);

/// What a checkpoint must save, as a multiple of what it costs (`_checkpoints.py`).
const PAYS_OFF: u32 = 3;

/// A program that is started again after an edit may be lengthened by this part of what its first start may be. Somebody waits
/// for it each time, and most of what it would leave is for files that are not edited next; those that were edited lately have
/// a checkpoint of their own in any case.
const RESTART_SHARE: u32 = 3;

/// By which part of itself the cost of a checkpoint counts less with each run that does not measure it.
const FADES: u32 = 16;

/// Kinds of runs, the one that was run last at the end.
#[derive(Debug, Default)]
pub(super) struct KnownKinds(Vec<Known>);

/// What is known of the runs of a kind.
#[derive(Debug)]
struct Known {
    kind: Rc<Kind>,
    /// How many modules they have loaded in the end.
    modules: Option<u32>,
    /// How long that has taken.
    takes: Option<Duration>,
    /// Files were edited since then.
    is_edited: bool,
    /// What a checkpoint costs them.
    cost: Option<Duration>,
}

impl KnownKinds {
    /// A run of `kind` begins. A checkpoint is expected to cost so many microseconds, if nobody has measured it.
    pub(super) fn begins(&mut self, kind: Kind, expected: Option<u64>) -> Rc<Kind> {
        let known = self.0.iter().position(|known| *known.kind == kind);
        let known = known.map(|index| self.0.remove(index));
        let known = known.unwrap_or_else(|| Known {
            kind: Rc::new(kind),
            modules: None,
            takes: None,
            is_edited: false,
            cost: expected.map(Duration::from_micros),
        });
        let kind = Rc::clone(&known.kind);
        self.0.push(known);
        // The oldest have no checkpoints any more.
        self.0.drain(..self.0.len().saturating_sub(KNOWN_KINDS));
        kind
    }

    /// A run of `kind` will leave no more checkpoints. It may tell more than once; `is_first` is for the first time.
    pub(super) fn imports_over(&mut self, kind: &Rc<Kind>, over: &ImportsOver, is_first: bool) {
        if let Some(known) = self.0.iter_mut().find(|known| Rc::ptr_eq(&known.kind, kind)) {
            known.modules = Some(over.modules);
            known.takes = Some(Duration::from_micros(over.micros));
            known.is_edited = false;
            if let Some(micros) = over.cost {
                known.cost = Some(Duration::from_micros(micros));
            } else if is_first && !known.kind.is_call() {
                // If none is left since one costs too much, nobody would find out that it costs less by now. A call that goes
                // on right before its function measures nothing either, and there may be thousands.
                known.cost = known.cost.map(|cost| cost * (FADES - 1) / FADES);
            }
        }
    }

    /// Files were edited.
    pub(super) fn edited(&mut self) {
        self.0.iter_mut().for_each(|known| known.is_edited = true);
    }

    /// Where a run of `kind` is to leave checkpoints if its client has `wanted` that, now that some files were edited. Nowhere
    /// if that is not worth it: its imports take too little time, or others are `busy` with it.
    pub(super) fn checkpointing(
        &self,
        kind: &Kind,
        wanted: &Checkpointing,
        edited: Vec<OsString>,
        busy: bool,
    ) -> Option<Checkpointing> {
        let known = self.of(kind);
        let takes_less =
            |least: Duration| known.and_then(|known| known.takes).is_some_and(|takes| takes < least);
        if kind.is_call() {
            let least = LEAST_COST / wanted.overhead.max(1);
            if busy || (takes_less(least) && known.is_some_and(|known| !known.is_edited)) {
                return None;
            }
        } else if takes_less(self.price(kind, wanted.overhead) * PAYS_OFF) {
            return None;
        }
        let starts_again = known.is_some_and(|known| known.modules.is_some()) && !kind.is_call();
        let share = if starts_again { RESTART_SHARE } else { 1 };
        let measured = known.and_then(|known| u64::try_from(known.cost?.as_micros()).ok());
        Some(Checkpointing {
            most: wanted.most,
            overhead: wanted.overhead.div_ceil(share),
            edited,
            cost: measured.or(wanted.cost),
        })
    }

    /// What a checkpoint costs a run of `kind`, as far as that is known and matters.
    pub(super) fn price(&self, kind: &Kind, overhead: u32) -> Duration {
        let cost = self.of(kind).and_then(|known| known.cost).unwrap_or_default();
        cost.min(cost * 100 / overhead.max(1))
    }

    /// How many modules runs of `kind` have in the end.
    pub(super) fn modules(&self, kind: &Kind) -> Option<u32> {
        self.of(kind)?.modules
    }

    /// Whether `kind` has not been forgotten.
    pub(super) fn knows(&self, kind: &Rc<Kind>) -> bool {
        self.0.iter().any(|known| Rc::ptr_eq(&known.kind, kind))
    }

    /// All of them, the one first that was not run for longest.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Rc<Kind>> {
        self.0.iter().map(|known| &known.kind)
    }

    fn of(&self, kind: &Kind) -> Option<&Known> {
        self.0.iter().find(|known| *known.kind == *kind)
    }
}

#[cfg(test)]
mod tests;
