//! What is known of a project beyond its source: what runs had to load themselves, and what has failed before.

mod circumstances;
mod store;

use std::collections::{BTreeMap, BTreeSet};

use hr_forkserver::protocol::ImportFailure;
use hr_forkserver::transaction::Cause;
use serde::{Deserialize, Serialize};

pub(crate) use self::circumstances::{Circumstances, Surroundings};
pub(crate) use self::store::Store;

/// How many learned modules are kept. More than any program loads by name.
const MOST_LEARNED: usize = 4000;

/// What is remembered of a project for one interpreter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// Modules that runs have loaded and that their template did not have, in the order of loading.
    learned: Vec<String>,
    /// Modules that were given up, and why.
    failures: BTreeMap<String, Failure>,
    /// What a checkpoint has cost a run, in microseconds.
    #[serde(default)]
    checkpoint_cost: Option<u64>,
}

/// Why a module was given up, and in which circumstances.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    /// For people.
    pub(crate) cause: String,
    circumstances: Circumstances,
}

impl Memory {
    /// Modules that runs have had to load themselves.
    pub(crate) fn learned(&self) -> &[String] {
        &self.learned
    }

    /// Learns `modules`. Returns whether one of them is new.
    pub(crate) fn learn(&mut self, modules: Vec<String>) -> bool {
        let known: BTreeSet<String> = self.learned.iter().cloned().collect();
        let room = MOST_LEARNED.saturating_sub(known.len());
        let new: Vec<_> = modules.into_iter().filter(|module| !known.contains(module)).take(room).collect();
        let learned = !new.is_empty();
        self.learned.extend(new);
        learned
    }

    /// What a checkpoint is likely to cost, in microseconds, if one was ever made.
    pub(crate) fn checkpoint_cost(&self) -> Option<u64> {
        self.checkpoint_cost
    }

    /// Takes note of what one has cost. Returns whether that is news.
    pub(crate) fn checkpoint_has_cost(&mut self, micros: u64) -> bool {
        let before = self.checkpoint_cost;
        // It takes longer when something else comes between, and never less.
        let likely = match before {
            Some(known) if micros > known => known + (micros - known) / 4,
            _ => micros,
        };
        let is_news = before.is_none_or(|known| known.abs_diff(likely) > known / 8);
        if is_news {
            self.checkpoint_cost = Some(likely);
        }
        is_news
    }

    /// How `module` failed, if nothing has changed since then that might let it succeed.
    pub(crate) fn failure(&self, module: &str, now: Circumstances) -> Option<&Failure> {
        self.failures.get(module).filter(|failure| failure.circumstances == now)
    }

    /// Takes note of how a module failed. Returns whether that is news.
    pub(crate) fn failed(&mut self, module: &str, cause: &Cause, circumstances: Circumstances) -> bool {
        if is_repeatable(cause) {
            let failure = Failure { cause: cause.to_string(), circumstances };
            self.failures.insert(module.to_owned(), failure.clone()) != Some(failure)
        } else if *cause == Cause::Failed(ImportFailure::NotFound) {
            // It was uninstalled, or was never more than a name that a run made up.
            let before = self.learned.len();
            self.learned.retain(|learned| learned != module);
            before != self.learned.len()
        } else {
            self.failures.remove(module).is_some()
        }
    }

    /// Takes note of a module that can be imported. Returns whether that is news.
    pub(crate) fn succeeded(&mut self, module: &str) -> bool {
        self.failures.remove(module).is_some()
    }
}

/// Whether a failure would repeat itself and costs something: what is not found costs nothing, and what first-party
/// code has to do with it depends on that code.
fn is_repeatable(cause: &Cause) -> bool {
    match cause {
        Cause::Died(_) | Cause::TimedOut(_) => true,
        Cause::Failed(failure) => !matches!(
            failure,
            ImportFailure::NotFound | ImportFailure::FirstParty { .. } | ImportFailure::Environment { .. }
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_remembered_until_something_changes() {
        let mut memory = Memory::default();
        let [then, now] = [1, 2].map(Circumstances::numbered);
        let raised = Cause::Failed(ImportFailure::Raised {
            type_name: "RuntimeError".to_owned(),
            message: "no settings".to_owned(),
        });
        assert!(memory.failed("plugin", &raised, then));
        assert!(!memory.failed("plugin", &raised, then), "nothing new");
        let cause = |memory: &Memory, circumstances| {
            memory.failure("plugin", circumstances).map(|failure| failure.cause.clone())
        };
        assert_eq!(cause(&memory, then).as_deref(), Some("raises RuntimeError: no settings"));
        assert_eq!(cause(&memory, now), None, "it is worth another try");
        assert!(memory.succeeded("plugin"));
        assert_eq!(cause(&memory, then), None);
    }

    #[test]
    fn what_a_failure_says_of_the_project_or_of_nothing_is_not_remembered() {
        let mut memory = Memory::default();
        let first_party = Cause::Failed(ImportFailure::FirstParty { module: "app.settings".to_owned() });
        assert!(!memory.failed("plugin", &first_party, Circumstances::numbered(1)));
        assert_eq!(memory.failure("plugin", Circumstances::numbered(1)), None);
    }

    #[test]
    fn what_a_checkpoint_costs_is_remembered_and_one_that_was_interrupted_means_little() {
        let mut memory = Memory::default();
        assert!(memory.checkpoint_has_cost(40_000));
        assert!(!memory.checkpoint_has_cost(39_000), "about the same");
        assert!(memory.checkpoint_has_cost(440_000));
        assert_eq!(memory.checkpoint_cost(), Some(140_000));
        assert!(memory.checkpoint_has_cost(38_000));
        assert_eq!(memory.checkpoint_cost(), Some(38_000));
    }

    #[test]
    fn modules_are_learned_once_and_forgotten_when_they_are_gone() {
        let mut memory = Memory::default();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert!(memory.learn(names(&["b", "a"])));
        assert!(!memory.learn(names(&["a"])));
        assert!(memory.learn(names(&["a", "c"])));
        assert_eq!(memory.learned(), ["b", "a", "c"]);
        assert!(memory.failed("a", &Cause::Failed(ImportFailure::NotFound), Circumstances::numbered(1)));
        assert_eq!(memory.learned(), ["b", "c"]);
    }
}
