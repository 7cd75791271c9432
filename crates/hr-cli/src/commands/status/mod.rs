//! `hr status`: every template, checkpoint and run of this user, as trees.

mod kernel;
mod text;
mod visit;

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use hr_forkserver::protocol::{RunReport, SnapshotId, SnapshotReport, SnapshotRole, TreeReport};
use serde::{Serialize, Serializer};

use self::visit::Visited;
use crate::analysis::{Format, print};
use crate::private_memory;
use crate::supervisor::voice;

/// What follows the options in `--help`.
const MORE: &str = "\
What is shown of each process:
  template    holds modules of others; what it saves is the time a run would need to import them
  layer       the same, for modules that were added to the template below it
  before M    a checkpoint: a run goes on from there, and executes the module M next
  calls of M  the same, when all of M is executed and one of its functions is called next
  run         executes the project's code
  spare       was forked ahead, and becomes the next run

Examples:
  hr status                   what there is, for whichever project
  hr status --format json     for tools; docs/json-formats.md describes it

Exit codes:
  0  shown, even if there is nothing
  2  this cannot be found out here";

/// Show the templates, checkpoints and runs that there are, with their age and memory and what they save.
#[derive(Debug, Args)]
#[command(after_long_help = MORE)]
pub(crate) struct Status {
    /// What to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Asks every supervisor and prints.
pub(crate) fn run(arguments: &Status) -> anyhow::Result<ExitCode> {
    let Visited { reports, silent } = visit::all()?;
    for supervisor in silent {
        voice::note(&format!(
            "process {supervisor} does not answer (hint: it may be stopped, or of another version)"
        ));
    }
    let trees: Vec<_> =
        reports.into_iter().map(|(supervisor, report)| Tree::new(supervisor, report)).collect();
    match arguments.format {
        Format::Json => print(&(serde_json::to_string_pretty(&Document { version: 1, trees })? + "\n"))?,
        Format::Text if trees.is_empty() => voice::note("nothing runs (hint: `hr run` starts a program)"),
        Format::Text => print(&text::render(&trees))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What `--format json` prints.
#[derive(Debug, Serialize)]
struct Document {
    version: u32,
    trees: Vec<Tree>,
}

/// All processes of one supervisor.
#[derive(Debug, Serialize)]
struct Tree {
    project: Option<String>,
    python: String,
    /// The process that all of this is for.
    client: i32,
    /// Its command line.
    command: String,
    supervisor: u32,
    /// Each after the one that it was forked from.
    processes: Vec<Process>,
}

/// A process below a supervisor.
#[derive(Debug, Serialize)]
struct Process {
    pid: i32,
    /// The process that it was forked from, if that is still there.
    parent: Option<i32>,
    role: &'static str,
    /// Of a checkpoint, the module that is executed or called next.
    module: Option<String>,
    /// Modules that it holds: a template those of the plan, a checkpoint all of them.
    modules: Option<u32>,
    /// Time that a run need not take which starts here.
    saves: Option<Seconds>,
    /// Time since it was forked.
    age: Option<Seconds>,
    /// Bytes of memory that it shares with no other process.
    private_memory: Option<u64>,
}

/// A time that tools get as a number of seconds.
#[derive(Clone, Copy, Debug)]
struct Seconds(Duration);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0.as_secs_f64())
    }
}

impl Tree {
    fn new(supervisor: u32, report: TreeReport) -> Self {
        let TreeReport { project, python, client, snapshots, runs } = report;
        let mut processes = Vec::new();
        let exists = |id: SnapshotId| snapshots.iter().any(|snapshot| snapshot.snapshot == id);
        let roots = snapshots.iter().filter(|snapshot| !snapshot.parent.is_some_and(exists));
        for root in roots {
            Process::list(root, None, &snapshots, &runs, &mut processes);
        }
        Self {
            project: project.map(|project| project.to_string_lossy().into_owned()),
            python: python.to_string_lossy().into_owned(),
            client,
            command: kernel::command_line(client),
            supervisor,
            processes,
        }
    }
}

impl Process {
    /// Lists `snapshot` and all that was forked from it: first what only waits, in the order in which a program comes by.
    fn list(
        snapshot: &SnapshotReport,
        parent: Option<i32>,
        snapshots: &[SnapshotReport],
        runs: &[RunReport],
        list: &mut Vec<Self>,
    ) {
        list.push(Self::paused(snapshot, parent));
        let mut below: Vec<_> =
            snapshots.iter().filter(|other| other.parent == Some(snapshot.snapshot)).collect();
        below.sort_by_key(|other| (saves(other), other.snapshot));
        for other in below {
            Self::list(other, Some(snapshot.pid), snapshots, runs, list);
        }
        let own = runs.iter().filter(|run| run.snapshot == snapshot.snapshot);
        list.extend(
            own.map(|run| Self::of(run.pid, Some(snapshot.pid), if run.spare { "spare" } else { "run" })),
        );
    }

    fn paused(snapshot: &SnapshotReport, parent: Option<i32>) -> Self {
        let saves = saves(snapshot).map(Seconds);
        match &snapshot.role {
            SnapshotRole::Template { modules, .. } => {
                let role = if parent.is_some() { "layer" } else { "template" };
                Self { modules: Some(*modules), saves, ..Self::of(snapshot.pid, parent, role) }
            }
            SnapshotRole::Checkpoint { module, call, modules, .. } => Self {
                module: Some(module.clone()),
                modules: Some(*modules),
                saves,
                ..Self::of(snapshot.pid, parent, if *call { "call" } else { "checkpoint" })
            },
            SnapshotRole::Other => Self::of(snapshot.pid, parent, "other"),
        }
    }

    fn of(pid: i32, parent: Option<i32>, role: &'static str) -> Self {
        Self {
            pid,
            parent,
            role,
            module: None,
            modules: None,
            saves: None,
            age: kernel::age(pid).map(Seconds),
            private_memory: private_memory::of(pid),
        }
    }
}

fn saves(snapshot: &SnapshotReport) -> Option<Duration> {
    match snapshot.role {
        SnapshotRole::Template { saves, .. } | SnapshotRole::Checkpoint { saves, .. } => Some(saves),
        SnapshotRole::Other => None,
    }
}
