//! What of this process its runs inherit.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use hr_forkserver::above_streams;
use hr_forkserver::protocol::Variables;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use rustix::fs::{Mode, OFlags};

/// Environment variables in one piece.
pub(crate) fn os_variables(variables: &Bound<'_, PyDict>) -> PyResult<Variables> {
    let mut all = Variables::default();
    for (name, value) in variables.iter() {
        let (name, value) = (name.cast::<PyBytes>()?, value.cast::<PyBytes>()?);
        all.push(OsStr::from_bytes(name.as_bytes()), OsStr::from_bytes(value.as_bytes()));
    }
    Ok(all)
}

/// Names and values of environment variables.
pub(crate) fn os_pairs(variables: &Bound<'_, PyDict>) -> PyResult<Vec<(OsString, OsString)>> {
    let text = |bytes: &Bound<'_, PyAny>| -> PyResult<OsString> {
        Ok(OsString::from_vec(bytes.cast::<PyBytes>()?.as_bytes().to_vec()))
    };
    variables.iter().map(|(name, value)| Ok((text(&name)?, text(&value)?))).collect()
}

/// The working directory as a descriptor: it may have been removed or be unreadable, and is still ours.
pub(crate) fn working_directory() -> PyResult<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(above_streams(rustix::fs::open(".", flags, Mode::empty()).map_err(std::io::Error::from)?)?)
}

/// Reads the umask from the kernel's account of this process: `umask(2)` can only be read by changing it, and
/// another thread may be creating a file.
pub(crate) fn current_umask() -> u32 {
    // The mask is in the second line.
    let mut status = [0; 256];
    let read =
        File::open("/proc/self/status").and_then(|mut file| file.read(&mut status)).unwrap_or_default();
    let status = String::from_utf8_lossy(&status[..read]);
    let value = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    value.and_then(|value| u32::from_str_radix(value.trim(), 8).ok()).unwrap_or(0o022)
}
