//! A run's end: what it is to do, and where it sends what came of it.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::{Mutex, PoisonError};

use hr_forkserver::protocol::{
    Call, MainModule, Note, Notice, Outcome, Payload, ProcessContext, Program, RunId, Work,
};
use hr_forkserver::{Channel, RunDescriptors, socket_pair};
use nix::unistd::{Pid, getpid};
use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::context::os_variables;
use crate::payload::{self, Parts};

/// A call, and the process it is to happen in.
#[pyclass(frozen)]
pub(crate) struct Job {
    context: ProcessContext,
    /// Gone once it was taken, or if there is a program.
    function: Mutex<Option<(Payload, Option<OwnedFd>)>>,
    program: Option<Program>,
    run: RunId,
    /// Whether it is a program that is started again when files change.
    #[pyo3(get)]
    reloaded: bool,
    result: Py<Results>,
    notes: Option<NoteSocket>,
}

/// Where notes go, for as long as the program has not closed it: other files may get its number.
struct NoteSocket {
    socket: OwnedFd,
    /// Device and inode.
    identity: (u64, u64),
}

impl NoteSocket {
    fn new(socket: OwnedFd) -> Option<Self> {
        let identity = identity(&socket)?;
        Some(Self { socket, identity })
    }

    fn send(&self, note: &Note) {
        if identity(&self.socket) == Some(self.identity) {
            let _ = hr_forkserver::send_note(&self.socket, note);
        }
    }
}

fn identity(descriptor: &OwnedFd) -> Option<(u64, u64)> {
    rustix::fs::fstat(descriptor).ok().map(|status| (status.st_dev, status.st_ino))
}

impl Job {
    pub(crate) fn new(py: Python<'_>, run: RunId, call: Call, descriptors: RunDescriptors) -> PyResult<Self> {
        let Call { context, work } = call;
        let RunDescriptors { result, function: memory, notes } = descriptors;
        let result = Py::new(py, Results { channel: Mutex::new(result.into()), run: getpid() })?;
        let (function, program, reloaded) = match work {
            Work::Function(function) => (Some((function, memory)), None, false),
            Work::Program { program, reloaded } => (None, Some(program), reloaded),
        };
        let notes = notes.and_then(NoteSocket::new);
        Ok(Self { context, function: Mutex::new(function), program, run, reloaded, result, notes })
    }

    fn note(&self, note: &Note) {
        if let Some(notes) = &self.notes {
            notes.send(note);
        }
    }

    fn main(&self) -> &MainModule {
        &self.context.main
    }
}

#[pymethods]
impl Job {
    /// A job whose result nobody reads, with all standard streams.
    #[staticmethod]
    #[pyo3(signature = (argv, sys_path, environment, lengths, inline))]
    fn rehearsal(
        py: Python<'_>,
        argv: Vec<OsString>,
        sys_path: Vec<OsString>,
        environment: &Bound<'_, PyDict>,
        lengths: Vec<u64>,
        inline: Option<Vec<u8>>,
    ) -> PyResult<Self> {
        let (function, _) = payload::from_python((lengths, inline, None))?;
        let context = ProcessContext {
            argv,
            sys_path,
            environment: os_variables(environment)?,
            stdio: [true; 3],
            ..ProcessContext::default()
        };
        let (result, _) = socket_pair()?;
        let work = Work::Function(function);
        Self::new(
            py,
            RunId(0),
            Call { context, work },
            RunDescriptors { result, function: None, notes: None },
        )
    }

    #[getter]
    fn argv(&self) -> Vec<OsString> {
        self.context.argv.clone()
    }

    #[getter]
    fn sys_path(&self) -> Vec<OsString> {
        self.context.sys_path.clone()
    }

