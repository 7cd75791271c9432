//! What a build has to tell while it goes on. Pure.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use hr_protocol::{BuildEvent, Effect};

/// When an import is first said to take long. Then again whenever twice the time has gone by.
const FIRST_NOTICE: Duration = Duration::from_secs(1);

/// How many of the slowest modules are named in the end.
const SLOWEST: usize = 5;

/// Events of one build that nobody has taken yet, and what is needed for the next ones.
#[derive(Debug)]
pub(crate) struct Chronicle {
    events: VecDeque<BuildEvent>,
    total: usize,
    /// The last duration of each module by its place in the plan.
    durations: BTreeMap<usize, (String, Duration)>,
    told: BTreeSet<usize>,
    notice: Duration,
}

impl Chronicle {
    /// Of a build of `total` modules.
    pub(crate) fn new(total: usize) -> Self {
        let (events, durations, told) = (VecDeque::new(), BTreeMap::new(), BTreeSet::new());
        Self { events, total, durations, told, notice: FIRST_NOTICE }
    }

    /// The next event.
    pub(crate) fn next_event(&mut self) -> Option<BuildEvent> {
        self.events.pop_front()
    }

    /// After how much time [`Chronicle::takes_long`] is due.
    pub(crate) fn notice(&self) -> Duration {
        self.notice
    }

    /// The import of `module`, number `place` of the plan, begins.
    pub(crate) fn begins(&mut self, place: usize, module: &str) {
        self.notice = FIRST_NOTICE;
        let (module, index, total) = (module.to_owned(), place + 1, self.total);
        self.events.push_back(BuildEvent::Importing { module, index, total });
    }

    /// It is still going on.
    pub(crate) fn takes_long(&mut self, module: &str, limit: Duration) {
        let (module, elapsed) = (module.to_owned(), self.notice);
        self.events.push_back(BuildEvent::StillImporting { module, elapsed, limit });
        self.notice *= 2;
    }

    /// It succeeded.
    pub(crate) fn succeeds(&mut self, place: usize, module: &str, elapsed: Duration, effects: Vec<Effect>) {
        self.durations.insert(place, (module.to_owned(), elapsed));
        if self.told.insert(place) {
            let (module, index, total) = (module.to_owned(), place + 1, self.total);
            self.events.push_back(BuildEvent::Imported { module, index, total, elapsed, effects });
        }
    }

    /// It failed.
    pub(crate) fn fails(&mut self, place: usize, module: &str, cause: &impl ToString) {
        self.durations.remove(&place);
        let (module, index, total) = (module.to_owned(), place + 1, self.total);
        self.events.push_back(BuildEvent::Excluded { module, index, total, cause: cause.to_string() });
    }

    /// The build is over, after `elapsed`.
    pub(crate) fn ends(&mut self, elapsed: Duration) {
        let imported = self.durations.len();
        let mut slowest: Vec<_> = std::mem::take(&mut self.durations).into_values().collect();
        slowest.sort_by_key(|(_, elapsed)| Reverse(*elapsed));
        slowest.truncate(SLOWEST);
        let excluded = self.total.saturating_sub(imported);
        self.events.push_back(BuildEvent::Ready { imported, excluded, elapsed, slowest });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_that_is_imported_again_after_a_roll_back_is_told_of_once() {
        let mut chronicle = Chronicle::new(3);
        let milliseconds = Duration::from_millis;
        chronicle.begins(0, "a");
        chronicle.succeeds(0, "a", milliseconds(5), Vec::new());
        chronicle.begins(1, "b");
        chronicle.fails(1, "b", &"raises Error");
        chronicle.begins(0, "a");
        chronicle.succeeds(0, "a", milliseconds(7), Vec::new());
        chronicle.begins(2, "c");
        chronicle.takes_long("c", milliseconds(9000));
        assert_eq!(chronicle.notice(), milliseconds(2000));
        chronicle.succeeds(2, "c", milliseconds(1500), vec![Effect::Listens]);
        chronicle.ends(milliseconds(2000));
        let events: Vec<_> = std::iter::from_fn(|| chronicle.next_event()).collect();
        let imported = |event: &&BuildEvent| matches!(event, BuildEvent::Imported { .. });
        assert_eq!(events.iter().filter(imported).count(), 2);
        let slowest = vec![("c".to_owned(), milliseconds(1500)), ("a".to_owned(), milliseconds(7))];
        let ready = BuildEvent::Ready { imported: 2, excluded: 1, elapsed: milliseconds(2000), slowest };
        assert_eq!(events.last(), Some(&ready));
    }
}
