//! What a user of the crate relies on.

use std::process::Command as Program;
use std::time::{Duration, Instant};

use hr_forkserver::protocol::{BuildEvent, ExitStatus, ImportFailure, SnapshotId};
use hr_forkserver::transaction::Cause;
use hr_forkserver::{Build, Progress, TreeEvent};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::processes::{children, descendants, open_descriptors, sleeps};
use crate::supervisor::{PATIENCE, Supervisor, launch, plan, read_line};

/// Every test, by its name.
pub(crate) const TESTS: &[(&str, fn())] = &[
    ("a_run_reports_its_exit_code_and_what_it_wrote", a_run_reports_its_exit_code_and_what_it_wrote),
    ("a_module_that_breaks_is_left_out_without_a_trace", a_module_that_breaks_is_left_out_without_a_trace),
    ("a_module_with_effects_beyond_itself_is_left_out", a_module_with_effects_beyond_itself_is_left_out),
    ("a_forced_module_stays_whatever_it_does", a_forced_module_stays_whatever_it_does),
    ("an_import_that_takes_long_is_told_of", an_import_that_takes_long_is_told_of),
    ("a_template_has_one_thread", a_template_has_one_thread),
    ("a_module_that_hangs_is_given_up", a_module_that_hangs_is_given_up),
    ("a_layer_adds_modules_and_its_base_outlives_it", a_layer_adds_modules_and_its_base_outlives_it),
    ("a_layer_that_breaks_begins_again_from_its_base", a_layer_that_breaks_begins_again_from_its_base),
    ("a_killed_template_takes_its_runs_along", a_killed_template_takes_its_runs_along),
    ("a_stopped_run_takes_along_what_it_started", a_stopped_run_takes_along_what_it_started),
    ("a_clean_exit_leaves_background_processes_alone", a_clean_exit_leaves_background_processes_alone),
    ("a_retired_template_waits_for_its_runs", a_retired_template_waits_for_its_runs),
    (
        "what_goes_on_from_a_checkpoint_does_what_came_after_it",
        what_goes_on_from_a_checkpoint_does_what_came_after_it,
    ),
    ("a_checkpoint_is_no_part_of_its_run", a_checkpoint_is_no_part_of_its_run),
    ("a_spare_becomes_the_next_run", a_spare_becomes_the_next_run),
    ("a_spare_that_was_killed_never_had_the_job", a_spare_that_was_killed_never_had_the_job),
    (
        "what_a_terminal_sent_to_a_spare_is_not_for_its_run",
        what_a_terminal_sent_to_a_spare_is_not_for_its_run,
    ),
    ("spares_end_with_their_template", spares_end_with_their_template),
    ("nothing_outlives_the_supervisor", nothing_outlives_the_supervisor),
    ("many_runs_at_once_leave_no_descriptor_behind", many_runs_at_once_leave_no_descriptor_behind),
];

fn a_run_reports_its_exit_code_and_what_it_wrote() {
    let mut supervisor = Supervisor::new();
    let template = supervisor.build(&["a", "b"]);
    assert_eq!(template.modules, ["a", "b"]);
    assert_eq!(template.loaded.files, ["a", "b"]);
    let (run, _, mut output) = supervisor.start(template.snapshot, "modules");
    assert_eq!(read_line(&mut output), "a b");
    assert_eq!(supervisor.end_of(run), ExitStatus::Exited(0));
    let (run, ..) = supervisor.start(template.snapshot, "exit 7");
    assert_eq!(supervisor.end_of(run), ExitStatus::Exited(7));
    let (run, ..) = supervisor.start(template.snapshot, "crash");
    assert_eq!(supervisor.end_of(run), ExitStatus::Signaled(Signal::SIGABRT as i32));
}

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

fn a_killed_template_takes_its_runs_along() {
    let mut supervisor = Supervisor::new();
    let template = supervisor.build(&["a"]).snapshot;
    let (first, ..) = supervisor.start(template, "hang");
    let (second, _, mut output) = supervisor.start(template, "daemon-then-hang");
    assert_eq!(read_line(&mut output), "started");
    let pid = Pid::from_raw(supervisor.tree.pid(template).unwrap());
    kill(pid, Signal::SIGKILL).unwrap();
    for run in [first, second] {
        let status = supervisor.end_of(run);
        assert!(matches!(status, ExitStatus::Signaled(9)), "{status:?}");
    }
    assert!(!supervisor.tree.is_alive(template));
    supervisor.until(|_, _| descendants().is_empty().then_some(()));
}

