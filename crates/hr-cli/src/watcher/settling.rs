//! When what happens to files is over for now.
//!
//! An editor that saves all its files, or a checkout, is one change to the person behind it. Time comes in as data, so
//! that this is a function of what it was told.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::Happened;

/// How long nothing must happen until a batch is complete. Writes of one save lie less than a millisecond apart, and
/// the program is to be restarted within 15 ms of the last of them.
pub(crate) const QUIET: Duration = Duration::from_millis(8);

/// How long a version-control operation is waited for. A process that was killed leaves its lock behind.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Everything that happened between two quiet times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) paths: BTreeSet<PathBuf>,
    /// Whether more may have happened than `paths` says.
    pub(crate) everything: bool,
}

/// Gathers what happens into batches.
#[derive(Debug, Default)]
pub(crate) struct Settling {
    batch: Option<Batch>,
    /// When the last thing happened that a batch waits after.
    last: Option<Instant>,
    /// Since when a version-control operation has been under way.
    operation: Option<Instant>,
}

impl Settling {
    /// Takes what a watcher has heard.
    pub(crate) fn hear(&mut self, happened: Happened, now: Instant) {
        self.operation(now, happened.operation);
        let at = happened.last.unwrap_or(now);
        if happened.everything {
            self.batch.get_or_insert_default().everything = true;
            self.last = self.last.max(Some(at));
        }
        self.happened(at, happened.paths);
    }

    /// Something happened to `paths`. Without paths, nothing did.
    pub(crate) fn happened(&mut self, now: Instant, paths: impl IntoIterator<Item = PathBuf>) {
        let mut paths = paths.into_iter().peekable();
        if paths.peek().is_some() {
            self.batch.get_or_insert_default().paths.extend(paths);
            self.last = self.last.max(Some(now));
        }
    }

    /// Whether a version-control operation is under way.
    pub(crate) fn operation(&mut self, now: Instant, under_way: bool) {
        match (self.operation, under_way) {
            (None, true) => self.operation = Some(now),
            (Some(_), false) => {
                self.operation = None;
                // It may be the first of several that make up one command.
                self.last = self.last.max(Some(now));
            }
            _ => {}
        }
    }

    /// When to ask whether the batch is complete, if nothing happens until then. `None` while there is no batch.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.batch.as_ref()?;
        let quiet = self.last? + QUIET;
        Some(self.operation.map_or(quiet, |began| quiet.max(began + PATIENCE)))
    }

    /// When the last thing happened that a batch waits after.
    pub(crate) fn last(&self) -> Option<Instant> {
        self.last
    }

    /// The same while there is a batch that only waits for quiet.
    pub(crate) fn gathering(&self) -> Option<Instant> {
        self.last.filter(|_| self.batch.is_some() && self.operation.is_none())
    }

    /// The batch, if it is complete.
    pub(crate) fn settled(&mut self, now: Instant) -> Option<Batch> {
        if now < self.deadline()? {
            return None;
        }
        self.batch.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Wait(u64),
        Happened(u8),
        Operation(bool),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (0..20_u64).prop_map(Step::Wait),
            (9_000..11_000_u64).prop_map(Step::Wait),
            (0..4_u8).prop_map(Step::Happened),
            any::<bool>().prop_map(Step::Operation),
        ];
        prop::collection::vec(step, 0..60)
    }

    fn path(number: u8) -> PathBuf {
        PathBuf::from(format!("{number}.py"))
    }

    proptest! {
        /// Nothing is lost or reported twice, no batch comes before its time, and every batch comes in the end.
        #[test]
        fn each_batch_is_what_happened_before_a_quiet_time(steps in steps()) {
            let (mut settling, mut now) = (Settling::default(), Instant::now());
            let (mut open, mut last, mut began) = (BTreeSet::new(), None, None);
            for step in steps.into_iter().chain([Step::Operation(false), Step::Wait(20)]) {
                match step {
                    Step::Wait(milliseconds) => now += Duration::from_millis(milliseconds),
                    Step::Happened(number) => {
                        settling.happened(now, [path(number)]);
                        open.insert(path(number));
                        last = Some(now);
                    }
                    Step::Operation(under_way) => {
                        if began.is_some() && !under_way {
                            last = Some(now);
                        }
                        settling.operation(now, under_way);
                        began = under_way.then(|| began.unwrap_or(now));
                    }
                }
                let due = last.is_some_and(|last| now >= last + QUIET)
                    && began.is_none_or(|began| now >= began + PATIENCE);
                let expected = (due && !open.is_empty()).then(|| std::mem::take(&mut open));
                prop_assert_eq!(settling.settled(now).map(|batch| batch.paths), expected);
                prop_assert_eq!(settling.deadline().is_some(), !open.is_empty());
                prop_assert!(settling.deadline().is_none_or(|deadline| deadline > now));
            }
            prop_assert!(open.is_empty());
        }
    }

    #[test]
    fn what_cannot_be_told_is_a_batch_of_everything() {
        let (mut settling, now) = (Settling::default(), Instant::now());
        settling.hear(Happened { everything: true, last: Some(now), ..Happened::default() }, now);
        let batch = settling.settled(now + QUIET);
        assert_eq!(batch, Some(Batch { paths: BTreeSet::new(), everything: true }));
        assert_eq!(settling.settled(now + QUIET), None);
    }

    #[test]
    fn a_lock_that_was_left_behind_delays_saves_only_once() {
        let (mut settling, now) = (Settling::default(), Instant::now());
        settling.operation(now, true);
        settling.happened(now, [path(1)]);
        assert_eq!(settling.deadline(), Some(now + PATIENCE));
        assert!(settling.settled(now + PATIENCE).is_some());
        settling.operation(now + PATIENCE, true);
        settling.happened(now + PATIENCE, [path(1)]);
        assert_eq!(settling.deadline(), Some(now + PATIENCE + QUIET));
    }
}
