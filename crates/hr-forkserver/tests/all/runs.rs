//! What a run reports, and how everything ends.

use std::process::Command as Program;
use std::time::Instant;

use hr_forkserver::protocol::ExitStatus;
use hr_forkserver::{Build, TreeEvent};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::processes::{descendants, open_descriptors, sleeps};
use crate::supervisor::{PATIENCE, Supervisor, plan, read_line};

/// Every test here, by its name.
pub(crate) const TESTS: &[(&str, fn())] = &[
    ("a_run_reports_its_exit_code_and_what_it_wrote", a_run_reports_its_exit_code_and_what_it_wrote),
    ("a_killed_template_takes_its_runs_along", a_killed_template_takes_its_runs_along),
    ("a_stopped_run_takes_along_what_it_started", a_stopped_run_takes_along_what_it_started),
    ("a_clean_exit_leaves_background_processes_alone", a_clean_exit_leaves_background_processes_alone),
    ("a_retired_template_waits_for_its_runs", a_retired_template_waits_for_its_runs),
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
