//! The decisions of a transactional import, without any process.
//!
//! Modules are imported one after another. Before the first one, and whenever more import time has gone by
//! than [`Transaction`] is willing to repeat, the process forks a fallback of itself. When an import fails in
//! a way that leaves something behind, the process is given up, its fallback goes on in its place, and the
//! modules since that fork are imported again, without the one that failed.

use std::collections::BTreeMap;
use std::time::Duration;

use hr_protocol::{ExitStatus, ImportFailure};
use thiserror::Error;

/// Import time that may have to be repeated, at the least.
const MINIMAL_BUDGET: Duration = Duration::from_millis(60);

/// Import time per time spent on a fork, so that forking takes at most a tenth of the whole.
const FORKS_PER_BUDGET: u32 = 10;

/// Why a module is left out of a template.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Cause {
    /// The import failed and the process lived to tell.
    #[error("{0}")]
    Failed(ImportFailure),
    /// The process ended during the import.
    #[error("{}", died(*.0))]
    Died(ExitStatus),
    /// The import took longer than allowed.
    #[error("was still importing after {} s", .0.as_secs_f64())]
    TimedOut(Duration),
}

fn died(status: ExitStatus) -> String {
    match status {
        ExitStatus::Exited(code) => format!("ends the process with exit code {code}"),
        ExitStatus::Signaled(signal) => format!("ends the process by signal {signal}"),
        ExitStatus::Lost => "ends the process".to_owned(),
    }
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// Fork a fallback, then tell [`Transaction::forked`].
    Fork,
    /// Import this module, then tell [`Transaction::imported`] or [`Transaction::failed`].
    Import(&'a str),
    /// All modules are imported or excluded.
    Finished,
}

/// What to do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing was left behind: go on in the same process.
    GoOn,
    /// Give the process up, go on with its fallback, then tell [`Transaction::rolled_back`].
    RollBack,
}

/// The state of one transactional import.
#[derive(Clone, Debug)]
pub struct Transaction {
    modules: Vec<String>,
    excluded: BTreeMap<usize, Cause>,
    next: usize,
    /// How many modules the fallback had behind it, if there is one.
    fallback: Option<usize>,
    since_fallback: Duration,
    fork_cost: Duration,
}

impl Transaction {
    /// Starts with nothing imported.
    pub fn new(modules: Vec<String>) -> Self {
        Self {
            modules,
            excluded: BTreeMap::new(),
            next: 0,
            fallback: None,
            since_fallback: Duration::ZERO,
            fork_cost: Duration::ZERO,
        }
    }

