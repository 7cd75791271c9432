//! The circumstances that snapshots were started in.

use hr_forkserver::protocol::TargetInterpreter;

/// Names one interpreter context: a search path and an environment that snapshots were started with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ContextId(u64);

/// The contexts that there are snapshots of, the one used last at the end.
#[derive(Debug, Default)]
pub(super) struct Contexts {
    known: Vec<(ContextId, TargetInterpreter)>,
    made: u64,
}

impl Contexts {
    /// The context that snapshots of `interpreter` belong to. It is the one used last from now on.
    pub(super) fn of(&mut self, interpreter: &TargetInterpreter) -> ContextId {
        let known = self.known.iter().find(|(_, known)| known == interpreter).map(|(id, _)| *id);
        let id = known.unwrap_or_else(|| {
            self.made += 1;
            self.known.push((ContextId(self.made), interpreter.clone()));
            ContextId(self.made)
        });
        self.used(id);
        id
    }

    /// What snapshots of `context` were started with.
    pub(super) fn interpreter(&self, context: ContextId) -> Option<&TargetInterpreter> {
        self.known.iter().find(|(id, _)| *id == context).map(|(_, interpreter)| interpreter)
    }

    /// Takes note of a use of `context`.
    pub(super) fn used(&mut self, context: ContextId) {
        if let Some(index) = self.known.iter().position(|(id, _)| *id == context) {
            self.known[index..].rotate_left(1);
        }
    }

    /// The context used last.
    pub(super) fn last(&self) -> Option<ContextId> {
        self.ids().next_back()
    }

    /// All of them, the one used last at the end.
    pub(super) fn ids(&self) -> impl DoubleEndedIterator<Item = ContextId> {
        self.known.iter().map(|(id, _)| *id)
    }

    /// Forgets all but the `number` that were used last.
    pub(super) fn keep(&mut self, number: usize) {
        let forgotten = self.known.len().saturating_sub(number);
        self.known.drain(..forgotten);
    }
}
