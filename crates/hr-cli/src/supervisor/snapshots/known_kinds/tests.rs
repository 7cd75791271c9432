use hr_forkserver::protocol::RunId;

use super::*;

fn wanted() -> Checkpointing {
    Checkpointing { most: 12, overhead: 10, edited: Vec::new(), cost: None }
}

fn over(millis: u64, cost_millis: u64) -> ImportsOver {
    let [micros, cost] = [millis, cost_millis].map(|millis| millis * 1000);
    ImportsOver { run: RunId(7), modules: 3, micros, obstacle: None, cost: Some(cost) }
}

#[test]
fn a_call_whose_imports_take_no_time_leaves_none_the_next_time_until_something_is_edited() {
    let mut kinds = KnownKinds::default();
    let call = Kind::call("shop.main");
    let leaves = |kinds: &KnownKinds, busy| kinds.checkpointing(&call, &wanted(), Vec::new(), busy).is_some();
    let kind = kinds.begins(call.clone(), None);
    assert!(leaves(&kinds, false), "nobody knows better");
    assert!(!leaves(&kinds, true), "another run is at it");
    kinds.imports_over(&kind, &over(1, 30), true);
    assert!(!leaves(&kinds, false));
    kinds.edited();
    assert!(leaves(&kinds, false));
}

#[test]
fn a_program_leaves_none_if_none_would_save_three_times_what_it_costs() {
    let mut kinds = KnownKinds::default();
    let program = Kind::program("shop");
    let kind = kinds.begins(program.clone(), None);
    for (millis, leaves) in [(89, false), (91, true)] {
        kinds.imports_over(&kind, &over(millis, 30), true);
        assert_eq!(kinds.checkpointing(&program, &wanted(), Vec::new(), false).is_some(), leaves);
        let at_any_price = Checkpointing { overhead: 1_000_000, ..wanted() };
        assert!(kinds.checkpointing(&program, &at_any_price, Vec::new(), false).is_some());
    }
}

#[test]
fn a_program_that_starts_again_may_be_lengthened_by_less() {
    let mut kinds = KnownKinds::default();
    let program = Kind::program("shop");
    let overhead = |kinds: &KnownKinds| {
        let checkpointing = kinds.checkpointing(&program, &wanted(), Vec::new(), false);
        checkpointing.map(|checkpointing| checkpointing.overhead)
    };
    let kind = kinds.begins(program.clone(), None);
    assert_eq!(overhead(&kinds), Some(10), "the first one may have been stopped before it left any");
    kinds.imports_over(&kind, &over(900, 30), true);
    assert_eq!(overhead(&kinds), Some(4));
}

#[test]
fn what_a_checkpoint_costs_counts_less_and_less_until_it_is_measured_again() {
    let mut kinds = KnownKinds::default();
    let [program, call] = [Kind::program("shop"), Kind::call("shop.main")];
    let price = |kinds: &KnownKinds| kinds.price(&program, 10).as_millis();
    assert_eq!(price(&kinds), 0, "nobody knows");
    let kind = kinds.begins(program.clone(), Some(800_000));
    assert_eq!(price(&kinds), 800, "what others have measured");
    let leaves_none = ImportsOver { cost: None, ..over(1, 0) };
    for is_first in [true, false, false] {
        kinds.imports_over(&kind, &leaves_none, is_first);
    }
    assert_eq!(price(&kinds), 750, "it is one run");
    for _ in 0..40 {
        kinds.imports_over(&kind, &leaves_none, true);
    }
    assert!(price(&kinds) < 80);
    kinds.imports_over(&kind, &over(1, 90), true);
    assert_eq!(price(&kinds), 90);

    let kind = kinds.begins(call.clone(), Some(800_000));
    kinds.imports_over(&kind, &leaves_none, true);
    assert_eq!(kinds.price(&call, 10).as_millis(), 800, "calls measure nothing unless something was edited");
}

#[test]
fn kinds_that_were_run_long_ago_are_forgotten() {
    let mut kinds = KnownKinds::default();
    let begun: Vec<_> =
        (0..100).map(|number| kinds.begins(Kind::call(&format!("shop.module{number}")), None)).collect();
    assert_eq!(kinds.iter().count(), KNOWN_KINDS);
    assert!(!kinds.knows(&begun[0]));
    assert!(kinds.knows(&begun[99]));
}