    /// What to do next.
    pub fn step(&self) -> Step<'_> {
        let Some(module) = self.modules.get(self.next) else { return Step::Finished };
        let budget = MINIMAL_BUDGET.max(self.fork_cost * FORKS_PER_BUDGET);
        if self.fallback.is_none() || self.since_fallback > budget {
            Step::Fork
        } else {
            Step::Import(module)
        }
    }

    /// The place in the plan of the module that [`Step::Import`] names.
    pub fn place(&self) -> usize {
        self.next
    }

    /// A fallback stands where the process is now; forking it took `cost`.
    pub fn forked(&mut self, cost: Duration) {
        self.fallback = Some(self.next);
        self.since_fallback = Duration::ZERO;
        self.fork_cost = cost;
    }

    /// The fallback is gone. The next step will be another.
    pub fn fallback_lost(&mut self) {
        self.fallback = None;
    }

    /// The module of the last [`Step::Import`] is there; it took `elapsed`.
    pub fn imported(&mut self, elapsed: Duration) {
        self.since_fallback += elapsed;
        self.advance();
    }

    /// The module of the last [`Step::Import`] is not there, and never will be in this transaction.
    pub fn failed(&mut self, cause: Cause, left_traces: bool) -> Verdict {
        self.excluded.insert(self.next, cause);
        if left_traces {
            return Verdict::RollBack;
        }
        self.advance();
        Verdict::GoOn
    }

    /// The process is its own fallback now, and has no fallback itself.
    ///
    /// Returns `false` if there was none to fall back on.
    pub fn rolled_back(&mut self) -> bool {
        let Some(start) = self.fallback.take() else { return false };
        self.next = start;
        self.skip_excluded();
        true
    }

    /// The modules that are imported so far, in order.
    pub fn modules(&self) -> impl Iterator<Item = &str> {
        let done = self.modules.iter().enumerate().take(self.next);
        done.filter(|(index, _)| !self.excluded.contains_key(index)).map(|(_, module)| module.as_str())
    }

    /// The modules that are left out, in order, with the reason.
    pub fn excluded(&self) -> impl Iterator<Item = (&str, &Cause)> {
        self.excluded.iter().map(|(index, cause)| (self.modules[*index].as_str(), cause))
    }

    fn advance(&mut self) {
        self.next += 1;
        self.skip_excluded();
    }

    fn skip_excluded(&mut self) {
        while self.excluded.contains_key(&self.next) {
            self.next += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Copy, Debug)]
    enum Behaviour {
        Fine { millis: u64 },
        Refuses,
        Breaks,
    }

    fn behaviour() -> impl Strategy<Value = Behaviour> {
        prop_oneof![
            4 => (0..200u64).prop_map(|millis| Behaviour::Fine { millis }),
            1 => Just(Behaviour::Refuses),
            1 => Just(Behaviour::Breaks),
        ]
    }

    proptest! {
        /// Whatever the modules do, what ends up in the process is exactly the good ones in plan order, each
        /// imported once in that process's own history, with bounded repetition.
        #[test]
        fn a_template_holds_the_good_modules_and_no_trace_of_the_bad(
            behaviours in prop::collection::vec(behaviour(), 0..40)
        ) {
            let names = (0..behaviours.len()).map(|index| format!("m{index}")).collect();
            let mut transaction = Transaction::new(names);
            let mut process: Vec<usize> = Vec::new();
            let mut fallback: Option<Vec<usize>> = None;
            let mut repeated = Duration::ZERO;
            let mut rollbacks = 0u32;
            loop {
                let index = match transaction.step() {
                    Step::Finished => break,
                    Step::Fork => {
                        fallback = Some(process.clone());
                        transaction.forked(Duration::from_millis(2));
                        continue;
                    }
                    Step::Import(name) => name[1..].parse::<usize>().unwrap(),
                };
                prop_assert!(!process.contains(&index), "imported twice in one process");
                match behaviours[index] {
                    Behaviour::Fine { millis } => {
                        process.push(index);
                        transaction.imported(Duration::from_millis(millis));
                    }
                    Behaviour::Refuses => {
                        let cause = Cause::Failed(ImportFailure::NotFound);
                        prop_assert_eq!(transaction.failed(cause, false), Verdict::GoOn);
                    }
                    Behaviour::Breaks => {
                        let verdict = transaction.failed(Cause::Died(ExitStatus::Signaled(11)), true);
                        prop_assert_eq!(verdict, Verdict::RollBack);
                        let kept = fallback.take().expect("something to fall back on");
                        for lost in &process[kept.len()..] {
                            if let Behaviour::Fine { millis } = behaviours[*lost] {
                                repeated += Duration::from_millis(millis);
                            }
                        }
                        rollbacks += 1;
                        process = kept;
                        prop_assert!(transaction.rolled_back());
                    }
                }
            }
            let good: Vec<_> = (0..behaviours.len())
                .filter(|index| matches!(behaviours[*index], Behaviour::Fine { .. }))
                .collect();
            prop_assert_eq!(&process, &good);
            let modules: Vec<_> = good.iter().map(|index| format!("m{index}")).collect();
            prop_assert_eq!(transaction.modules().collect::<Vec<_>>(), modules);
            prop_assert_eq!(transaction.excluded().count(), behaviours.len() - good.len());
            // The budget, and the one module that went over it.
            let budget = MINIMAL_BUDGET + Duration::from_millis(200);
            prop_assert!(repeated <= budget * rollbacks, "{repeated:?} for {rollbacks} rollbacks");
        }
    }
}
