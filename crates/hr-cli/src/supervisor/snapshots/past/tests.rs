use hr_forkserver::protocol::Loaded;

use super::*;

const RUN: RunId = RunId(7);

fn kind() -> Kind {
    Kind::call("shop.main")
}

fn checkpoint(number: u32) -> Checkpoint {
    Checkpoint {
        number,
        loaded: Loaded::default(),
        micros: u64::from(number) * 1000,
        ..Checkpoint::default()
    }
}

/// A past in which a run has begun.
fn begun() -> Past {
    let mut past = Past::new(Watch::default());
    past.begins(RUN, kind(), SnapshotId(1), None, Some(&Checkpointing::default()));
    past
}

#[test]
fn checkpoints_are_kept_in_whatever_order_they_are_heard_of() {
    let mut past = begun();
    assert!(past.add(SnapshotId(12), RUN, checkpoint(2)));
    assert!(past.add(SnapshotId(11), RUN, checkpoint(1)));
    assert_eq!(past.of_kind(&kind()), [], "what they stand on is not known");
    assert!(past.add(SnapshotId(10), RUN, checkpoint(0)));
    assert_eq!(past.of_kind(&kind()), [12, 11, 10].map(SnapshotId), "the one that saves most comes first");
    assert_eq!(past.ends(RUN), []);
}

#[test]
fn what_stands_on_something_unknown_goes_with_its_run() {
    let mut past = begun();
    assert!(past.add(SnapshotId(11), RUN, checkpoint(1)));
    assert!(past.add(SnapshotId(12), RUN, checkpoint(2)));
    past.remove(SnapshotId(12));
    assert_eq!(past.ends(RUN), [SnapshotId(11)]);
    assert!(!past.add(SnapshotId(13), RUN, checkpoint(0)), "the run is over");
}

#[test]
fn what_saves_less_than_going_on_costs_is_not_gone_on_from() {
    let mut past = begun();
    for number in [0, 29, 31] {
        past.early.clear();
        past.append(SnapshotId(number), RUN, checkpoint(u32::try_from(number).expect("it is small")));
    }
    let quicker = |past: &Past, number| past.is_quicker(&kind(), SnapshotId(number), 10);
    assert!(quicker(&past, 0), "nobody knows better");
    past.imports_over(&ImportsOver { run: RUN, modules: 3, micros: 900, obstacle: None, cost: Some(30_000) });
    assert!(!quicker(&past, 29));
    assert!(quicker(&past, 31));
    assert!(past.is_quicker(&kind(), SnapshotId(29), 1_000_000), "at any price");
}

#[test]
fn what_a_forgotten_kind_leaves_is_not_kept() {
    let mut past = Past::new(Watch::default());
    for number in 0..100 {
        let kind = Kind::call(&format!("shop.module{number}"));
        past.begins(RunId(number), kind, SnapshotId(1), None, Some(&Checkpointing::default()));
    }
    assert!(!past.add(SnapshotId(10), RunId(0), checkpoint(0)));
    assert!(past.add(SnapshotId(11), RunId(99), checkpoint(0)));
}
