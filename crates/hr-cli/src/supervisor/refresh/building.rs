//! What is under construction, whoever waits for it: how a build begins, and where what was built is put.

use std::time::Instant;

use hr_forkserver::protocol::{Preparation, SnapshotId};
use hr_forkserver::{BuildError, Plan, SnapshotTree, Template, TreeEvent};

use super::awaited::Work;
use super::renewal::Renewal;
use super::{MAX_CONTEXTS, Outcome, Refresh};
use crate::supervisor::construction::{Construction, Site};
use crate::supervisor::decide::Best;
use crate::supervisor::snapshots::New;
use crate::supervisor::writes::undecided;

impl Refresh {
    pub(super) fn constructions(&self) -> impl Iterator<Item = &Construction> {
        let awaited = match &self.work {
            Work::Building { construction, .. } => Some(&**construction),
            Work::Idle | Work::Scanning(_) => None,
        };
        let renewal = match &self.renewal {
            Renewal::Building(construction) => Some(&**construction),
            Renewal::Idle | Renewal::Failed => None,
        };
        awaited.into_iter().chain(renewal)
    }

    /// When [`Refresh::on_overdue`] must be called.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.constructions().filter_map(Construction::deadline).min()
    }

    /// Gives up imports that take too long, and tells of those that take long.
    pub(crate) fn on_overdue(&mut self, tree: &mut SnapshotTree) -> Vec<Outcome> {
        if let Work::Building { construction, .. } = &mut self.work {
            construction.expired(tree);
        }
        if let Renewal::Building(construction) = &mut self.renewal {
            construction.expired(tree);
        }
        self.happened()
    }

    /// Lets builds take note of an event.
    pub(crate) fn on_event(&mut self, tree: &mut SnapshotTree, event: &TreeEvent) -> Vec<Outcome> {
        let mut outcomes = self.on_renewal_event(tree, event);
        outcomes.extend(self.on_awaited_event(tree, event));
        outcomes
    }

    pub(super) fn appraise(&self, best: SnapshotId) -> Best {
        Best { fit: self.snapshots.fit(best), layers: self.snapshots.holding(best).layers }
    }

    pub(super) fn begin(
        &self,
        tree: &mut SnapshotTree,
        site: Site,
    ) -> Option<Result<Construction, BuildError>> {
        let interpreter = self.snapshots.interpreter(site.context)?;
        let project = self.project.as_ref()?;
        let demand = project.demand();
        let modules = match site.base {
            Some(base) => self.snapshots.holding(base).missing(demand),
            None => demand.modules.iter().map(|wanted| wanted.module.clone()).collect(),
        };
        let (modules, known) = project.worth_trying(modules);
        let (writes, written) = project.writes();
        let preparation = Preparation {
            argv: interpreter.argv.clone(),
            sys_path: interpreter.sys_path.clone(),
            first_party: project.first_party().clone(),
            profile: project.open.profile,
            writes,
        };
        let (forced, import_limit) = (project.forced(), project.import_limit());
        let plan = Plan { modules, preparation, forced, written, import_limit };
        Some(Construction::begin(tree, site, interpreter, plan, known, self.mask))
    }

    /// Adds a new snapshot, and retires what it takes the place of. Returns whether there was a place for it.
    pub(super) fn insert(
        &mut self,
        tree: &mut SnapshotTree,
        mut template: Template,
        construction: Construction,
    ) -> bool {
        let Some(project) = &mut self.project else { return false };
        let (snapshot, site) = (template.snapshot, construction.site());
        let failed = std::mem::take(&mut template.excluded);
        let undecided: Vec<_> = undecided(&failed).collect();
        let excluded = [project.tried(&template.modules, failed), construction.known_failures()].concat();
        let new = New { template, excluded, undecided };
        if !self.snapshots.insert(new, site.context, site.base, project.demand()) {
            tree.retire(snapshot);
            return false;
        }
        let in_use: Vec<_> = self.constructions().filter_map(Construction::base).collect();
        self.snapshots.collect(tree, MAX_CONTEXTS, &in_use);
        true
    }
}
