//! The interpreter's audit events, thinned out natively: imports make tens of thousands, and few of them matter.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use crate::undisturbed::undisturbed;

/// A hook for `sys.addaudithook` that passes some events on, while it is told to.
#[pyclass(frozen)]
pub(crate) struct AuditFilter {
    wanted: Mutex<Wanted>,
    listening: AtomicBool,
}

/// Which events are passed on, and to whom.
struct Wanted {
    events: Vec<String>,
    listener: Py<PyAny>,
}

#[pymethods]
impl AuditFilter {
    #[new]
    fn new(events: Vec<String>, listener: Py<PyAny>) -> Self {
        Self { wanted: Mutex::new(Wanted { events, listener }), listening: AtomicBool::new(false) }
    }

    /// Passes other events on from now on, to another listener. The interpreter knows no way to remove a hook.
    fn redirect(&self, events: Vec<String>, listener: Py<PyAny>) {
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) = Wanted { events, listener };
    }

    /// Whether events are passed on.
    fn listen(&self, listening: bool) {
        self.listening.store(listening, Ordering::Relaxed);
    }

    fn __call__(&self, event: &Bound<'_, PyString>, arguments: &Bound<'_, PyTuple>) -> PyResult<()> {
        if !self.listening.load(Ordering::Relaxed) {
            return Ok(());
        }
        if let Some(listener) = self.listener_of(event)?
            && may_name_a_file(event, arguments)?
        {
            // Looking closer makes events, too.
            self.listening.store(false, Ordering::Relaxed);
            undisturbed(event.py(), || {
                let heard = listener.call1(event.py(), (event, arguments));
                self.listening.store(true, Ordering::Relaxed);
                heard
            })?;
        }
        Ok(())
    }
}

impl AuditFilter {
    fn listener_of(&self, event: &Bound<'_, PyString>) -> PyResult<Option<Py<PyAny>>> {
        let name = event.to_str()?;
        // Only ever held for a moment, and with the interpreter's own lock.
        let wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let is_wanted = wanted.events.iter().any(|wanted| wanted == name);
        Ok(is_wanted.then(|| wanted.listener.clone_ref(event.py())))
    }
}

/// Whether code that is compiled or executed may come from a file. Dataclasses, named tuples and the like make more than
/// ten times as much of it as there are modules. Of other events nothing is said.
fn may_name_a_file(event: &Bound<'_, PyString>, arguments: &Bound<'_, PyTuple>) -> PyResult<bool> {
    match event.to_str()? {
        "compile" => Ok(is_absolute(&arguments.get_item(1)?)),
        "exec" => {
            let code = arguments.get_item(0)?;
            Ok(code.getattr(intern!(code.py(), "co_filename")).is_ok_and(|file| is_absolute(&file)))
        }
        _ => Ok(true),
    }
}

fn is_absolute(file: &Bound<'_, PyAny>) -> bool {
    file.cast::<PyString>().is_ok_and(|file| file.to_str().is_ok_and(|file| Path::new(file).is_absolute()))
}
