//! The fork server with an interpreter of its own: this very program.
//!
//! A test starts this binary again, with an environment variable that turns it into a paused process. Its "modules"
//! are instructions: `sleep` hangs, `crash` dies, `child` starts a program, and so on. A run's "function" is one
//! instruction too. What is under test is the crate: the tree above and the loop below are the real ones.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Command as Program, ExitCode};
use std::time::{Duration, Instant};

use hr_forkserver::protocol::{
    Call, ExitStatus, FirstParty, ImportFailure, ImportOutcome, Payload, ProcessContext, RunId, SnapshotId,
};
use hr_forkserver::transaction::Cause;
use hr_forkserver::{
    Build, Interpreter, Launch, Plan, Progress, RunDescriptors, SnapshotTree, Source, Template, TreeEvent,
    paused,
};
use nix::poll::{PollFd, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;

const ROLE: &str = "HR_FORKSERVER_TEST_INTERPRETER";

/// A bound against hanging, not an expectation of speed.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    if std::env::var_os(ROLE).is_some() {
        let number = std::env::args().next_back().and_then(|number| number.parse().ok());
        let socket = hr_test_descriptor(number.expect("the descriptor to serve"));
        paused::serve(Instructions::default(), socket);
    }
    // Every test needs to be the parent of its processes, so each has a process of its own.
    let tests: &[(&str, fn())] = &[
        ("a_run_reports_its_exit_code_and_what_it_wrote", a_run_reports_its_exit_code_and_what_it_wrote),
        (
            "a_module_that_breaks_is_left_out_without_a_trace",
            a_module_that_breaks_is_left_out_without_a_trace,
        ),
        ("a_module_that_hangs_is_given_up", a_module_that_hangs_is_given_up),
        ("a_layer_adds_modules_and_its_base_outlives_it", a_layer_adds_modules_and_its_base_outlives_it),
        ("a_killed_template_takes_its_runs_along", a_killed_template_takes_its_runs_along),
        ("a_stopped_run_takes_along_what_it_started", a_stopped_run_takes_along_what_it_started),
        ("a_clean_exit_leaves_background_processes_alone", a_clean_exit_leaves_background_processes_alone),
        ("a_retired_template_waits_for_its_runs", a_retired_template_waits_for_its_runs),
        ("nothing_outlives_the_supervisor", nothing_outlives_the_supervisor),
        ("many_runs_at_once_leave_no_descriptor_behind", many_runs_at_once_leave_no_descriptor_behind),
    ];
    run_tests(tests)
}

