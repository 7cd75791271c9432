//! A run, as its client sees it.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hr_forkserver::protocol::{ExitStatus, Outcome, Reply, RunId};
use hr_forkserver::{Channel, ChannelError, Received};
use nix::poll::{PollFd, PollFlags};
use pyo3::IntoPyObjectExt;
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
    watch: Mutex<Watch>,
    /// Duplicates for waiting, so that no thread holds the lock while it waits.
    replies: OwnedFd,
    results: OwnedFd,
}

struct Watch {
    replies: Replies,
    results: Channel<(), Outcome>,
    /// The run's stream has ended, and would only wake whoever waits for it.
    results_ended: bool,
    outcome: Option<Received<Outcome>>,
    status: Option<ExitStatus>,
}

impl Watch {
    /// Takes in what has arrived. `true` when the run is over.
    fn update(&mut self) -> PyResult<bool> {
        if self.status.is_none() {
            match self.replies.try_receive() {
                Ok(Some(Received { message: Reply::Ended(status), .. })) => self.status = Some(status),
                Ok(Some(other)) => return Err(unexpected(other.message)),
                Ok(None) => {}
                Err(_) => return Err(supervisor_died()),
            }
        }
        // After the status: whatever the run has sent is here by then.
        while !self.results_ended {
            match self.results.try_receive() {
                Ok(Some(outcome)) => self.outcome = Some(outcome),
                Ok(None) => break,
                // Cut short: it was killed while it wrote. The status tells the rest.
                Err(ChannelError::Closed | _) => self.results_ended = true,
            }
        }
        Ok(self.status.is_some())
    }
}

impl Run {
    pub(crate) fn new(
        supervisor: Py<Supervisor>,
        id: RunId,
        pid: i32,
        replies: Replies,
        results: Channel<(), Outcome>,
    ) -> PyResult<Self> {
        let duplicates = (replies.as_fd().try_clone_to_owned()?, results.as_fd().try_clone_to_owned()?);
        let watch = Watch { replies, results, results_ended: false, outcome: None, status: None };
        let (replies, results) = duplicates;
        Ok(Self { pid, id, supervisor, watch: Mutex::new(watch), replies, results })
    }

    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Run {
    /// Waits for the end. The content of the outcome is handed out once; later calls get the kind `none`.
    fn wait<'py>(&self, py: Python<'py>) -> PyResult<(&'static str, Bound<'py, PyAny>, Option<i32>)> {
        loop {
            let results_ended = {
                let mut watch = self.watch();
                if watch.update()? {
                    let (outcome, status) = (watch.outcome.take(), watch.status);
                    drop(watch);
                    let (kind, content) = describe(py, outcome)?;
                    return Ok((kind, content, status.and_then(return_code)));
                }
                watch.results_ended
            };
            let replies = PollFd::new(self.replies.as_fd(), PollFlags::POLLIN);
            let results = PollFd::new(self.results.as_fd(), PollFlags::POLLIN);
            if results_ended { wait(py, &mut [replies])? } else { wait(py, &mut [replies, results])? }
        }
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
