//! What a template has, and what it costs to find that out.

use std::time::Duration;

use hr_forkserver::protocol::{BuildEvent, ExitStatus, ImportFailure};
use hr_forkserver::transaction::Cause;
use hr_forkserver::{Build, Progress, TreeEvent};
use nix::sys::signal::Signal;

use crate::processes::sleeps;
use crate::supervisor::{PATIENCE, Supervisor, launch, plan, read_line};

/// Every test here, by its name.
pub(crate) const TESTS: &[(&str, fn())] = &[
    ("a_module_that_breaks_is_left_out_without_a_trace", a_module_that_breaks_is_left_out_without_a_trace),
    ("a_module_with_effects_beyond_itself_is_left_out", a_module_with_effects_beyond_itself_is_left_out),
    ("a_forced_module_stays_whatever_it_does", a_forced_module_stays_whatever_it_does),
    ("an_import_that_takes_long_is_told_of", an_import_that_takes_long_is_told_of),
    ("a_template_has_one_thread", a_template_has_one_thread),
    ("a_module_that_hangs_is_given_up", a_module_that_hangs_is_given_up),
    ("a_layer_adds_modules_and_its_base_outlives_it", a_layer_adds_modules_and_its_base_outlives_it),
    ("a_layer_that_breaks_begins_again_from_its_base", a_layer_that_breaks_begins_again_from_its_base),
];

fn a_module_that_breaks_is_left_out_without_a_trace() {
    let mut supervisor = Supervisor::new();
    let template = supervisor.build(&["a", "missing", "broken", "b", "crash", "c", "exits", "d"]);
    assert_eq!(template.modules, ["a", "b", "c", "d"]);
    let causes: Vec<_> =
        template.excluded.iter().map(|(name, cause)| (name.as_str(), cause.clone())).collect();
    let raised = ImportFailure::Raised { type_name: "Error".to_owned(), message: String::new() };
    assert_eq!(
        causes,
        [
            ("missing", Cause::Failed(ImportFailure::NotFound)),
            ("broken", Cause::Failed(raised)),
            ("crash", Cause::Died(ExitStatus::Signaled(Signal::SIGABRT as i32))),
            ("exits", Cause::Died(ExitStatus::Exited(3))),
        ]
    );
    let (_, _, mut output) = supervisor.start(template.snapshot, "modules");
    assert_eq!(read_line(&mut output), "a b c d");
}

fn a_module_with_effects_beyond_itself_is_left_out() {
    let mut supervisor = Supervisor::new();
    let template = supervisor.build(&["a", "daemon", "b", "chdir /proc", "listen", "thread worker", "c"]);
    assert_eq!(template.modules, ["a", "b", "c"]);
    let causes: Vec<_> = template.excluded.iter().map(|(_, cause)| cause.to_string()).collect();
    assert!(causes[0].starts_with("leaves "), "{}", causes[0]);
    assert_eq!(causes[1..3], ["changes the working directory to /proc", "leaves a socket that listens"]);
    let program = std::env::current_exe().unwrap();
    let program = program.file_name().unwrap().to_string_lossy();
    assert_eq!(causes[3], format!("leaves native threads of deps/{program} running"));
    supervisor.until(|_, _| (sleeps() == 0).then_some(()));
    let (_, _, mut output) = supervisor.start(template.snapshot, "modules");
    assert_eq!(read_line(&mut output), "a b c");
}

fn a_forced_module_stays_whatever_it_does() {
    let mut supervisor = Supervisor::new();
    let modules = ["a", "listen", "daemon", "exits", "chdir /proc", "b"];
    let mut plan = plan(&modules, PATIENCE);
    plan.forced = modules[1..4].iter().map(|module| (*module).to_owned()).collect();
    let mut build = Build::boot(&mut supervisor.tree, &launch(), plan).unwrap();
    let mut events = Vec::new();
    let template = supervisor.until(|tree, event| {
        let progress = build.handle(tree, event?);
        events.extend(std::iter::from_fn(|| build.next_event()));
        match progress {
            Progress::Working => None,
            Progress::Finished(template) => Some(template.unwrap()),
        }
    });
    assert_eq!(template.modules, ["a", "listen", "daemon", "b"]);
    let excluded: Vec<_> = template.excluded.iter().map(|(module, _)| module.as_str()).collect();
    assert_eq!(excluded, ["exits", "chdir /proc"], "one that ends the process cannot be kept");
    let effects = |event: &BuildEvent| match event {
        BuildEvent::Imported { module, effects, .. } => Some((module.clone(), effects.len())),
        _ => None,
    };
    let effects: Vec<_> = events.iter().filter_map(effects).collect();
    let expected =
        [("a", 0), ("listen", 1), ("daemon", 1), ("b", 0)].map(|(module, n)| (module.to_owned(), n));
    assert_eq!(effects, expected, "and what was tolerated once is not held against those that follow");
    assert!(matches!(events.last(), Some(BuildEvent::Ready { imported: 4, excluded: 2, .. })));
}

