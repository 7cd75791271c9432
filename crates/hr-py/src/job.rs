//! A run's end: what it is to do, and where it sends what came of it.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hr_forkserver::protocol::{
    Call, Checkpoint, Checkpointing, ImportsOver, Loaded, MainModule, Note, Notice, Outcome, Payload,
    ProcessContext, Program, RunId, Work,
};
use hr_forkserver::{Channel, Resumption, RunDescriptors, Side, socket_pair};
use nix::unistd::getpid;
use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::context::os_variables;
use crate::interpreter::Forks;
use crate::loaded::PythonLoaded;
use crate::payload::{self, Parts};
use crate::sys;

/// A call, and the process it is to happen in.
#[pyclass(frozen)]
pub(crate) struct Job {
    context: ProcessContext,
    /// Gone once it was taken, or if there is a program.
    function: Mutex<Option<(Payload, Option<OwnedFd>)>>,
    program: Option<Program>,
    /// The module that the function is imported from.
    #[pyo3(get)]
    module: Option<String>,
    /// Changes when the run goes on from a checkpoint.
    run: AtomicU64,
    /// Where to leave checkpoints.
    checkpointing: Mutex<Option<Placement>>,
    /// Whether it is a program that is started again when files change.
    #[pyo3(get)]
    reloaded: bool,
    /// Whether what a server imports in its event loop is imported before.
    #[pyo3(get)]
    early: bool,
    /// What is imported right before the first event loop is made.
    #[pyo3(get)]
    entry: Option<String>,
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

    /// The socket, if it still is.
    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        (identity(&self.socket) == Some(self.identity)).then(|| self.socket.as_fd())
    }

    fn send(&self, note: &Note) {
        if let Some(socket) = self.as_fd() {
            let _ = hr_forkserver::send_note(socket, note);
        }
    }
}

fn identity(descriptor: &OwnedFd) -> Option<(u64, u64)> {
    rustix::fs::fstat(descriptor).ok().map(|status| (status.st_dev, status.st_ino))
}

/// How many checkpoints are worth keeping, how much time they may cost in percent, and files that were edited lately.
type Placement = (u32, u32, Vec<OsString>, Option<u64>);

