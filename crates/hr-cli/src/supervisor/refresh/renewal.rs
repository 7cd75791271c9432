//! What is built while nobody waits for it, and swapped in when it is ready.

use hr_forkserver::{SnapshotTree, TreeEvent};

use super::{Outcome, Refresh};
use crate::supervisor::construction::{Construction, Site};
use crate::supervisor::decide::{self, Decision};

/// What is built while nobody waits for it.
pub(super) enum Renewal {
    /// Nothing. It is looked for when there is nothing else to do.
    Idle,
    Building(Box<Construction>),
    /// It failed; there is no use in trying before something changes.
    Failed,
}

impl Renewal {
    /// Something has changed: what failed is worth another try.
    pub(super) fn retry(&mut self) {
        if matches!(self, Self::Failed) {
            *self = Self::Idle;
        }
    }
}

impl Refresh {
    /// Begins what is worth building while nobody waits.
    pub(super) fn renew(&mut self, tree: &mut SnapshotTree) {
        if !matches!(self.renewal, Renewal::Idle) {
            return;
        }
        let Some(context) = self.snapshots.active() else { return };
        if let (Some(project), true) = (&mut self.project, self.rated != Some(context)) {
            if let Some(interpreter) = self.snapshots.interpreter(context) {
                project.look_around(interpreter);
            }
            self.snapshots.rate(project.demand());
            self.rated = Some(context);
        }
        let Some(best) = self.snapshots.best_in(tree, context) else { return };
        let base = match decide::later(self.appraise(best)) {
            Decision::Keep => return,
            Decision::Layer => Some(best),
            Decision::Boot => None,
        };
        self.renewal = match self.begin(tree, Site { context, base }) {
            Some(Ok(construction)) => Renewal::Building(Box::new(construction)),
            Some(Err(_)) | None => Renewal::Failed,
        };
    }

    pub(super) fn on_renewal_event(&mut self, tree: &mut SnapshotTree, event: &TreeEvent) -> Vec<Outcome> {
        let Renewal::Building(construction) = &mut self.renewal else { return Vec::new() };
        let result = construction.handle(tree, event);
        // Nobody waits for it.
        drop(construction.events());
        let Some(result) = result else { return Vec::new() };
        let failed = std::mem::replace(&mut self.renewal, Renewal::Failed);
        let (Ok(template), Renewal::Building(construction)) = (result, failed) else { return Vec::new() };
        self.renewal = Renewal::Idle;
        self.insert(tree, *template, *construction);
        let mut outcomes = vec![Outcome::Ready];
        outcomes.extend(self.advance(tree));
        outcomes
    }
}
