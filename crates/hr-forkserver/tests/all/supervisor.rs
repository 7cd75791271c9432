//! A supervisor in small: the loop that the tree asks of its owner.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use hr_forkserver::protocol::{
    Call, ExitStatus, Payload, Preparation, ProcessContext, RunId, SnapshotId, Work,
};
use hr_forkserver::{Build, Launch, Plan, Progress, SnapshotTree, Source, Template, TreeEvent};
use nix::poll::{PollFd, PollTimeout, poll};
use nix::sys::signal::SigSet;
use nix::unistd::Pid;

use crate::instructions::ROLE;

/// A bound against hanging, not an expectation of speed.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A tree and what became of its runs.
pub(crate) struct Supervisor {
    pub(crate) tree: SnapshotTree,
    ended: Vec<(RunId, ExitStatus)>,
}

impl Supervisor {
    pub(crate) fn new() -> Self {
        nix::sys::prctl::set_child_subreaper(true).unwrap();
        Self { tree: SnapshotTree::default(), ended: Vec::new() }
    }

    /// Lets things happen until `found` makes something of an event, or says on its own that the time has come.
    pub(crate) fn until<T>(
        &mut self,
        mut found: impl FnMut(&mut SnapshotTree, Option<&TreeEvent>) -> Option<T>,
    ) -> T {
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

    pub(crate) fn finish(&mut self, mut build: Build) -> Template {
        *self.until(|tree, event| {
            build.expired(tree);
            match build.handle(tree, event?) {
                Progress::Working => None,
                Progress::Finished(template) => Some(template.unwrap()),
            }
        })
    }

    pub(crate) fn build(&mut self, modules: &[&str]) -> Template {
        let build = Build::boot(&mut self.tree, &launch(), plan(modules, PATIENCE)).unwrap();
        let template = self.finish(build);
        // The last fallback was told to end, and ends in its own time.
        self.until(|tree, _| {
            (tree.sources().filter(|(source, ..)| !is_of_the_tree(*source)).count() == 2).then_some(())
        });
        template
    }

    /// Starts a run and returns it with its process id and the reading end of its stdout.
    pub(crate) fn start(
        &mut self,
        template: SnapshotId,
        instruction: &str,
    ) -> (RunId, Pid, std::io::PipeReader) {
        let (run, output) = self.request(template, instruction);
        let pid = self.until(|_, event| match event {
            Some(TreeEvent::RunStarted { run: started, pid }) if *started == run => Some(*pid),
            Some(TreeEvent::RunFailed { message, .. }) => panic!("{message}"),
            _ => None,
        });
        (run, Pid::from_raw(pid), output)
    }

    /// Asks for a run.
    pub(crate) fn request(
        &mut self,
        template: SnapshotId,
        instruction: &str,
    ) -> (RunId, std::io::PipeReader) {
        let (output, written) = std::io::pipe().unwrap();
        let (_results, result) = hr_forkserver::socket_pair().unwrap();
        let null = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
        let directory = OwnedFd::from(std::fs::File::open("/").unwrap());
        let context = ProcessContext { stdio: [true; 3], umask: 0o022, ..ProcessContext::default() };
        let payload = Payload::Inline { bytes: instruction.into(), lengths: vec![] };
        let work = Work::Function { payload, module: None };
        let descriptors = vec![directory, result, null(), written.into(), null()];
        (self.tree.run(template, Call { context, work }, descriptors, None), output)
    }

    pub(crate) fn end_of(&mut self, run: RunId) -> ExitStatus {
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

fn is_of_the_tree(source: Source) -> bool {
    matches!(source, Source::Output(_) | Source::Notes)
}

pub(crate) fn launch() -> Launch {
    let mut environment: Vec<_> = std::env::vars_os().collect();
    environment.push((ROLE.into(), "1".into()));
    Launch {
        program: std::env::current_exe().unwrap().into(),
        arguments: Vec::new(),
        environment,
        mask: SigSet::empty(),
    }
}

pub(crate) fn plan(modules: &[&str], import_limit: Duration) -> Plan {
    let modules = modules.iter().map(|module| (*module).to_owned()).collect();
    Plan {
        modules,
        preparation: Preparation::default(),
        forced: BTreeSet::new(),
        written: BTreeMap::new(),
        import_limit,
    }
}

pub(crate) fn read_line(output: &mut impl Read) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while output.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
        line.push(byte[0]);
    }
    String::from_utf8(line).unwrap()
}