/// A harness in small: each test in a child process, as `cargo test` lists and filters them.
fn run_tests(tests: &[(&str, fn())]) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(name) = arguments.iter().find_map(|argument| argument.strip_prefix("--child=")) {
        let doomed: (&str, fn()) = ("wait_to_be_killed", wait_to_be_killed);
        let (_, test) = tests
            .iter()
            .chain([&doomed])
            .find(|(candidate, _)| *candidate == name)
            .expect("a test of that name");
        test();
        return ExitCode::SUCCESS;
    }
    if arguments.iter().any(|argument| argument == "--list") {
        for (name, _) in tests {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    let chosen = tests.iter().filter(|(name, _)| filter.is_none_or(|filter| name.contains(filter.as_str())));
    let program = std::env::current_exe().unwrap();
    let started: Vec<_> = chosen
        .map(|(name, _)| {
            let child = Program::new(&program)
                .arg(format!("--child={name}"))
                .stderr(std::process::Stdio::piped())
                .spawn();
            (*name, child.unwrap())
        })
        .collect();
    let (mut passed, mut failed) = (0, 0);
    for (name, child) in started {
        let output = child.wait_with_output().unwrap();
        if output.status.success() {
            passed += 1;
            println!("test {name} ... ok");
        } else {
            failed += 1;
            println!("test {name} ... FAILED\n{}", String::from_utf8_lossy(&output.stderr));
        }
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {verdict}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out"
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn hr_test_descriptor(number: i32) -> OwnedFd {
    // Opening it anew keeps this file free of unsafe code; a socket cannot be opened that way, so it is fetched from
    // the process itself.
    let this =
        rustix::process::pidfd_open(rustix::process::getpid(), rustix::process::PidfdFlags::empty()).unwrap();
    let socket =
        rustix::process::pidfd_getfd(&this, number, rustix::process::PidfdGetfdFlags::empty()).unwrap();
    // The number that was inherited must not keep the stream open.
    nix::unistd::close(number).unwrap();
    socket
}

/// An interpreter whose modules and functions are instructions.
#[derive(Default)]
struct Instructions {
    imported: BTreeSet<String>,
}

impl Instructions {
    fn instruct(&self, instruction: &str) -> i32 {
        match instruction.split_once(' ').unwrap_or((instruction, "")) {
            ("exit", code) => return code.parse().unwrap(),
            ("modules", _) => {
                println!("{}", self.imported.iter().cloned().collect::<Vec<_>>().join(" "));
            }
            ("crash", _) => std::process::abort(),
            ("hang", _) => loop {
                nix::unistd::pause();
            },
            // A daemon: its parent has ended, its session is its own.
            ("daemon", _) => {
                let shell = "setsid sh -c 'sleep 1000 & sleep 1000' >/dev/null 2>&1 & echo started";
                Program::new("sh").args(["-c", shell]).status().unwrap();
            }
            ("daemon-then-hang", _) => {
                self.instruct("daemon");
                std::io::stdout().flush().unwrap();
                self.instruct("hang");
            }
            _ => {}
        }
        std::io::stdout().flush().unwrap();
        0
    }
}

impl Interpreter for Instructions {
    fn prepare(&mut self, _sys_path: Vec<OsString>, _first_party: FirstParty) {}

    fn import(&mut self, module: &str) -> ImportOutcome {
        match module {
            "missing" => {
                return ImportOutcome::Failed { failure: ImportFailure::NotFound, left_traces: false };
            }
            "broken" => {
                self.imported.insert("half-of-broken".to_owned());
                let failure = ImportFailure::Raised { type_name: "Error".to_owned(), message: String::new() };
                return ImportOutcome::Failed { failure, left_traces: true };
            }
            "exits" => std::process::exit(3),
            other => drop(self.instruct(other)),
        }
        self.imported.insert(module.to_owned());
        ImportOutcome::Imported
    }

    fn settle(&mut self) -> Vec<OsString> {
        self.imported.iter().map(Into::into).collect()
    }

    fn before_fork(&mut self) {}
    fn after_fork_in_parent(&mut self) {}
    fn after_fork_in_child(&mut self) {}

    fn run(&mut self, call: Call, _descriptors: RunDescriptors) -> i32 {
        let Payload::Inline { bytes, .. } = call.function else { return 1 };
        self.instruct(&String::from_utf8(bytes).unwrap())
    }
}

/// A supervisor in small: the loop that the tree asks of its owner.
struct Supervisor {
    tree: SnapshotTree,
    ended: Vec<(RunId, ExitStatus)>,
}

impl Supervisor {
    fn new() -> Self {
        nix::sys::prctl::set_child_subreaper(true).unwrap();
        Self { tree: SnapshotTree::default(), ended: Vec::new() }
    }

    /// Lets things happen until `found` makes something of an event, or says on its own that the time has come.
    fn until<T>(&mut self, mut found: impl FnMut(&mut SnapshotTree, Option<&TreeEvent>) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            while let Some(event) = self.tree.next_event() {
                if let TreeEvent::RunEnded { run, status } = event {
                    self.ended.push((run, status));
                }
                if let Some(value) = found(&mut self.tree, Some(&event)) {
                    return value;
                }
            }
            if let Some(value) = found(&mut self.tree, None) {
                return value;
            }
            assert!(Instant::now() < deadline, "nothing happened for {PATIENCE:?}");
            for source in self.wait() {
                self.tree.ready(source);
            }
            self.tree.reap();
        }
    }

    fn wait(&self) -> Vec<Source> {
        let sources: Vec<_> = self.tree.sources().collect();
        let mut polled: Vec<_> =
            sources.iter().map(|(_, descriptor, flags)| PollFd::new(*descriptor, *flags)).collect();
        poll(&mut polled, PollTimeout::from(100u8)).unwrap();
        let ready = sources.iter().zip(&polled).filter(|(_, polled)| polled.any().unwrap_or(false));
        ready.map(|((source, _, _), _)| *source).collect()
    }

    fn finish(&mut self, mut build: Build) -> Template {
        self.until(|tree, event| {
            build.expired(tree);
            match build.handle(tree, event?) {
                Progress::Working => None,
                Progress::Finished(template) => Some(template.unwrap()),
            }
        })
    }

    fn build(&mut self, modules: &[&str]) -> Template {
        let build = Build::boot(&mut self.tree, &launch(), plan(modules, PATIENCE)).unwrap();
        let template = self.finish(build);
        // The last fallback was told to end, and ends in its own time.
        self.until(|tree, _| {
            (tree.sources().filter(|(source, ..)| !is_output(*source)).count() == 2).then_some(())
        });
        template
    }

    /// Starts a run and returns it with its process id and the reading end of its stdout.
    fn start(&mut self, template: SnapshotId, instruction: &str) -> (RunId, Pid, std::io::PipeReader) {
        let (output, written) = std::io::pipe().unwrap();
        let (_results, result) = hr_forkserver::socket_pair().unwrap();
        let null = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
        let directory = OwnedFd::from(std::fs::File::open("/").unwrap());
        let context = ProcessContext { stdio: [true; 3], umask: 0o022, ..ProcessContext::default() };
        let function = Payload::Inline { bytes: instruction.into(), lengths: vec![] };
        let descriptors = vec![directory, result, null(), written.into(), null()];
        let run = self.tree.run(template, Call { context, function }, descriptors);
        let pid = self.until(|_, event| match event {
            Some(TreeEvent::RunStarted { run: started, pid }) if *started == run => Some(*pid),
            Some(TreeEvent::RunFailed { message, .. }) => panic!("{message}"),
            _ => None,
        });
        (run, Pid::from_raw(pid), output)
    }

    fn end_of(&mut self, run: RunId) -> ExitStatus {
        let known = self.ended.iter().find(|(ended, _)| *ended == run).map(|(_, status)| *status);
        known.unwrap_or_else(|| {
            self.until(|_, event| match event {
                Some(TreeEvent::RunEnded { run: ended, status }) if *ended == run => Some(*status),
                _ => None,
            })
        })
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.tree.end_all();
    }
}

fn is_output(source: Source) -> bool {
    matches!(source, Source::Output(_))
}

fn sleeps() -> usize {
    descendants().iter().filter(|stat| stat.contains("(sleep)")).count()
}

fn launch() -> Launch {
    let mut environment: Vec<_> = std::env::vars_os().collect();
    environment.push((ROLE.into(), "1".into()));
    Launch {
        program: std::env::current_exe().unwrap().into(),
        arguments: Vec::new(),
        environment,
        mask: SigSet::empty(),
    }
}

fn plan(modules: &[&str], import_limit: Duration) -> Plan {
    let modules = modules.iter().map(|module| (*module).to_owned()).collect();
    Plan { modules, sys_path: Vec::new(), first_party: FirstParty::default(), import_limit }
}

fn read_line(output: &mut impl Read) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while output.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
        line.push(byte[0]);
    }
    String::from_utf8(line).unwrap()
}

