//! Checkpoints, and spares: forks that wait.

use hr_forkserver::TreeEvent;
use hr_forkserver::protocol::{ExitStatus, SnapshotId};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::processes::{children, descendants};
use crate::supervisor::{Supervisor, read_line};

/// Every test here, by its name.
pub(crate) const TESTS: &[(&str, fn())] = &[
    (
        "what_goes_on_from_a_checkpoint_does_what_came_after_it",
        what_goes_on_from_a_checkpoint_does_what_came_after_it,
    ),
    ("a_checkpoint_is_no_part_of_its_run", a_checkpoint_is_no_part_of_its_run),
    ("a_spare_becomes_the_next_run", a_spare_becomes_the_next_run),
    ("a_spare_of_a_checkpoint_goes_on_from_there", a_spare_of_a_checkpoint_goes_on_from_there),
    ("a_spare_that_was_killed_never_had_the_job", a_spare_that_was_killed_never_had_the_job),
    (
        "what_a_terminal_sent_to_a_spare_is_not_for_its_run",
        what_a_terminal_sent_to_a_spare_is_not_for_its_run,
    ),
    ("spares_end_with_their_template", spares_end_with_their_template),
];

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

/// The checkpoint that a run has left which is over.
fn left_behind(supervisor: &mut Supervisor, template: SnapshotId) -> SnapshotId {
    let (run, _, mut output) = supervisor.start(template, "pause");
    let checkpoint = checkpoint(supervisor);
    assert_eq!(read_line(&mut output), "the first of its kind, with 0 children");
    assert_eq!(supervisor.end_of(run), ExitStatus::Exited(0));
    checkpoint
}

fn what_goes_on_from_a_checkpoint_does_what_came_after_it() {
    let mut supervisor = Supervisor::new();
    let template = supervisor.build(&["a"]).snapshot;
    let checkpoint = left_behind(&mut supervisor, template);
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

fn a_spare_of_a_checkpoint_goes_on_from_there() {
    let mut supervisor = Supervisor::new();
    let template = supervisor.build(&["a"]).snapshot;
    let checkpoint = left_behind(&mut supervisor, template);
    for _ in 0..2 {
        let spare = wait_for_spare(&mut supervisor, checkpoint);
        let (run, pid, mut output) = supervisor.start(checkpoint, "");
        assert_eq!(pid, spare);
        assert_eq!(read_line(&mut output), format!("process {pid} goes on"));
        assert_eq!(supervisor.end_of(run), ExitStatus::Exited(0));
    }
    let spare = wait_for_spare(&mut supervisor, checkpoint);
    supervisor.tree.retire(checkpoint);
    supervisor.until(|_, _| (!std::path::Path::new(&format!("/proc/{spare}")).exists()).then_some(()));
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
