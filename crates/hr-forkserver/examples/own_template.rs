//! A program that is its own interpreter: `cargo run -p hr-forkserver --example own_template`.
//!
//! It starts itself as a template that "imports" two words, forks a run from it that prints them, and waits for the run.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, OwnedFd};

use hr_forkserver::protocol::{
    Call, Checkpointing, ImportOutcome, Loaded, Payload, Preparation, ProcessContext, RunId, Work,
};
use hr_forkserver::{
    Build, Forking, Interpreter, Launch, Plan, Progress, RunDescriptors, SnapshotTree, TreeEvent, paused,
};
use nix::poll::{PollFd, PollTimeout, poll};
use nix::sys::signal::SigSet;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

const ROLE: &str = "OWN_TEMPLATE";

#[derive(Default)]
struct Words(Vec<String>);

impl Forking for Words {
    fn before_fork(&mut self) {}
    fn after_fork_in_parent(&mut self) {}
    fn after_fork_in_child(&mut self) {}
}

impl Interpreter for Words {
    fn prepare(&mut self, _preparation: Preparation) {}
    fn import(&mut self, module: &str, _written: usize) -> ImportOutcome {
        self.0.push(module.to_owned());
        ImportOutcome::Imported { effects: Vec::new() }
    }
    fn settle(&mut self) -> Loaded {
        Loaded::default()
    }
    fn warm_up(&mut self) {}
    fn run(&mut self, _: RunId, _: Call, _: RunDescriptors, _: Option<Checkpointing>) -> i32 {
        println!("process {} was forked with these behind it: {}", std::process::id(), self.0.join(" "));
        0
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if std::env::var_os(ROLE).is_some() {
        let number = std::env::args().next_back().ok_or("no descriptor")?.parse()?;
        let this = pidfd_open(getpid(), PidfdFlags::empty())?;
        let socket = pidfd_getfd(this, number, PidfdGetfdFlags::empty())?;
        nix::unistd::close(number)?;
        paused::serve(Words::default(), socket);
    }
    nix::sys::prctl::set_child_subreaper(true)?;
    let mut environment: Vec<_> = std::env::vars_os().collect();
    environment.push((ROLE.into(), "1".into()));
    let program = std::env::current_exe()?.into();
    let launch = Launch { program, arguments: Vec::new(), environment, mask: SigSet::empty() };
    let plan = Plan {
        modules: vec!["hello".to_owned(), "world".to_owned()],
        preparation: Preparation::default(),
        forced: BTreeSet::new(),
        written: BTreeMap::new(),
        import_limit: std::time::Duration::from_mins(1),
    };
    let mut tree = SnapshotTree::default();
    let mut build = Build::boot(&mut tree, &launch, plan)?;
    loop {
        let sources: Vec<_> = tree.sources().collect();
        let mut polled: Vec<_> = sources.iter().map(|(_, fd, flags)| PollFd::new(*fd, *flags)).collect();
        poll(&mut polled, PollTimeout::from(100u8))?;
        let ready = sources.iter().zip(&polled).filter(|(_, polled)| polled.any().unwrap_or(false));
        let ready: Vec<_> = ready.map(|((source, ..), _)| *source).collect();
        for source in ready {
            tree.ready(source);
        }
        tree.reap();
        while let Some(event) = tree.next_event() {
            if let Progress::Finished(template) = build.handle(&mut tree, &event) {
                tree.run(template?.snapshot, call(), descriptors()?, None);
            }
            if let TreeEvent::RunEnded { status, .. } = event {
                println!("it ended: {status:?}");
                tree.end_all();
                return Ok(());
            }
        }
    }
}

fn call() -> Call {
    let context = ProcessContext { stdio: [true; 3], umask: 0o022, ..ProcessContext::default() };
    let payload = Payload::Inline { bytes: Vec::new(), lengths: Vec::new() };
    Call { context, work: Work::Function { payload, module: None } }
}

/// A working directory, a socket for the result, and the standard streams of this process.
fn descriptors() -> std::io::Result<Vec<OwnedFd>> {
    let (_, result) = hr_forkserver::socket_pair()?;
    let open = |path: &str| std::fs::File::open(path).map(OwnedFd::from);
    let (stdout, stderr) = (std::io::stdout(), std::io::stderr());
    let (stdout, stderr) = (stdout.as_fd().try_clone_to_owned()?, stderr.as_fd().try_clone_to_owned()?);
    Ok(vec![open("/")?, result, open("/dev/null")?, stdout, stderr])
}
