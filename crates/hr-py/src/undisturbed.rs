//! Code of this package in the middle of a program, which the program's signals are not to reach.
//!
//! What a handler raises belongs to the program: it must neither be caught here nor show where it was.

use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

/// What the fault of an instruction sends. Held back, it would end the process without a word.
const FAULTS: [Signal; 5] =
    [Signal::SIGBUS, Signal::SIGFPE, Signal::SIGILL, Signal::SIGSEGV, Signal::SIGTRAP];

/// Does `work` with this thread's signals held back. Python's handlers have those that came before it first, and those that
/// came meanwhile afterwards, so that what they raise is raised where the program had stopped.
///
/// A program that goes on to wait would not notice them otherwise. A signal that another thread takes meanwhile is still seen
/// within `work`.
///
/// # Errors
///
/// What `work` or a handler raises.
pub(crate) fn undisturbed<T>(py: Python<'_>, work: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    let done = hold_back(|| {
        py.check_signals()?;
        // Its frames are nobody's business but ours.
        work().inspect_err(|error| error.set_traceback(py, None))
    })?;
    py.check_signals()?;
    Ok(done)
}

/// Does `work` with this thread's signals held back.
pub(crate) fn hold_back<T>(work: impl FnOnce() -> T) -> T {
    let mut signals = SigSet::all();
    for fault in FAULTS {
        signals.remove(fault);
    }
    // No call of this kind is refused.
    let _restored = signals.thread_swap_mask(SigmaskHow::SIG_BLOCK).map(Restored);
    work()
}

/// A function in Python that is called so. A class may have it as a method.
#[pyclass(frozen)]
pub(crate) struct Undisturbed {
    function: Py<PyAny>,
}

#[pymethods]
impl Undisturbed {
    #[new]
    fn new(function: Py<PyAny>) -> Self {
        Self { function }
    }

    #[pyo3(signature = (*arguments, **options))]
    fn __call__<'py>(
        &self,
        py: Python<'py>,
        arguments: &Bound<'py, PyTuple>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        undisturbed(py, || self.function.bind(py).call(arguments, options))
    }

    fn __get__<'py>(
        slf: &Bound<'py, Self>,
        object: Option<Bound<'py, PyAny>>,
        _kind: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match object {
            Some(object) => slf.py().import("types")?.getattr("MethodType")?.call1((slf, object)),
            None => Ok(slf.clone().into_any()),
        }
    }
}

/// Restores the mask, also of a thread that a panic unwinds.
struct Restored(SigSet);

impl Drop for Restored {
    fn drop(&mut self) {
        let _ = self.0.thread_set_mask();
    }
}
