//! Being told of a call right before it happens, without a frame in its tracebacks.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::undisturbed::undisturbed;

/// A descriptor in place of a method, of a class in Python, or a function in place of another. It tells a listener, and does
/// what the method does.
///
/// A function in Python would have a frame, and tracebacks would show it; below the methods of import loaders they would
/// show all of `importlib` as well.
#[pyclass(frozen)]
pub(crate) struct Before {
    method: Py<PyAny>,
    /// Called with the method's object and arguments. An exception that it returns is raised in place of the call.
    listener: Py<PyAny>,
    /// Called with the exception that the method has raised, its traceback, the method's object and arguments.
    failed: Option<Py<PyAny>>,
    /// Whether the listener only looks, and signals can wait for it. One that executes the program's code cannot hold them back.
    undisturbed: bool,
    /// Whether the method is called with a class, as `__new__` is, and not with an object of it.
    is_static: bool,
}

#[pymethods]
impl Before {
    #[new]
    #[pyo3(signature = (method, listener, failed = None, *, undisturbed = false, is_static = false))]
    fn new(
        method: Py<PyAny>,
        listener: Py<PyAny>,
        failed: Option<Py<PyAny>>,
        undisturbed: bool,
        is_static: bool,
    ) -> Self {
        Self { method, listener, failed, undisturbed, is_static }
    }

    fn __get__(
        slf: &Bound<'_, Self>,
        object: Option<Py<PyAny>>,
        _kind: Option<Py<PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let py = slf.py();
        let before = slf.get();
        if object.is_none() && !before.is_static {
            return Ok(before.method.clone_ref(py));
        }
        let object = object.filter(|_| !before.is_static);
        Ok(Py::new(py, BoundBefore { method: slf.clone().unbind(), object })?.into_any())
    }

    #[pyo3(signature = (*arguments, **options))]
    fn __call__<'py>(
        &self,
        arguments: &Bound<'py, PyTuple>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.call(arguments, options)
    }
}

impl Before {
    /// The call itself, of a method or a function with `all` its arguments.
    fn call<'py>(
        &self,
        all: &Bound<'py, PyTuple>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = all.py();
        let instead = self.tell(self.listener.bind(py), all)?;
        if !instead.is_none() {
            return Err(PyErr::from_value(instead));
        }
        let result = self.method.bind(py).call(all, options);
        if let (Err(error), Some(failed)) = (&result, &self.failed) {
            // Before 3.12, the exception itself may not have its traceback yet.
            let traceback = error.traceback(py).into_pyobject(py)?.into_any();
            let mut told = vec![error.value(py).clone().into_any(), traceback];
            told.extend(all.iter());
            self.tell(failed.bind(py), &PyTuple::new(py, told)?)?;
        }
        result
    }

    fn tell<'py>(
        &self,
        listener: &Bound<'py, PyAny>,
        arguments: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let tell = || listener.call1(arguments);
        if self.undisturbed { undisturbed(listener.py(), tell) } else { tell() }
    }
}

/// The method of one object, or of a class.
#[pyclass(frozen)]
pub(crate) struct BoundBefore {
    method: Py<Before>,
    object: Option<Py<PyAny>>,
}

#[pymethods]
impl BoundBefore {
    #[pyo3(signature = (*arguments, **options))]
    fn __call__<'py>(
        &self,
        py: Python<'py>,
        arguments: &Bound<'py, PyTuple>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let mut all: Vec<_> = self.object.iter().map(|object| object.bind(py).clone()).collect();
        all.extend(arguments.iter());
        self.method.get().call(&PyTuple::new(py, all)?, options)
    }
}
