//! Being told of a module right before it is executed, without a frame in its tracebacks.

use pyo3::prelude::*;

/// A descriptor for the method that loaders execute modules with (`_LoaderBasics.exec_module` of
/// `importlib._bootstrap_external`). It tells a listener, and does what the method does.
///
/// A function in Python would have a frame, and tracebacks of failed imports would show it and all of `importlib` below.
#[pyclass(frozen)]
pub(crate) struct BeforeLoading {
    execute: Py<PyAny>,
    listener: Py<PyAny>,
}

#[pymethods]
impl BeforeLoading {
    #[new]
    fn new(execute: Py<PyAny>, listener: Py<PyAny>) -> Self {
        Self { execute, listener }
    }

    fn __get__(
        slf: &Bound<'_, Self>,
        loader: Option<Py<PyAny>>,
        _kind: Option<Py<PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let py = slf.py();
        match loader {
            None => Ok(slf.get().execute.clone_ref(py)),
            Some(loader) => {
                Ok(Py::new(py, BoundBeforeLoading { method: slf.clone().unbind(), loader })?.into_any())
            }
        }
    }
}

/// The method of one loader.
#[pyclass(frozen)]
pub(crate) struct BoundBeforeLoading {
    method: Py<BeforeLoading>,
    loader: Py<PyAny>,
}

#[pymethods]
impl BoundBeforeLoading {
    fn __call__(&self, py: Python<'_>, module: Py<PyAny>) -> PyResult<Py<PyAny>> {
        let method = self.method.get();
        method.listener.call1(py, (&module,))?;
        method.execute.call1(py, (&self.loader, module))
    }
}
