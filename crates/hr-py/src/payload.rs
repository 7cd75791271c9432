//! Pickled data between Python's tuples and the protocol's messages.

use std::os::fd::{IntoRawFd, OwnedFd};

use hr_forkserver::protocol::Payload;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::sys;

/// `(lengths, inline, descriptor)`, as `hotreload._payload.Payload` has it.
pub(crate) type Parts = (Vec<u64>, Option<Vec<u8>>, Option<i32>);

/// A message's payload, and the memory that goes with it.
pub(crate) fn from_python(parts: Parts) -> PyResult<(Payload, Option<OwnedFd>)> {
    match parts {
        (lengths, Some(bytes), None) => Ok((Payload::Inline { bytes, lengths }, None)),
        (lengths, None, Some(descriptor)) => Ok((Payload::Shared { lengths }, Some(sys::adopt(descriptor)?))),
        _ => Err(PyValueError::new_err("a payload is either inline or in shared memory")),
    }
}

/// The tuple for Python, which owns the descriptor in it.
pub(crate) fn to_python<'py>(
    py: Python<'py>,
    payload: &Payload,
    memory: Option<OwnedFd>,
) -> PyResult<Bound<'py, PyAny>> {
    match payload {
        Payload::Inline { bytes, lengths } => {
            (lengths, PyBytes::new(py, bytes), py.None()).into_bound_py_any(py)
        }
        Payload::Shared { lengths } => {
            (lengths, py.None(), memory.map(IntoRawFd::into_raw_fd)).into_bound_py_any(py)
        }
    }
}
