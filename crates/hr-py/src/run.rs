//! A run, as its client sees it.

use std::os::fd::AsFd;
use std::sync::Mutex;

use hr_forkserver::protocol::{ExitStatus, Outcome, Reply, RunId};
use hr_forkserver::{Channel, ChannelError, Received};
use nix::poll::{PollFd, PollFlags};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use crate::client::{Replies, Supervisor, supervisor_died, unexpected, wait};
use crate::payload;

/// A run and the two streams that tell of it: its own, and the supervisor's about it.
#[pyclass(frozen)]
pub(crate) struct Run {
    #[pyo3(get)]
    pid: i32,
    id: RunId,
    supervisor: Py<Supervisor>,
    /// Gone once the run is over.
    watch: Mutex<Option<Watch>>,
}

struct Watch {
    replies: Replies,
    results: Channel<(), Outcome>,
    /// The run's stream has ended, and would only wake whoever waits for it.
    results_ended: bool,
    outcome: Option<Received<Outcome>>,
}

impl Watch {
    /// Takes in what has arrived. The status when the run is over.
    fn update(&mut self) -> PyResult<Option<ExitStatus>> {
        let status = match self.replies.try_receive() {
            Ok(Some(Received { message: Reply::Ended(status), .. })) => Some(status),
            Ok(Some(Received { message: Reply::Notice(_), .. })) => return self.update(),
            Ok(Some(other)) => return Err(unexpected(other.message)),
            Ok(None) => None,
            Err(_) => return Err(supervisor_died()),
        };
        // After the status: whatever the run has sent is here by then.
        while !self.results_ended {
            match self.results.try_receive() {
                Ok(Some(outcome)) => self.outcome = Some(outcome),
                Ok(None) => break,
                // Cut short: it was killed while it wrote. The status tells the rest.
                Err(ChannelError::Closed | _) => self.results_ended = true,
            }
        }
        Ok(status)
    }

    /// Waits until more has arrived.
    fn wait(&self, py: Python<'_>) -> PyResult<()> {
        let replies = PollFd::new(self.replies.as_fd(), PollFlags::POLLIN);
        let results = PollFd::new(self.results.as_fd(), PollFlags::POLLIN);
        if self.results_ended { wait(py, &mut [replies]) } else { wait(py, &mut [replies, results]) }
    }
}

impl Run {
    pub(crate) fn new(
        supervisor: Py<Supervisor>,
        id: RunId,
        pid: i32,
        replies: Replies,
        results: Channel<(), Outcome>,
    ) -> Self {
        let watch = Watch { replies, results, results_ended: false, outcome: None };
        Self { pid, id, supervisor, watch: Mutex::new(Some(watch)) }
    }
}

#[pymethods]
impl Run {
    /// Waits for the end, and hands out the content of the outcome. To be called by one thread at a time, and not
    /// again after it has returned.
    fn wait<'py>(&self, py: Python<'py>) -> PyResult<(&'static str, Bound<'py, PyAny>, Option<i32>)> {
        let Ok(mut guard) = self.watch.try_lock() else {
            return Err(PyRuntimeError::new_err("another thread waits for this run"));
        };
        let Some(watch) = guard.as_mut() else {
            return Err(PyRuntimeError::new_err("the outcome of this run was handed out before"));
        };
        let status = loop {
            match watch.update()? {
                Some(status) => break status,
                None => watch.wait(py)?,
            }
        };
        let outcome = watch.outcome.take();
        *guard = None;
        let (kind, content) = describe(py, outcome)?;
        Ok((kind, content, return_code(status)))
    }

    /// Ends the run. Returns whether it was running.
    fn stop(&self, py: Python<'_>) -> PyResult<bool> {
        self.supervisor.get().stop(py, self.id)
    }
}

fn return_code(status: ExitStatus) -> Option<i32> {
    match status {
        ExitStatus::Exited(code) => Some(code),
        ExitStatus::Signaled(signal) => Some(-signal),
        ExitStatus::Lost => None,
    }
}

fn describe(
    py: Python<'_>,
    outcome: Option<Received<Outcome>>,
) -> PyResult<(&'static str, Bound<'_, PyAny>)> {
    let Some(Received { message, mut descriptors }) = outcome else {
        return Ok(("none", py.None().into_bound(py)));
    };
    let memory = descriptors.pop();
    match message {
        Outcome::Returned(value) => Ok(("returned", payload::to_python(py, &value, memory)?)),
        Outcome::SystemExit(value) => Ok(("exited", payload::to_python(py, &value, memory)?)),
        Outcome::Raised { exception, type_name, traceback } => {
            let exception = exception.map(|value| payload::to_python(py, &value, memory)).transpose()?;
            Ok(("raised", (exception, type_name, traceback).into_bound_py_any(py)?))
        }
        Outcome::Unpicklable { type_name, message } => {
            Ok(("unpicklable", (type_name, message).into_bound_py_any(py)?))
        }
    }
}