    #[getter]
    fn environment<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let bytes = |text: &OsStr| PyBytes::new(py, text.as_bytes());
        let environment = PyDict::new(py);
        for (name, value) in self.context.environment.iter() {
            environment.set_item(bytes(name), bytes(value))?;
        }
        Ok(environment)
    }

    /// Whether the environment is that of `block`, which is like the content of `/proc/PID/environ`. It makes no Python
    /// object, and looks at none.
    fn has_environment(&self, block: &[u8]) -> bool {
        self.context.environment.are_those_of(block)
    }

    #[getter]
    fn stdio(&self) -> (bool, bool, bool) {
        let [stdin, stdout, stderr] = self.context.stdio;
        (stdin, stdout, stderr)
    }

    #[getter]
    fn main_name(&self) -> Option<&str> {
        self.main().spec_name.as_deref()
    }

    #[getter]
    fn main_file(&self) -> Option<OsString> {
        self.main().file.clone()
    }

    /// The program that this is: `script` and its path, `module` and its name, or `function`, its module and its name.
    #[getter]
    fn program(&self) -> Option<(&'static str, OsString, Option<&str>)> {
        Some(match self.program.as_ref()? {
            Program::Script(path) => ("script", path.clone(), None),
            Program::Module(name) => ("module", name.into(), None),
            Program::Function { module, function } => ("function", module.into(), Some(function)),
        })
    }

    #[getter]
    fn result(&self, py: Python<'_>) -> Py<Results> {
        self.result.clone_ref(py)
    }

    /// Tells the supervisor of modules that this run had to load. What cannot be told now, another run will find out.
    fn note_loaded(&self, modules: Vec<String>) {
        self.note(&Note::Loaded { modules });
    }

    /// Tells whoever has started the program of files to watch.
    fn note_outside(&self, files: Vec<OsString>) {
        self.note(&Note::Notice { run: self.run, notice: Notice::Outside { files } });
    }

    /// Tells whoever has started the program that a reloader of its own is off.
    fn note_reloader_off(&self, library: String) {
        self.note(&Note::Notice { run: self.run, notice: Notice::ReloaderOff { library } });
    }

    /// The pickled function, once: its memory goes with it.
    fn take_function<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let taken = self.function.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (function, memory) =
            taken.ok_or_else(|| PyRuntimeError::new_err("the function was taken before"))?;
        payload::to_python(py, &function, memory)
    }
}

/// Where a run sends what came of its call.
#[pyclass(frozen)]
pub(crate) struct Results {
    channel: Mutex<Channel<Outcome, ()>>,
    /// The run. What it forks may come back from the function, too, and has nothing to say here.
    run: Pid,
}

impl Results {
    fn send(&self, outcome: &Outcome, memory: Option<OwnedFd>) -> PyResult<()> {
        if getpid() != self.run {
            return Ok(());
        }
        let mut channel = self.channel.lock().unwrap_or_else(PoisonError::into_inner);
        match channel.send(outcome, memory.into_iter().collect()) {
            // Nobody waits for it any more; that is the client's business.
            Ok(()) | Err(hr_forkserver::ChannelError::Closed) => Ok(()),
            Err(error) => Err(PyOSError::new_err(format!("the result could not be sent: {error}"))),
        }
    }
}

#[pymethods]
impl Results {
    #[pyo3(signature = (lengths, inline, descriptor))]
    fn returned(&self, lengths: Vec<u64>, inline: Option<Vec<u8>>, descriptor: Option<i32>) -> PyResult<()> {
        let (payload, memory) = payload::from_python((lengths, inline, descriptor))?;
        self.send(&Outcome::Returned(payload), memory)
    }

    #[pyo3(signature = (lengths, inline, descriptor))]
    fn system_exit(
        &self,
        lengths: Vec<u64>,
        inline: Option<Vec<u8>>,
        descriptor: Option<i32>,
    ) -> PyResult<()> {
        let (payload, memory) = payload::from_python((lengths, inline, descriptor))?;
        self.send(&Outcome::SystemExit(payload), memory)
    }

    #[pyo3(signature = (exception, type_name, traceback))]
    fn raised(&self, exception: Option<Parts>, type_name: String, traceback: String) -> PyResult<()> {
        let (exception, memory) = match exception.map(payload::from_python).transpose()? {
            Some((payload, memory)) => (Some(payload), memory),
            None => (None, None),
        };
        self.send(&Outcome::Raised { exception, type_name, traceback }, memory)
    }

    fn unpicklable(&self, type_name: String, message: String) -> PyResult<()> {
        self.send(&Outcome::Unpicklable { type_name, message }, None)
    }
}
