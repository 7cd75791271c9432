//! CPython as the fork server's interpreter.

use std::ffi::OsString;

use hr_forkserver::protocol::{
    Call, EnvironmentRead, FileStamp, FirstParty, ImportFailure, ImportOutcome, ImportProfile,
    ListedDirectory, Loaded, OpenedFile, ProfiledImport,
};
use hr_forkserver::{Interpreter, RunDescriptors, paused};
use pyo3::prelude::*;

use crate::job::Job;
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

/// Kind, two details, names of threads, and whether the attempt left traces.
type Failure = (String, String, String, Vec<String>, bool);

/// Imports, and environment variables with those who read them.
type Profile = (Vec<Import>, Vec<(OsString, Vec<String>)>);

/// Module, parent, start, duration, memory, threads, descriptors, failed: as in [`ProfiledImport`].
type Import = (String, Option<u32>, u64, u64, i64, Vec<String>, Vec<String>, bool);

fn import_profile((imports, reads): Profile) -> ImportProfile {
    let imports = imports.into_iter().map(
        |(module, parent, start_micros, micros, memory, threads, descriptors, failed)| ProfiledImport {
            module,
            parent,
            start_micros,
            micros,
            memory,
            threads,
            descriptors,
            failed,
        },
    );
    let reads = reads.into_iter().map(|(variable, modules)| EnvironmentRead { variable, modules });
    ImportProfile { imports: imports.collect(), reads: reads.collect(), attempts: Vec::new() }
}

/// `hotreload._template.Loaded`.
type LoadedTuple = (
    Vec<OsString>,
    Vec<(String, OsString)>,
    Vec<String>,
    Vec<OsString>,
    Vec<(OsString, Option<(u64, i64, i64, u64, u64)>)>,
    Vec<(OsString, bool, Option<Vec<OsString>>)>,
    Option<Profile>,
);

fn described((files, names, absent, variables, opened, listed, profile): LoadedTuple) -> Loaded {
    let opened = opened.into_iter().map(|(path, stamp)| {
        let stamp = stamp.map(|(size, modified, changed, inode, device)| FileStamp {
            size,
            modified,
            changed,
            inode,
            device,
        });
        OpenedFile { path, stamp }
    });
    let listed = listed.into_iter().map(|(path, only_distributions, names)| ListedDirectory {
        path,
        only_distributions,
        names,
    });
    Loaded {
        files,
        names,
        absent,
        variables,
        opened: opened.collect(),
        listed: listed.collect(),
        profile: profile.map(import_profile).map(Box::new),
    }
}

impl CPython {
    fn try_import(&self, module: &str) -> PyResult<ImportOutcome> {
        Python::attach(|py| {
            let failure = self.template.call_method1(py, "import_module", (module,))?;
            let Some((kind, first, second, names, left_traces)) = failure.extract::<Option<Failure>>(py)?
            else {
                return Ok(ImportOutcome::Imported);
            };
            let failure = match kind.as_str() {
                "not-found" => ImportFailure::NotFound,
                "first-party" => ImportFailure::FirstParty { module: first },
                "threads" => ImportFailure::Threads { names },
                "signals" => ImportFailure::Signals,
                _ => ImportFailure::Raised { type_name: first, message: second },
            };
            Ok(ImportOutcome::Failed { failure, left_traces })
        })
    }
}

impl Interpreter for CPython {
    fn prepare(
        &mut self,
        argv: Vec<OsString>,
        sys_path: Vec<OsString>,
        first_party: FirstParty,
        profile: bool,
    ) {
        let FirstParty { paths, modules } = first_party;
        Python::attach(|py| {
            let prepared =
                self.template.call_method1(py, "prepare", (argv, sys_path, paths, modules, profile));
            if let Err(error) = prepared {
                // Its output is the supervisor's to report.
                error.print(py);
            }
        });
    }

    fn import(&mut self, module: &str) -> ImportOutcome {
        self.try_import(module).unwrap_or_else(|error| ImportOutcome::Failed {
            failure: ImportFailure::Raised { type_name: "hotreload".to_owned(), message: error.to_string() },
            left_traces: true,
        })
    }

    fn settle(&mut self) -> Loaded {
        Python::attach(|py| {
            let loaded = self.template.call_method0(py, "settle").and_then(|loaded| loaded.extract(py));
            match loaded {
                Ok(loaded) => described(loaded),
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
