//! The client's end: starting a supervisor and asking it for things.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hr_forkserver::protocol::{
    Call, Failure, Hello, MainModule, Open, ProcessContext, Reply, Request, RunId, Target, TargetInterpreter,
    Work,
};
use hr_forkserver::{Channel, ChannelError, Received, above_streams, socket_pair};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use pyo3::exceptions::{PyImportError, PyOSError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rustix::process::{PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal};

use crate::context::{current_umask, os_pairs, os_variables, working_directory};
use crate::events;
use crate::payload;
use crate::records::{State, Update};
use crate::run::Run;
use crate::sys;

/// How long a supervisor may take to end everything before it is ended itself.
const CLOSE_LIMIT: Duration = Duration::from_secs(15);

/// How long a run may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(2);

pyo3::import_exception!(hotreload._errors, HotreloadError);
pyo3::import_exception!(hotreload._errors, SupervisorDied);
pyo3::import_exception!(hotreload._errors, EnvironmentClosed);

/// A stream on which the supervisor answers one request.
pub(crate) type Replies = Channel<(), Reply>;

/// A connection to a supervisor that this process owns.
#[pyclass(frozen)]
pub(crate) struct Supervisor {
    connection: Mutex<Option<Channel<Request, ()>>>,
    /// Stands for the supervisor's process.
    handle: OwnedFd,
}

/// What runs need of their supervisor, wherever they are kept.
pub(crate) fn supervisor_died() -> PyErr {
    SupervisorDied::new_err(
        "the supervisor has ended, and template and runs with it (hint: enter a new environment)",
    )
}

impl Supervisor {
    fn connection(&self) -> MutexGuard<'_, Option<Channel<Request, ()>>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends `request`, and returns the stream that its replies come on.
    fn send(&self, py: Python<'_>, request: &Request, mut descriptors: Vec<OwnedFd>) -> PyResult<Replies> {
        let (ours, theirs) = socket_pair()?;
        descriptors.insert(0, theirs);
        // A thread that waits for the lock must not keep Python from others.
        let sent = py.detach(|| match self.connection().as_mut() {
            Some(connection) => connection.send(request, descriptors).map_err(Some),
            None => Err(None),
        });
        match sent {
            Ok(()) => Ok(ours.into()),
            Err(None) => Err(EnvironmentClosed::new_err("this environment was closed")),
            Err(Some(ChannelError::Closed)) => Err(supervisor_died()),
            Err(Some(error)) => {
                Err(HotreloadError::new_err(format!("the request could not be sent: {error}")))
            }
        }
    }

    fn ask(&self, py: Python<'_>, request: &Request, descriptors: Vec<OwnedFd>) -> PyResult<Reply> {
        let mut replies = self.send(py, request, descriptors)?;
        Ok(next_reply(py, &mut replies)?.message)
    }

    /// Asks for a template, and hands over what happens while it is built.
    fn ask_for_template(
        &self,
        py: Python<'_>,
        request: &Request,
        on_event: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Reply> {
        let mut replies = self.send(py, request, Vec::new())?;
        loop {
            match (next_reply(py, &mut replies)?.message, on_event) {
                (Reply::Building(event), Some(on_event)) => {
                    on_event.call1((events::to_python(py, event)?,))?;
                }
                (Reply::Building(_), None) => {}
                (reply, _) => return Ok(reply),
            }
        }
    }

    /// Asks a run to end and waits until it has.
    pub(crate) fn stop(&self, py: Python<'_>, run: RunId) -> PyResult<bool> {
        match self.ask(py, &Request::Stop { run, grace: GRACE, again: false }, Vec::new())? {
            Reply::Stopped { was_running } => Ok(was_running),
            other => Err(unexpected(other)),
        }
    }
}

/// Waits for the next reply, letting other threads run and signal handlers interrupt.
pub(crate) fn next_reply(py: Python<'_>, replies: &mut Replies) -> PyResult<Received<Reply>> {
    loop {
        match replies.try_receive() {
            Ok(Some(received)) => return Ok(received),
            Ok(None) => wait(py, &mut [PollFd::new(replies.as_fd(), PollFlags::POLLIN)])?,
            Err(ChannelError::Closed | ChannelError::CutShort) => return Err(supervisor_died()),
            Err(error) => {
                return Err(HotreloadError::new_err(format!("the supervisor's answer is broken: {error}")));
            }
        }
    }
}

/// Waits until one of `sources` is ready. Raises what a Python signal handler raises.
pub(crate) fn wait(py: Python<'_>, sources: &mut [PollFd<'_>]) -> PyResult<()> {
    py.check_signals()?;
    match py.detach(|| poll(sources, PollTimeout::NONE)) {
        Ok(_) => Ok(()),
        Err(Errno::EINTR) => py.check_signals(),
        Err(error) => Err(PyOSError::new_err(error.to_string())),
    }
}

/// The error for a reply that does not fit its request.
pub(crate) fn unexpected(reply: Reply) -> PyErr {
    match reply {
        Reply::Failed(Failure::UnknownPackage { name, message }) => Python::attach(|py| {
            let error = PyImportError::new_err(message);
            // As the interpreter's own import errors have it.
            let _ = error.value(py).setattr("name", name);
            error
        }),
        Reply::Failed(Failure::Interpreter { message } | Failure::Invalid { message }) => {
            HotreloadError::new_err(message)
        }
        other => {
            PyRuntimeError::new_err(format!("the supervisor gave an answer to another question: {other:?}"))
        }
    }
}

#[pymethods]
impl Supervisor {
    /// Starts `program serve`, bound to the life of this process.
    #[staticmethod]
    #[allow(clippy::needless_pass_by_value, reason = "Python hands over arguments by value")]
    fn start(py: Python<'_>, program: OsString) -> PyResult<Self> {
        let (ours, theirs) = socket_pair()?;
        let owner = pidfd_open(getpid(), PidfdFlags::empty()).map_err(std::io::Error::from)?;
        let owner = above_streams(owner)?;
        let mut command = Command::new(&program);
        command
            .arg("serve")
            .args([OsStr::new("--connection"), OsStr::new(&theirs.as_raw_fd().to_string())])
            .args([OsStr::new("--owner"), OsStr::new(&owner.as_raw_fd().to_string())])
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        sys::inherit(&mut command, &[&theirs, &owner]);
        // The program goes on in the background at once, so that this process has no child of ours that its own
        // `os.wait()` could meet, and no zombie if the supervisor is killed.
        let status = py.detach(|| command.spawn().and_then(|mut child| child.wait()));
        match status {
            Ok(status) if !status.success() => return Err(cannot_start(&program, &status.to_string())),
            // Where SIGCHLD is ignored, the kernel collects children; the greeting will tell.
            Err(error) if error.raw_os_error() != Some(Errno::ECHILD as i32) => {
                return Err(cannot_start(&program, &error.to_string()));
            }
            Ok(_) | Err(_) => {}
        }
        drop((theirs, owner));
        let mut connection: Channel<Request, ()> = ours.into();
        let (replies, answers) = socket_pair()?;
        let greeted = connection.send(&Request::Hello(Hello::OURS), vec![answers]);
        greeted.map_err(|error| cannot_start(&program, &error.to_string()))?;
        let Received { message, mut descriptors } = next_reply(py, &mut replies.into())?;
        match (message, descriptors.pop()) {
            (Reply::Hello(Hello::OURS), Some(handle)) => {
                Ok(Self { connection: Mutex::new(Some(connection)), handle })
            }
            (Reply::Hello(theirs), _) => Err(HotreloadError::new_err(format!(
                "{} speaks version {} of the protocol, this package version {} (hint: pip install --force-reinstall \
                 hotreload)",
                program.display(),
                theirs.version,
                Hello::OURS.version,
            ))),
            (other, _) => Err(unexpected(other)),
        }
    }

    /// Scans a project and builds its template.
    #[allow(clippy::too_many_arguments, reason = "the fields of one message, named at its only caller")]
    fn open(
        &self,
        py: Python<'_>,
        target: OsString,
        is_path: bool,
        ignored_modules: Vec<String>,
        preload: Vec<String>,
        import_limit: Option<f64>,
        executable: OsString,
        options: Vec<OsString>,
        version: (u8, u8),
        platform: String,
        argv: Vec<OsString>,
        sys_path: Vec<OsString>,
        stdlib: Vec<String>,
        builtins: Vec<String>,
        environment: &Bound<'_, PyDict>,
        package_directory: OsString,
        spares: Option<u32>,
        checkpoints: Option<u32>,
        on_event: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<State> {
        let target = if is_path {
            Target::Path(target)
        } else {
            Target::Module(target.to_string_lossy().into_owned())
        };
        let environment = os_pairs(environment)?;
        let interpreter = TargetInterpreter {
            executable,
            options,
            version,
            platform,
            argv,
            sys_path,
            stdlib,
            builtins,
            environment,
            package_directory,
        };
        let import_limit =
            import_limit.map(|limit| Duration::try_from_secs_f64(limit).unwrap_or(Duration::MAX));
        let open = Open {
            preload,
            import_limit,
            spares,
            checkpoints,
            ignored_modules,
            ..Open::new(target, interpreter)
        };
        match self.ask_for_template(py, &Request::Open(Box::new(open)), on_event)? {
            Reply::Opened(state) => Ok(state.into()),
            other => Err(unexpected(other)),
        }
    }

    /// Forks a run, with the standard streams and the working directory of this process.
    #[allow(clippy::too_many_arguments, reason = "the fields of one message, named at its only caller")]
    fn exec(
        slf: Bound<'_, Self>,
        argv: Vec<OsString>,
        sys_path: Vec<OsString>,
        environment: &Bound<'_, PyDict>,
        main_name: Option<String>,
        main_file: Option<OsString>,
        module: Option<String>,
        lengths: Vec<u64>,
        inline: Option<Vec<u8>>,
        descriptor: Option<i32>,
    ) -> PyResult<Run> {
        let py = slf.py();
        let (payload, memory) = payload::from_python((lengths, inline, descriptor))?;
        let streams = [0, 1, 2].map(sys::standard_stream);
        let context = ProcessContext {
            argv,
            sys_path,
            environment: os_variables(environment)?,
            umask: current_umask(),
            stdio: [0, 1, 2].map(|number: usize| streams[number].is_some()),
            main: MainModule { spec_name: main_name, file: main_file },
        };
        let (results, theirs) = socket_pair()?;
        let mut descriptors = vec![working_directory()?, theirs];
        descriptors.extend(streams.into_iter().flatten());
        descriptors.extend(memory);
        let request = Request::Exec(Box::new(Call { context, work: Work::Function { payload, module } }));
        let mut replies = slf.get().send(py, &request, descriptors)?;
        match next_reply(py, &mut replies)?.message {
            Reply::Started { run, pid, .. } => Ok(Run::new(slf.unbind(), run, pid, replies, results.into())),
            other => Err(unexpected(other)),
        }
    }

    /// Brings the template up to date.
    #[pyo3(signature = (on_event=None))]
    fn update(&self, py: Python<'_>, on_event: Option<&Bound<'_, PyAny>>) -> PyResult<Update> {
        match self.ask_for_template(py, &Request::Update, on_event)? {
            Reply::Updated(update) => Ok(update.into()),
            other => Err(unexpected(other)),
        }
    }

    /// The template as it is now.
    fn status(&self, py: Python<'_>) -> PyResult<State> {
        match self.ask(py, &Request::Status, Vec::new())? {
            Reply::State(state) => Ok(state.into()),
            other => Err(unexpected(other)),
        }
    }

    /// Ends every process, the supervisor last. Does nothing the second time.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let sent = self.send(py, &Request::Close, Vec::new());
        // Without a connection the supervisor ends all the more.
        let connection = self.connection().take();
        drop(connection);
        match sent {
            Ok(_) => {}
            Err(error) if error.is_instance_of::<SupervisorDied>(py) => {}
            Err(error) if error.is_instance_of::<EnvironmentClosed>(py) => return Ok(()),
            Err(error) => return Err(error),
        }
        py.detach(|| {
            let mut sources = [PollFd::new(self.handle.as_fd(), PollFlags::POLLIN)];
            let deadline = std::time::Instant::now() + CLOSE_LIMIT;
            loop {
                let left = deadline.saturating_duration_since(std::time::Instant::now());
                match poll(&mut sources, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)) {
                    Err(Errno::EINTR) => {}
                    Ok(0) => drop(pidfd_send_signal(&self.handle, Signal::KILL)),
                    Ok(_) | Err(_) => break,
                }
                if left.is_zero() {
                    break;
                }
            }
            // Only where this process is what orphans are given to (process 1 of a container).
            let _ = nix::sys::wait::waitid(
                nix::sys::wait::Id::PIDFd(self.handle.as_fd()),
                nix::sys::wait::WaitPidFlag::WEXITED | nix::sys::wait::WaitPidFlag::WNOHANG,
            );
        });
        Ok(())
    }
}

fn cannot_start(program: &OsStr, what: &str) -> PyErr {
    HotreloadError::new_err(format!("{} could not be started: {what}", program.display()))
}
