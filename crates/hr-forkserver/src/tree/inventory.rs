//! What there is, for people.

use hr_protocol::{RunReport, SnapshotReport, SnapshotRole};

use super::SnapshotTree;

impl SnapshotTree {
    /// All snapshots that live, and all runs and spares, as far as their processes are known. What the snapshots are for is
    /// their owner's to say.
    pub fn inventory(&self) -> (Vec<SnapshotReport>, Vec<RunReport>) {
        let snapshots = self.snapshots.iter().filter_map(|(id, snapshot)| {
            Some(SnapshotReport {
                snapshot: *id,
                parent: snapshot.parent,
                pid: snapshot.pid?.as_raw(),
                role: SnapshotRole::Other,
            })
        });
        let runs = self.runs.iter().filter(|(_, run)| run.ended.is_none()).filter_map(|(id, run)| {
            let (pid, _) = run.process.as_ref()?;
            Some(RunReport { run: *id, snapshot: run.snapshot, pid: pid.as_raw(), spare: run.spare })
        });
        (snapshots.collect(), runs.collect())
    }
}
