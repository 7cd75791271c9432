//! A whole program, executed as an interpreter executes it: no frame of ours lies below its own.
//!
//! What can be decided before its first line is decided in `hotreload._program`. Its execution and its end follow
//! `Modules/main.c` and `Python/pylifecycle.c` of CPython.

use std::ffi::CString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use pyo3::exceptions::{PyKeyboardInterrupt, PySystemExit, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::sys;

/// How a program begins, as `hotreload._program.begin` says.
#[derive(FromPyObject)]
pub(crate) enum Beginning<'py> {
    /// There is nothing to execute; this is the exit code.
    Refused(i32),
    /// `file` and a path; `code` and a code object; `call`, a function and its arguments.
    Begun(String, Bound<'py, PyAny>, Bound<'py, PyTuple>),
}

/// How a program has ended, before what every interpreter does at its end.
#[derive(Clone, Copy)]
pub(crate) struct End {
    pub(crate) code: i32,
    /// Nobody has caught its `KeyboardInterrupt`.
    pub(crate) interrupted: bool,
}

impl End {
    pub(crate) fn with(code: i32) -> Self {
        Self { code, interrupted: false }
    }
}

/// Executes the program, until nothing of it is on the stack any more.
pub(crate) fn execute(py: Python<'_>, beginning: Beginning<'_>) -> PyResult<End> {
    let (kind, subject, arguments) = match beginning {
        Beginning::Refused(code) => return Ok(End::with(code)),
        Beginning::Begun(kind, subject, arguments) => (kind, subject, arguments),
    };
    let names = py.import("__main__")?.dict();
    let is_file = names.contains("__file__")?;
    let result = match kind.as_str() {
        "file" => {
            let path: PathBuf = subject.extract()?;
            let path = CString::new(path.into_os_string().into_vec())
                .map_err(|_| PyValueError::new_err("embedded null byte"))?;
            let minor = py.version_info().minor;
            sys::run_file(&path, &names, minor)
        }
        "code" => sys::run_code(&subject, &names),
        _ => subject.call1(arguments),
    };
    let error = result.err();
    if is_file {
        flush(py);
    }
    let end = error.as_ref().map_or(End::with(0), |error| uncaught(py, error));
    let exits = error.is_some_and(|error| error.is_instance_of::<PySystemExit>(py));
    if kind == "file" && !exits {
        forget_file(&names);
    }
    Ok(end)
}

/// `flush_io`: what a file's code has printed comes before what is said about its end.
fn flush(py: Python<'_>) {
    let Ok(sys) = py.import("sys") else { return };
    for name in ["stderr", "stdout"] {
        // If that fails, it fails once more at the very end, and is reported.
        let _ = sys.getattr(name).and_then(|stream| stream.call_method0("flush"));
    }
}

/// As the interpreter does once a file is executed. After `SystemExit` it does not come to that.
fn forget_file(names: &Bound<'_, PyDict>) {
    for name in ["__file__", "__cached__"] {
        let _ = names.del_item(name);
    }
}

/// What an exception means that nobody has caught.
fn uncaught(py: Python<'_>, error: &PyErr) -> End {
    if error.is_instance_of::<PySystemExit>(py) {
        return End::with(exit_code(py, error));
    }
    let interrupted = error.get_type(py).is(py.get_type::<PyKeyboardInterrupt>());
    error.print_and_set_sys_last_vars(py);
    End { code: 1, interrupted }
}

/// The exit code that `SystemExit` asks for; what is no number is printed.
fn exit_code(py: Python<'_>, error: &PyErr) -> i32 {
    let value = error.value(py);
    let code = value.getattr("code").unwrap_or_else(|_| value.clone().into_any());
    if code.is_none() {
        return 0;
    }
    if code.is_instance_of::<pyo3::types::PyInt>() {
        // What no C integer holds is -1, and of an exit code the kernel keeps the lowest byte.
        return code.extract::<i64>().map_or(0xFF, |code| i32::from(code.to_le_bytes()[0]));
    }
    let print = || -> PyResult<()> {
        let stderr = py.import("sys")?.getattr("stderr")?;
        stderr.call_method1("write", (code.str()?,))?;
        stderr.call_method1("write", ("\n",))?;
        stderr.call_method0("flush")?;
        Ok(())
    };
    let _ = print();
    1
}