fn a_stopped_run_takes_along_what_it_started() {
    let mut supervisor = Supervisor::new();
    let template = supervisor.build(&["a"]).snapshot;
    let (other, _, mut other_output) = supervisor.start(template, "daemon-then-hang");
    let (run, _, mut output) = supervisor.start(template, "daemon-then-hang");
    assert_eq!((read_line(&mut output), read_line(&mut other_output)), ("started".into(), "started".into()));
    supervisor.until(|_, _| (sleeps() == 4).then_some(()));
    assert!(supervisor.tree.terminate(run));
    assert_eq!(supervisor.end_of(run), ExitStatus::Signaled(Signal::SIGTERM as i32));
    assert!(!supervisor.tree.terminate(run), "it is over");
    assert_eq!(sleeps(), 2, "those of the other run");
    assert_eq!(supervisor.tree.runs(), [other]);
}

fn a_clean_exit_leaves_background_processes_alone() {
    let mut supervisor = Supervisor::new();
    let template = supervisor.build(&["a"]).snapshot;
    let (run, _, mut output) = supervisor.start(template, "daemon");
    assert_eq!(read_line(&mut output), "started");
    assert_eq!(supervisor.end_of(run), ExitStatus::Exited(0));
    supervisor.until(|_, _| (sleeps() == 2).then_some(()));
    supervisor.tree.end_all();
    assert_eq!(descendants(), Vec::<String>::new());
}

fn a_retired_template_waits_for_its_runs() {
    let mut supervisor = Supervisor::new();
    let template = supervisor.build(&["a"]).snapshot;
    let (run, pid, _output) = supervisor.start(template, "hang");
    supervisor.tree.retire(template);
    assert!(!supervisor.tree.is_alive(template));
    kill(pid, Signal::SIGUSR1).unwrap();
    assert_eq!(supervisor.end_of(run), ExitStatus::Signaled(Signal::SIGUSR1 as i32));
    let status = supervisor.until(|_, event| match event {
        Some(TreeEvent::Died { snapshot, status }) if *snapshot == template => Some(*status),
        _ => None,
    });
    assert_eq!(status, ExitStatus::Exited(0));
}

/// The checkpoint that a run is about to leave.
fn checkpoint(supervisor: &mut Supervisor) -> SnapshotId {
    let found = supervisor.until(|_, event| match event {
        Some(TreeEvent::Checkpoint { snapshot, checkpoint, .. }) => {
            Some((*snapshot, checkpoint.module.clone()))
        }
        _ => None,
    });
    assert_eq!(found.1, "module");
    found.0
}

fn what_goes_on_from_a_checkpoint_does_what_came_after_it() {
    let mut supervisor = Supervisor::new();
    let template = supervisor.build(&["a"]).snapshot;
    let (first, _, mut output) = supervisor.start(template, "pause");
    let checkpoint = checkpoint(&mut supervisor);
    assert_eq!(read_line(&mut output), "the first of its kind, with 0 children");
    assert_eq!(supervisor.end_of(first), ExitStatus::Exited(0));
    // Neither what it stands on nor the run it was left by is needed for that.
    supervisor.tree.retire(template);
    for _ in 0..3 {
        let (run, pid, mut output) = supervisor.start(checkpoint, "");
        assert_eq!(read_line(&mut output), format!("process {pid} goes on"));
        assert_eq!(supervisor.end_of(run), ExitStatus::Exited(0));
        assert_eq!(read_line(&mut output), "", "nothing twice");
    }
    supervisor.tree.retire(checkpoint);
    let gone = |_: &mut _, event: Option<&TreeEvent>| {
        matches!(event, Some(TreeEvent::Died { snapshot, .. }) if *snapshot == checkpoint).then_some(())
    };
    supervisor.until(gone);
}

fn a_checkpoint_is_no_part_of_its_run() {
    let mut supervisor = Supervisor::new();
    let template = supervisor.build(&["a"]).snapshot;
    let (run, pid, mut output) = supervisor.start(template, "pause-then-hang");
    let checkpoint = checkpoint(&mut supervisor);
    assert_eq!(read_line(&mut output), "the first of its kind, with 0 children");
    assert_eq!(children(pid.as_raw()), Vec::<i32>::new());
    supervisor.tree.kill_run(run);
    assert_eq!(supervisor.end_of(run), ExitStatus::Signaled(Signal::SIGKILL as i32));
    assert!(supervisor.tree.is_alive(checkpoint), "what the run has started has ended, and this has not");
    assert_eq!(read_line(&mut output), "", "nobody keeps its output open");
    let (run, _, mut output) = supervisor.start(checkpoint, "");
    assert!(read_line(&mut output).ends_with("goes on"));
    supervisor.tree.kill_run(run);
    supervisor.end_of(run);
}

/// The process id of the only spare there is.
fn wait_for_spare(supervisor: &mut Supervisor, template: SnapshotId) -> Pid {
    supervisor.tree.keep_spares(template, 1).unwrap();
    let pid = supervisor.tree.pid(template).unwrap();
    supervisor.until(|_, _| match children(pid).as_slice() {
        [spare] => Some(Pid::from_raw(*spare)),
        _ => None,
    })
}