/// Processes below this one that have not ended.
fn descendants() -> Vec<String> {
    let this = nix::unistd::getpid().to_string();
    let mut parents = vec![this];
    let mut found = Vec::new();
    let stats: Vec<String> = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| std::fs::read_to_string(entry.ok()?.path().join("stat")).ok())
        .collect();
    while let Some(parent) = parents.pop() {
        for stat in &stats {
            let (head, tail) = stat.rsplit_once(") ").unwrap();
            let fields: Vec<_> = tail.split(' ').collect();
            if fields[1] == parent {
                let pid = head.split(' ').next().unwrap().to_owned();
                if fields[0] != "Z" {
                    found.push(stat.clone());
                }
                parents.push(pid);
            }
        }
    }
    found
}

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn a_run_reports_its_exit_code_and_what_it_wrote() {
    let mut supervisor = Supervisor::new();
    let template = supervisor.build(&["a", "b"]);
    assert_eq!(template.modules, ["a", "b"]);
    assert_eq!(template.files, ["a", "b"]);
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

fn a_module_that_hangs_is_given_up() {
    let mut supervisor = Supervisor::new();
    let plan = plan(&["a", "hang", "b"], Duration::from_millis(200));
    let build = Build::boot(&mut supervisor.tree, &launch(), plan).unwrap();
    let template = supervisor.finish(build);
    assert_eq!(template.modules, ["a", "b"]);
    assert_eq!(template.excluded, [("hang".to_owned(), Cause::TimedOut(Duration::from_millis(200)))]);
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
fn wait_to_be_killed() {
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