fn placement(checkpointing: Checkpointing) -> Placement {
    (checkpointing.most, checkpointing.overhead, checkpointing.edited, checkpointing.cost)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Job {
    pub(crate) fn new(
        py: Python<'_>,
        run: RunId,
        call: Call,
        descriptors: RunDescriptors,
        checkpointing: Option<Checkpointing>,
    ) -> PyResult<Self> {
        let Call { context, work } = call;
        let RunDescriptors { result, function: memory, notes } = descriptors;
        let result = Py::new(py, Results::new(result))?;
        let mut job = Self {
            context,
            function: Mutex::new(None),
            program: None,
            module: None,
            run: AtomicU64::new(run.0),
            checkpointing: Mutex::new(checkpointing.map(placement)),
            reloaded: false,
            early: false,
            entry: None,
            result,
            notes: notes.and_then(NoteSocket::new),
        };
        match work {
            Work::Function { payload, module } => {
                job.function = Mutex::new(Some((payload, memory)));
                job.module = module;
            }
            Work::Program { program, reloaded, early, entry, changed: _ } => {
                (job.program, job.reloaded, job.early, job.entry) = (Some(program), reloaded, early, entry);
            }
        }
        Ok(job)
    }

    fn run(&self) -> RunId {
        RunId(self.run.load(Ordering::Relaxed))
    }

    /// Becomes the run that `resumption` describes.
    fn go_on(&self, resumption: Resumption) {
        let Resumption { run, call, checkpointing, descriptors } = resumption;
        self.run.store(run.0, Ordering::Relaxed);
        *locked(&self.checkpointing) = checkpointing.map(placement);
        if let Work::Function { payload, module: _ } = call.work {
            *locked(&self.function) = Some((payload, descriptors.function));
        }
        self.result.get().go_on(descriptors.result);
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
    #[pyo3(signature = (argv, sys_path, environment, module, lengths, inline))]
    fn rehearsal(
        py: Python<'_>,
        argv: Vec<OsString>,
        sys_path: Vec<OsString>,
        environment: &Bound<'_, PyDict>,
        module: String,
        lengths: Vec<u64>,
        inline: Option<Vec<u8>>,
    ) -> PyResult<Self> {
        let (payload, _) = payload::from_python((lengths, inline, None))?;
        let context = ProcessContext {
            argv,
            sys_path,
            environment: os_variables(environment)?,
            stdio: [true; 3],
            ..ProcessContext::default()
        };
        let (result, _) = socket_pair()?;
        let work = Work::Function { payload, module: Some(module) };
        Self::new(
            py,
            RunId(0),
            Call { context, work },
            RunDescriptors { result, function: None, notes: None },
            None,
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

    /// Tells whoever has started the program which files it has loaded.
    fn note_sources(&self, own: Vec<(OsString, Vec<OsString>)>, outside: Vec<(OsString, Vec<OsString>)>) {
        self.note(&Note::Notice { run: self.run(), notice: Notice::Sources { own, outside } });
    }

    /// The number of this run.
    #[getter(run)]
    fn run_number(&self) -> u64 {
        self.run().0
    }

    /// Tells whoever has started the program that a reloader of its own is off.
    fn note_reloader_off(&self, library: String) {
        self.note(&Note::Notice { run: self.run(), notice: Notice::ReloaderOff { library } });
    }

    /// Tells whoever has started the program that it must be started without importing `module` early.
    fn note_needs_event_loop(&self, module: String) {
        self.note(&Note::Notice { run: self.run(), notice: Notice::NeedsEventLoop { module } });
    }

    /// Tells the supervisor that this run leaves no more checkpoints.
    #[pyo3(signature = (modules, micros, obstacle, cost))]
    fn note_imports_over(
        &self,
        modules: u32,
        micros: u64,
        obstacle: Option<(String, String)>,
        cost: Option<u64>,
    ) {
        self.note(&Note::ImportsOver(ImportsOver { run: self.run(), modules, micros, obstacle, cost }));
    }

    /// How many checkpoints are worth keeping, how much time they may cost in percent, which files were edited lately, and what
    /// one costs in microseconds, if that is known; nothing if none are to be left.
    #[getter]
    fn checkpointing(&self) -> Option<Placement> {
        locked(&self.checkpointing).clone()
    }

    /// Leaves a checkpoint before a module and its file, or before a call of one of its functions, and no file. Returns whether this is a run that goes on from it.
    ///
    /// `so_far` are `number`, `micros` and `modules` of `Checkpoint` in the protocol; `describe` is called in the checkpoint,
    /// for what the program has consumed.
    fn pause(
        &self,
        before: (String, OsString),
        so_far: (u32, u64, u32),
        describe: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        let ((module, file), (number, micros, modules)) = (before, so_far);
        let notes = self.notes.as_ref().and_then(NoteSocket::as_fd);
        let notes = notes.ok_or_else(|| PyRuntimeError::new_err("nobody could be told of a checkpoint"))?;
        let loaded = || {
            let loaded = describe.call0().and_then(|loaded| loaded.extract::<PythonLoaded>());
            loaded.map(Loaded::from)
        };
        let describe =
            || loaded().ok().map(|loaded| Checkpoint { number, module, file, micros, modules, loaded });
        let let_go = || {
            self.result.get().let_go();
            // What is called from there has other arguments, and these may be large.
            *locked(&self.function) = None;
            sys::leave_standard_streams();
        };
        match hr_forkserver::pause(Forks, notes, self.run(), let_go, describe)? {
            Side::Original => Ok(false),
            Side::Resumed(resumption) => {
                self.go_on(*resumption);
                Ok(true)
            }
        }
    }

    /// The pickled function, once: its memory goes with it.
    fn take_function<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let taken = locked(&self.function).take();
        let (function, memory) =
            taken.ok_or_else(|| PyRuntimeError::new_err("the function was taken before"))?;
        payload::to_python(py, &function, memory)
    }
}

/// Where a run sends what came of its call.
#[pyclass(frozen)]
pub(crate) struct Results {
    /// None in a checkpoint.
    channel: Mutex<Option<Channel<Outcome, ()>>>,
    /// The run's process id. What it forks may come back from the function, too, and has nothing to say here.
    run: AtomicI32,
}

impl Results {
    fn new(socket: OwnedFd) -> Self {
        Self { channel: Mutex::new(Some(socket.into())), run: AtomicI32::new(getpid().as_raw()) }
    }

    fn let_go(&self) {
        *locked(&self.channel) = None;
    }

    fn go_on(&self, socket: OwnedFd) {
        *locked(&self.channel) = Some(socket.into());
        self.run.store(getpid().as_raw(), Ordering::Relaxed);
    }

    fn send(&self, outcome: &Outcome, memory: Option<OwnedFd>) -> PyResult<()> {
        if getpid().as_raw() != self.run.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut channel = locked(&self.channel);
        let Some(channel) = channel.as_mut() else { return Ok(()) };
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