fn a_spare_becomes_the_next_run() {
    let mut supervisor = Supervisor::new();
    let template = supervisor.build(&["a"]).snapshot;
    let spare = wait_for_spare(&mut supervisor, template);
    assert_eq!(supervisor.tree.runs(), [], "a spare is no run");
    let (run, pid, mut output) = supervisor.start(template, "modules");
    assert_eq!(pid, spare);
    assert_eq!(read_line(&mut output), "a");
    assert_eq!(supervisor.end_of(run), ExitStatus::Exited(0));
    // One that is used the moment it is asked for, and one that is not there.
    supervisor.tree.keep_spares(template, 1).unwrap();
    for code in [3, 4] {
        let (run, ..) = supervisor.start(template, &format!("exit {code}"));
        assert_eq!(supervisor.end_of(run), ExitStatus::Exited(code));
    }
}

fn a_spare_that_was_killed_never_had_the_job() {
    let mut supervisor = Supervisor::new();
    let template = supervisor.build(&["a"]).snapshot;
    let spare = wait_for_spare(&mut supervisor, template);
    kill(spare, Signal::SIGKILL).unwrap();
    let run = supervisor.request(template, "exit 0").0;
    let refused = supervisor.until(|_, event| match event {
        Some(TreeEvent::RunFailed { run: failed, .. }) if *failed == run => Some(true),
        Some(TreeEvent::RunStarted { run: started, .. }) if *started == run => Some(false),
        _ => None,
    });
    assert!(refused, "it is dead, so it is not said to have started");
    let (run, ..) = supervisor.start(template, "exit 5");
    assert_eq!(supervisor.end_of(run), ExitStatus::Exited(5));
}

fn what_a_terminal_sent_to_a_spare_is_not_for_its_run() {
    let mut supervisor = Supervisor::new();
    let template = supervisor.build(&["a"]).snapshot;
    let spare = wait_for_spare(&mut supervisor, template);
    for signal in [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP] {
        kill(spare, signal).unwrap();
    }
    let (run, pid, _) = supervisor.start(template, "exit 6");
    assert_eq!(pid, spare);
    assert_eq!(supervisor.end_of(run), ExitStatus::Exited(6));
}

fn spares_end_with_their_template() {
    let mut supervisor = Supervisor::new();
    let template = supervisor.build(&["a"]).snapshot;
    supervisor.tree.keep_spares(template, 3).unwrap();
    let pid = supervisor.tree.pid(template).unwrap();
    supervisor.until(|_, _| (children(pid).len() == 3).then_some(()));
    supervisor.tree.retire(template);
    supervisor.until(|_, _| descendants().is_empty().then_some(()));
}

fn nothing_outlives_the_supervisor() {
    // What the doomed one leaves behind comes here, so that it is seen.
    nix::sys::prctl::set_child_subreaper(true).unwrap();
    let program = std::env::current_exe().unwrap();
    let mut doomed = Program::new(program)
        .arg("--child=wait_to_be_killed")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = doomed.stdout.take().unwrap();
    assert_eq!(read_line(&mut output), "all are up");
    doomed.kill().unwrap();
    doomed.wait().unwrap();
    let deadline = Instant::now() + PATIENCE;
    while !descendants().is_empty() {
        assert!(Instant::now() < deadline, "{:#?}", descendants());
        std::thread::yield_now();
    }
}

/// A supervisor with everything below it that could be left behind.
pub(crate) fn wait_to_be_killed() {
    let mut supervisor = Supervisor::new();
    let template = supervisor.build(&["a"]).snapshot;
    let _runs: Vec<_> = (0..2).map(|_| supervisor.start(template, "daemon-then-hang")).collect();
    let layer = Build::layer(&mut supervisor.tree, template, plan(&["hang"], PATIENCE)).unwrap();
    let deadline = Instant::now() + PATIENCE;
    let mut layer = Some(layer);
    supervisor.until(|tree, event| {
        if let (Some(build), Some(event)) = (layer.as_mut(), event) {
            build.handle(tree, event);
        }
        let importing = layer.as_ref().is_some_and(|build| build.deadline().is_some());
        assert!(Instant::now() < deadline);
        (importing && sleeps() == 4).then_some(())
    });
    println!("all are up");
    loop {
        nix::unistd::pause();
    }
}

fn many_runs_at_once_leave_no_descriptor_behind() {
    let mut supervisor = Supervisor::new();
    let template = supervisor.build(&["a"]).snapshot;
    let (run, ..) = supervisor.start(template, "exit 0");
    supervisor.end_of(run);
    let before = open_descriptors();
    let runs: Vec<_> =
        (0..50).map(|code| (code, supervisor.start(template, &format!("exit {code}")).0)).collect();
    for (code, run) in runs {
        assert_eq!(supervisor.end_of(run), ExitStatus::Exited(code));
    }
    assert_eq!(open_descriptors(), before);
    assert_eq!(supervisor.tree.runs(), []);
}
