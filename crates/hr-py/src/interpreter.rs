//! CPython as the fork server's interpreter.

use hr_forkserver::protocol::{Call, Effect, ImportFailure, ImportOutcome, Loaded, Preparation};
use hr_forkserver::{Interpreter, RunDescriptors, paused};
use pyo3::prelude::*;

use crate::job::Job;
use crate::loaded::PythonLoaded;
use crate::sys;

/// Exit code of a process in which Python could not even begin to carry out a call.
const BROKEN: i32 = 1;

/// Serves the supervisor behind `descriptor`. Does not return.
#[pyfunction]
pub(crate) fn serve(descriptor: i32, interpreter: Py<PyAny>) -> PyResult<()> {
    let socket = sys::adopt(descriptor)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC).map_err(std::io::Error::from)?;
    paused::serve(CPython { template: interpreter }, socket)
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
}

fn effects(threads: Vec<String>, signals: bool) -> Vec<Effect> {
    let threads = (!threads.is_empty()).then_some(Effect::Threads { names: threads });
    threads.into_iter().chain(signals.then_some(Effect::Signals)).collect()
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

    fn before_fork(&mut self) {
        Python::attach(sys::before_fork);
    }

    fn after_fork_in_parent(&mut self) {
        Python::attach(sys::after_fork_in_parent);
    }

    fn after_fork_in_child(&mut self) {
        Python::attach(sys::after_fork_in_child);
    }

    fn warm_up(&mut self) {
        Python::attach(|py| {
            if let Err(error) = self.template.call_method0(py, "warm_up") {
                error.print(py);
            }
        });
    }

    fn run(&mut self, call: Call, descriptors: RunDescriptors) -> i32 {
        Python::attach(|py| {
            let code = Job::new(py, call, descriptors)
                .and_then(|job| self.template.call_method1(py, "run", (job,)))
                .and_then(|code| code.extract(py));
            code.unwrap_or_else(|error: PyErr| {
                error.print(py);
                BROKEN
            })
        })
    }
}