fn an_import_that_takes_long_is_told_of() {
    let mut supervisor = Supervisor::new();
    let limit = Duration::from_millis(2500);
    let mut build = Build::boot(&mut supervisor.tree, &launch(), plan(&["a", "hang"], limit)).unwrap();
    let mut told = Vec::new();
    let template = supervisor.until(|tree, event| {
        build.expired(tree);
        told.extend(std::iter::from_fn(|| build.next_event()));
        match build.handle(tree, event?) {
            Progress::Working => None,
            Progress::Finished(template) => Some(template.unwrap()),
        }
    });
    assert_eq!(template.modules, ["a"]);
    let notice = |event: BuildEvent| match event {
        BuildEvent::StillImporting { module, elapsed, limit } => Some((module, elapsed.as_secs(), limit)),
        _ => None,
    };
    let notices: Vec<_> = told.into_iter().filter_map(notice).collect();
    assert_eq!(notices, [("hang".to_owned(), 1, limit), ("hang".to_owned(), 2, limit)]);
}

fn a_template_has_one_thread() {
    let mut supervisor = Supervisor::new();
    let template = supervisor.build(&["a", "thread jemalloc_bg_thd", "b"]);
    assert_eq!(template.modules, ["a", "thread jemalloc_bg_thd", "b"]);
    let pid = supervisor.tree.pid(template.snapshot).unwrap();
    assert_eq!(std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().count(), 1);
    // The signal that tells of it would have reached the other thread.
    let (run, ..) = supervisor.start(template.snapshot, "exit 7");
    assert_eq!(supervisor.end_of(run), ExitStatus::Exited(7));
    let layer = Build::layer(
        &mut supervisor.tree,
        template.snapshot,
        plan(&["thread polars-ooc-clea", "thread worker"], PATIENCE),
    );
    let layer = supervisor.finish(layer.unwrap());
    assert_eq!(layer.modules, ["thread polars-ooc-clea"]);
    let (run, _, mut output) = supervisor.start(layer.snapshot, "modules");
    assert_eq!(read_line(&mut output), "a b thread jemalloc_bg_thd thread polars-ooc-clea");
    assert_eq!(supervisor.end_of(run), ExitStatus::Exited(0));
}

fn a_module_that_hangs_is_given_up() {
    let mut supervisor = Supervisor::new();
    // Long enough for modules that do nothing, however busy the machine is.
    let limit = Duration::from_secs(2);
    let build = Build::boot(&mut supervisor.tree, &launch(), plan(&["a", "hang", "b"], limit)).unwrap();
    let template = supervisor.finish(build);
    assert_eq!(template.modules, ["a", "b"]);
    assert_eq!(template.excluded, [("hang".to_owned(), Cause::TimedOut(limit))]);
}

fn a_layer_adds_modules_and_its_base_outlives_it() {
    let mut supervisor = Supervisor::new();
    let base = supervisor.build(&["a"]);
    let layer = Build::layer(&mut supervisor.tree, base.snapshot, plan(&["b", "broken"], PATIENCE)).unwrap();
    let layer = supervisor.finish(layer);
    assert_eq!(layer.modules, ["b"]);
    let (_, _, mut output) = supervisor.start(layer.snapshot, "modules");
    assert_eq!(read_line(&mut output), "a b");
    let (_, _, mut output) = supervisor.start(base.snapshot, "modules");
    assert_eq!(read_line(&mut output), "a");
    // And the other way round: the base goes, its layer stays.
    supervisor.tree.retire(base.snapshot);
    supervisor.until(|_, event| match event {
        Some(TreeEvent::Died { snapshot, status }) if *snapshot == base.snapshot => {
            assert_eq!(*status, ExitStatus::Exited(0));
            Some(())
        }
        _ => None,
    });
    let (run, _, mut output) = supervisor.start(layer.snapshot, "modules");
    assert_eq!(read_line(&mut output), "a b");
    assert_eq!(supervisor.end_of(run), ExitStatus::Exited(0));
}

fn a_layer_that_breaks_begins_again_from_its_base() {
    let mut supervisor = Supervisor::new();
    let base = supervisor.build(&["a"]);
    let modules = ["b", "crash", "c", "exits", "d"];
    let layer = Build::layer(&mut supervisor.tree, base.snapshot, plan(&modules, PATIENCE)).unwrap();
    let layer = supervisor.finish(layer);
    assert_eq!(layer.modules, ["b", "c", "d"]);
    let (_, _, mut output) = supervisor.start(layer.snapshot, "modules");
    assert_eq!(read_line(&mut output), "a b c d");
    let (_, _, mut output) = supervisor.start(base.snapshot, "modules");
    assert_eq!(read_line(&mut output), "a");
}
