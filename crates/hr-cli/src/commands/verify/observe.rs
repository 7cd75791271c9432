//! Looking at processes at the end of a program's imports. What is looked at is decided in `hotreload/_observe.py`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use hr_forkserver::above_streams;
use hr_forkserver::protocol::{
    Call, ExitStatus, MainModule, Open, Outcome, Payload, ProcessContext, Target, TargetInterpreter,
    TemplateState, Work,
};
use rustix::fs::{MemfdFlags, memfd_create};

use super::pickle;
use crate::client::{self, Client};
use crate::sys;

/// What was seen, as text: by section, then by name.
pub(super) type Observation = BTreeMap<String, BTreeMap<String, String>>;

const COLD: &str = include_str!("cold.py");

/// A program.
pub(super) enum Entry {
    Script(String),
    Module(String),
    /// A package whose `__main__` does nothing unless it is the program.
    Package(String),
}

impl Entry {
    fn kind(&self) -> &'static str {
        match self {
            Self::Script(_) => "script",
            Self::Module(_) => "module",
            Self::Package(_) => "package",
        }
    }

    /// The directory that Python searches first for it: a script's own. A module has none.
    pub(super) fn directory(&self) -> Option<PathBuf> {
        match self {
            Self::Script(path) => Some(Path::new(path).canonicalize().ok()?.parent()?.to_owned()),
            Self::Module(_) | Self::Package(_) => None,
        }
    }

    fn name(&self) -> &str {
        let (Self::Script(name) | Self::Module(name) | Self::Package(name)) = self;
        name
    }
}

/// Two processes that are started afresh. What differs between them differs anyway.
pub(super) fn cold(interpreter: &TargetInterpreter, entry: &Entry) -> anyhow::Result<[Observation; 2]> {
    Ok([cold_process(interpreter, entry)?, cold_process(interpreter, entry)?])
}

fn cold_process(interpreter: &TargetInterpreter, entry: &Entry) -> anyhow::Result<Observation> {
    let report = Report::new()?;
    let observer = Path::new(&interpreter.package_directory).join("hotreload/_observe.py");
    let mut command = Command::new(&interpreter.executable);
    command
        .args(&interpreter.options)
        .args(["-c", COLD])
        .arg(observer)
        .args([entry.kind(), entry.name(), &report.path()])
        .args(interpreter.sys_path.first())
        .args(&interpreter.argv)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // Neither has a run what this process has inherited beside its standard streams.
    sys::inherit(&mut command, &[]);
    let status =
        command.status().with_context(|| format!("cannot start {}", interpreter.executable.display()))?;
    let end = match (status.code(), status.signal()) {
        (Some(code), _) => ExitStatus::Exited(code),
        (None, Some(signal)) => ExitStatus::Signaled(signal),
        (None, None) => ExitStatus::Lost,
    };
    report.read(end)
}

/// Two runs from the template of the program, and that template.
pub(super) fn warm(
    interpreter: TargetInterpreter,
    target: Target,
    entry: &Entry,
) -> anyhow::Result<([Observation; 2], TemplateState)> {
    let context = ProcessContext {
        argv: interpreter.argv.clone(),
        sys_path: interpreter.sys_path.clone(),
        environment: interpreter.environment.iter().cloned().collect(),
        umask: client::umask(),
        stdio: [true; 3],
        main: main_module(entry),
    };
    // What it would say is of no interest here, and would be said of a project that works.
    let mut client = Client::start(Stdio::null())?;
    let state = client.open(Open::new(target, interpreter), |_| ())?;
    let observations = [run(&mut client, &context, entry)?, run(&mut client, &context, entry)?];
    client.close();
    Ok((observations, state))
}

fn run(client: &mut Client, context: &ProcessContext, entry: &Entry) -> anyhow::Result<Observation> {
    let report = Report::new()?;
    let arguments = [entry.kind(), entry.name(), &report.path()];
    let bytes = pickle::call("hotreload._observe", "main", &arguments);
    let lengths = vec![bytes.len() as u64];
    let work = Work::Function { payload: Payload::Inline { bytes, lengths }, module: None };
    let call = Call { context: context.clone(), work };
    let (end, outcome) = client.exec(call, null_streams()?)?.wait()?;
    if let Some(Outcome::Raised { traceback, .. }) = outcome {
        anyhow::bail!("the run could not be observed:\n{traceback}");
    }
    report.read(end)
}

/// What a fresh process that does the same has for its standard streams: see [`cold_process`].
fn null_streams() -> anyhow::Result<Vec<OwnedFd>> {
    let open = |write: bool| -> std::io::Result<OwnedFd> {
        above_streams(File::options().read(!write).write(write).open("/dev/null")?.into())
    };
    Ok(vec![open(false)?, open(true)?, open(true)?])
}

fn main_module(entry: &Entry) -> MainModule {
    match entry {
        Entry::Script(path) => MainModule { spec_name: None, file: Some(path.into()) },
        Entry::Module(name) | Entry::Package(name) => {
            MainModule { spec_name: Some(name.clone()), file: None }
        }
    }
}

/// Memory that another process writes its observation to: a descriptor of it would be observed.
struct Report {
    memory: File,
}

impl Report {
    fn new() -> anyhow::Result<Self> {
        let memory = memfd_create("observation", MemfdFlags::CLOEXEC).context("no memory for a report")?;
        Ok(Self { memory: memory.into() })
    }

    /// Where a process of the same user finds it.
    fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.memory.as_raw_fd())
    }

    /// What the process has written that ended with `end`. If it has not lived to write, its end is all there is.
    fn read(mut self, end: ExitStatus) -> anyhow::Result<Observation> {
        let mut text = String::new();
        self.memory.rewind()?;
        self.memory.read_to_string(&mut text).context("an observation cannot be read")?;
        if text.is_empty() {
            let end = match end {
                ExitStatus::Exited(code) => format!("ended the process with exit code {code}"),
                ExitStatus::Signaled(signal) => format!("ended the process by signal {signal}"),
                ExitStatus::Lost => "ended the process".to_owned(),
            };
            let outcome = BTreeMap::from([("imports".to_owned(), end)]);
            return Ok(BTreeMap::from([("outcome".to_owned(), outcome)]));
        }
        serde_json::from_str(&text).context("an observation cannot be understood")
    }
}
