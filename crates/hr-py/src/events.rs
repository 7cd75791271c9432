//! What happens while a template is built, as objects of Python.

use std::time::Duration;

use hr_forkserver::protocol::BuildEvent;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// The instance of the class in `hotreload._events` that stands for `event`.
pub(crate) fn to_python(py: Python<'_>, event: BuildEvent) -> PyResult<Bound<'_, PyAny>> {
    let classes = py.import("hotreload._events")?;
    match event {
        BuildEvent::Importing { module, index, total } => {
            classes.getattr("ImportStarted")?.call1((module, index, total))
        }
        BuildEvent::StillImporting { module, elapsed, limit } => {
            let limit = if limit == Duration::MAX { f64::INFINITY } else { limit.as_secs_f64() };
            let seconds = elapsed.as_secs_f64();
            classes.getattr("ImportContinues")?.call1((module, seconds, limit))
        }
        BuildEvent::Imported { module, index, total, elapsed, effects } => {
            let effects = PyTuple::new(py, effects.iter().map(ToString::to_string))?;
            let seconds = elapsed.as_secs_f64();
            classes.getattr("ModuleImported")?.call1((module, index, total, seconds, effects))
        }
        BuildEvent::Excluded { module, index, total, cause } => {
            classes.getattr("ModuleExcluded")?.call1((module, index, total, cause))
        }
        BuildEvent::Ready { imported, excluded, elapsed, slowest } => {
            let slowest = slowest.into_iter().map(|(module, elapsed)| (module, elapsed.as_secs_f64()));
            let slowest = PyTuple::new(py, slowest.collect::<Vec<_>>())?;
            classes.getattr("TemplateReady")?.call1((imported, excluded, elapsed.as_secs_f64(), slowest))
        }
    }
}
