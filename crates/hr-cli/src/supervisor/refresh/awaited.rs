//! What somebody waits for: a scan decides what it means for the template, a build follows if there must be one, and
//! whoever asked is told.

use hr_forkserver::protocol::{Failure, Reply, SnapshotId, Update};
use hr_forkserver::{BuildError, SnapshotTree, TreeEvent};

use super::renewal::Renewal;
use super::{MAX_CONTEXTS, Outcome, Purpose, Refresh};
use crate::supervisor::change::Change;
use crate::supervisor::clients::Answers;
use crate::supervisor::construction::{Construction, Site};
use crate::supervisor::decide::{self, Decision};
use crate::supervisor::opened::Opened;
use crate::supervisor::scan::Scan;
use crate::supervisor::snapshots::Stale;

/// What is under way, for somebody who waits.
pub(super) enum Work {
    Idle,
    Scanning(Purpose),
    Building { construction: Box<Construction>, purpose: Purpose, change: Change },
}

impl Refresh {
    /// A scan is there: decides what it means for the template.
    pub(crate) fn on_scan(&mut self, tree: &mut SnapshotTree, scan: Scan) -> Vec<Outcome> {
        let Work::Scanning(purpose) = std::mem::replace(&mut self.work, Work::Idle) else {
            return Vec::new();
        };
        // There is one at a time.
        self.scans_ended = self.scans_begun;
        let in_use: Vec<_> = self.constructions().filter_map(Construction::base).collect();
        let Some(project) = &mut self.project else { return Vec::new() };
        project.scanned(scan);
        let context = self.snapshots.context(&project.open.interpreter);
        let before = self.snapshots.newest_in(context).map(|newest| self.snapshots.holding(newest));
        self.snapshots.rate(project.demand());
        self.rated = Some(context);
        let added = before.as_ref().map(|before| before.missing(project.demand())).unwrap_or_default();
        let removed = before.map(|before| before.surplus(project.demand().modules)).unwrap_or_default();
        let Stale { files, names } = self.snapshots.prune(tree, project.demand(), MAX_CONTEXTS, &in_use);
        let (files, moved) = (files.into_iter().collect(), names.into_iter().collect());
        let change = Change { added, removed, files, moved };
        if matches!(self.renewal, Renewal::Failed) {
            self.renewal = Renewal::Idle;
        }
        let best = self.snapshots.best_in(tree, context);
        let appraised = best.map(|best| self.appraise(best));
        let decision = match purpose {
            // What it lacks, the run loads itself.
            Purpose::Revive(_) if best.is_some() => Decision::Keep,
            Purpose::Update(_) if best.is_some_and(|best| self.lacks_nothing_urgent(best)) => Decision::Keep,
            _ => decide::now(appraised),
        };
        match decision {
            Decision::Keep => self.finish(tree, purpose, &change, false),
            Decision::Layer => self.build(tree, Site { context, base: best }, purpose, change),
            Decision::Boot => self.build(tree, Site { context, base: None }, purpose, change),
        }
    }

    /// Whether nobody need wait for what `best` lacks.
    fn lacks_nothing_urgent(&self, best: SnapshotId) -> bool {
        let Some(project) = &self.project else { return true };
        project.urgent(&self.snapshots.holding(best).missing(project.demand())) == 0
    }

    fn build(
        &mut self,
        tree: &mut SnapshotTree,
        site: Site,
        purpose: Purpose,
        change: Change,
    ) -> Vec<Outcome> {
        self.output.clear();
        match self.begin(tree, site) {
            None => Vec::new(),
            Some(Ok(construction)) => {
                self.work = Work::Building { construction: Box::new(construction), purpose, change };
                Vec::new()
            }
            Some(Err(error)) => self.fail(tree, purpose, &error),
        }
    }

    /// Lets the build that somebody waits for take note of an event.
    pub(super) fn on_awaited_event(&mut self, tree: &mut SnapshotTree, event: &TreeEvent) -> Vec<Outcome> {
        let Work::Building { construction, .. } = &mut self.work else { return Vec::new() };
        let result = construction.handle(tree, event);
        let mut outcomes = self.happened();
        let Some(result) = result else { return outcomes };
        let Work::Building { construction, purpose, change } = std::mem::replace(&mut self.work, Work::Idle)
        else {
            return outcomes;
        };
        let Site { context, base } = construction.site();
        let new = result.map(|template| self.insert(tree, *template, *construction));
        outcomes.extend(match new {
            Ok(true) => self.finish(tree, purpose, &change, true),
            // What the layer was to stand on may have died meanwhile, or be out of date.
            Ok(false) | Err(_) if base.is_some() => {
                self.build(tree, Site { context, base: None }, purpose, change)
            }
            Ok(false) => self.finish(tree, purpose, &change, false),
            Err(error) => self.fail(tree, purpose, &error),
        });
        outcomes
    }

    /// Tells what has happened in the build that somebody waits for.
    pub(super) fn happened(&mut self) -> Vec<Outcome> {
        let Work::Building { construction, purpose, .. } = &mut self.work else { return Vec::new() };
        let events = construction.events();
        if let Purpose::Open(answer) | Purpose::Update(answer) = purpose {
            for event in &events {
                Answers::say(answer, &Reply::Building(event.clone()), Vec::new());
            }
        }
        events.into_iter().map(Outcome::Building).collect()
    }

    fn finish(
        &mut self,
        tree: &mut SnapshotTree,
        purpose: Purpose,
        change: &Change,
        changed: bool,
    ) -> Vec<Outcome> {
        let state = self.state(tree).unwrap_or_default();
        let reply = match purpose {
            Purpose::Open(_) | Purpose::Revive(_) => Reply::Opened(state),
            Purpose::Update(_) => Reply::Updated(Update {
                changed,
                added: change.added.clone(),
                removed: change.removed.clone(),
                files: change.files.clone(),
                source: self.project.as_ref().map(Opened::source_changes).unwrap_or_default(),
                reason: change.reason(changed),
                state,
            }),
        };
        let mut outcomes: Vec<_> = answer(purpose, reply).into_iter().collect();
        outcomes.push(Outcome::Ready);
        outcomes.extend(self.advance(tree));
        outcomes
    }

    fn fail(&mut self, tree: &mut SnapshotTree, purpose: Purpose, error: &BuildError) -> Vec<Outcome> {
        let mut message = format!("no template could be built: {error}");
        let words = String::from_utf8_lossy(&self.output);
        if !words.trim().is_empty() {
            message.push_str("; the interpreter said:\n");
            message.push_str(words.trim());
        }
        let reply = Reply::Failed(Failure::Interpreter { message: message.clone() });
        let mut outcomes: Vec<_> = answer(purpose, reply).into_iter().collect();
        if self.template(tree).is_some() {
            outcomes.push(Outcome::Ready);
        } else {
            outcomes.push(Outcome::NoTemplate(message));
        }
        outcomes.extend(self.advance(tree));
        outcomes
    }
}

pub(super) fn answer(purpose: Purpose, reply: Reply) -> Option<Outcome> {
    match purpose {
        Purpose::Open(answer) | Purpose::Update(answer) => Some(Outcome::Answer(answer, Box::new(reply))),
        Purpose::Revive(_) => None,
    }
}
