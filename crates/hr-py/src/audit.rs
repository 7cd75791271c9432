//! The interpreter's audit events, thinned out natively: imports make tens of thousands, and few of them matter.

use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

/// A hook for `sys.addaudithook` that passes some events on, while it is told to.
#[pyclass(frozen)]
pub(crate) struct AuditFilter {
    events: Vec<String>,
    listener: Py<PyAny>,
    listening: AtomicBool,
}

#[pymethods]
impl AuditFilter {
    #[new]
    fn new(events: Vec<String>, listener: Py<PyAny>) -> Self {
        Self { events, listener, listening: AtomicBool::new(false) }
    }

    /// Whether events are passed on.
    fn listen(&self, listening: bool) {
        self.listening.store(listening, Ordering::Relaxed);
    }

    fn __call__(&self, event: &Bound<'_, PyString>, arguments: &Bound<'_, PyTuple>) -> PyResult<()> {
        if !self.listening.load(Ordering::Relaxed) {
            return Ok(());
        }
        let name = event.to_str()?;
        if self.events.iter().any(|wanted| wanted == name) {
            // Looking closer makes events, too.
            self.listening.store(false, Ordering::Relaxed);
            let heard = self.listener.call1(event.py(), (event, arguments));
            self.listening.store(true, Ordering::Relaxed);
            heard?;
        }
        Ok(())
    }
}
