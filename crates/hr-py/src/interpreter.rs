//! CPython as the fork server's interpreter.

use hr_forkserver::protocol::{
    Call, Checkpointing, Effect, ImportFailure, ImportOutcome, Loaded, Preparation, RunId, Work,
};
use hr_forkserver::{Forking, Interpreter, RunDescriptors, paused};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::job::Job;
use crate::loaded::PythonLoaded;
use crate::program::{self, End};
use crate::undisturbed::hold_back;
use crate::{ending, sys};

/// Exit code of a process in which Python could not even begin to carry out a call.
const BROKEN: i32 = 1;

/// Serves the supervisor behind a descriptor once it is called, and does not return.
///
/// It is called as an excepthook: by the interpreter itself, when all frames of Python are gone. What is forked from here
/// has none, either, so a program finds below its first frame what it would find anywhere: nothing.
#[pyclass(frozen)]
pub(crate) struct Server {
    descriptor: i32,
    interpreter: Py<PyAny>,
}

#[pymethods]
impl Server {
    #[new]
    fn new(descriptor: i32, interpreter: Py<PyAny>) -> Self {
        Self { descriptor, interpreter }
    }

    #[pyo3(signature = (*_exception))]
    fn __call__(&self, py: Python<'_>, _exception: &Bound<'_, PyTuple>) -> PyResult<()> {
        // The interpreter only borrows its hook: when that is reset, this object may be gone.
        let Self { descriptor, interpreter } = self;
        let (descriptor, template) = (*descriptor, interpreter.clone_ref(py));
        template.call_method0(py, "begin")?;
        let socket = sys::adopt(descriptor)?;
        rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC).map_err(std::io::Error::from)?;
        sys::outside_of_this_call(py, || paused::serve(CPython { template }, socket))
    }
}

/// The methods are those of `hotreload._template.Template`.
struct CPython {
    template: Py<PyAny>,
}

/// `hotreload._template.Imported`.
type ImportedTuple = (String, String, String, bool, Vec<String>, bool);

impl CPython {
    fn try_import(&self, module: &str, written: usize) -> PyResult<ImportOutcome> {
        Python::attach(|py| {
            let imported = self.template.call_method1(py, "import_module", (module, written))?;
            let (kind, subject, message, left_traces, threads, signals): ImportedTuple =
                imported.extract(py)?;
            let failure = match kind.as_str() {
                "imported" => return Ok(ImportOutcome::Imported { effects: effects(threads, signals) }),
                "not-found" => ImportFailure::NotFound,
                "first-party" => ImportFailure::FirstParty { module: subject },
                "environment" => ImportFailure::Environment { variable: subject, place: message },
                _ => ImportFailure::Raised { type_name: subject, message },
            };
            Ok(ImportOutcome::Failed { failure, left_traces })
        })
    }

    fn carry_out(
        &self,
        py: Python<'_>,
        run: RunId,
        call: Call,
        descriptors: RunDescriptors,
        checkpointing: Option<Checkpointing>,
    ) -> PyResult<End> {
        let job = Job::new(py, run, call, descriptors, checkpointing)?;
        let beginning = self.template.call_method1(py, "run", (job,))?;
        let end = program::execute(py, beginning.extract(py)?)?;
        hold_back(|| self.template.call_method0(py, "executed"))?;
        Ok(end)
    }
}

fn effects(threads: Vec<String>, signals: bool) -> Vec<Effect> {
    let threads = (!threads.is_empty()).then_some(Effect::Threads { names: threads });
    threads.into_iter().chain(signals.then_some(Effect::Signals)).collect()
}

/// Forks of CPython.
pub(crate) struct Forks;

impl Forking for Forks {
    fn before_fork(&mut self) {
        Python::attach(sys::before_fork);
    }

    fn after_fork_in_parent(&mut self) {
        Python::attach(sys::after_fork_in_parent);
    }

    fn after_fork_in_child(&mut self) {
        Python::attach(sys::after_fork_in_child);
    }
}

impl Forking for CPython {
    fn before_fork(&mut self) {
        Forks.before_fork();
    }

    fn after_fork_in_parent(&mut self) {
        Forks.after_fork_in_parent();
    }

    fn after_fork_in_child(&mut self) {
        Forks.after_fork_in_child();
    }
}

impl Interpreter for CPython {
    fn prepare(&mut self, preparation: Preparation) {
        let Preparation { argv, sys_path, first_party, profile, writes } = preparation;
        let writes: Vec<_> = writes
            .into_iter()
            .map(|write| (write.variable, write.value, write.only_if_unset, write.place))
            .collect();
        let arguments = (argv, sys_path, first_party.paths, first_party.modules, profile, writes);
        Python::attach(|py| {
            if let Err(error) = self.template.call_method1(py, "prepare", arguments) {
                // Its output is the supervisor's to report.
                error.print(py);
            }
        });
    }

    fn import(&mut self, module: &str, written: usize) -> ImportOutcome {
        self.try_import(module, written).unwrap_or_else(|error| ImportOutcome::Failed {
            failure: ImportFailure::Raised { type_name: "hotreload".to_owned(), message: error.to_string() },
            left_traces: true,
        })
    }

    fn settle(&mut self) -> Loaded {
        Python::attach(|py| {
            let settled = self.template.call_method0(py, "settle");
            match settled.and_then(|settled| settled.extract::<PythonLoaded>(py)) {
                Ok(loaded) => loaded.into(),
                Err(error) => {
                    error.print(py);
                    Loaded::default()
                }
            }
        })
    }

    fn warm_up(&mut self) {
        Python::attach(|py| {
            if let Err(error) = self.template.call_method0(py, "warm_up") {
                error.print(py);
            }
        });
    }

    fn run(
        &mut self,
        run: RunId,
        call: Call,
        descriptors: RunDescriptors,
        checkpointing: Option<Checkpointing>,
    ) -> i32 {
        // What a function leaves open is lost, as with a child of `multiprocessing`; tearing down costs time.
        let is_program = matches!(call.work, Work::Program { .. });
        Python::attach(|py| {
            let carried_out = self.carry_out(py, run, call, descriptors, checkpointing);
            let end = carried_out.unwrap_or_else(|error: PyErr| {
                error.print(py);
                End::with(BROKEN)
            });
            let own_modules = || {
                let names = self.template.call_method0(py, "own_modules")?;
                names.extract::<Vec<String>>(py)
            };
            ending::finish(py, end, is_program.then_some(|| own_modules().unwrap_or_default()))
        })
    }
}
