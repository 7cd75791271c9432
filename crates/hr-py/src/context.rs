//! What of this process its runs inherit.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;

use hr_forkserver::above_streams;
use pyo3::prelude::*;
use rustix::fs::{Mode, OFlags};

/// Names and values of environment variables.
pub(crate) fn os_pairs(pairs: Vec<(Vec<u8>, Vec<u8>)>) -> Vec<(OsString, OsString)> {
    pairs.into_iter().map(|(name, value)| (OsString::from_vec(name), OsString::from_vec(value))).collect()
}

/// The working directory as a descriptor: it may have been removed or be unreadable, and is still ours.
pub(crate) fn working_directory() -> PyResult<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(above_streams(rustix::fs::open(".", flags, Mode::empty()).map_err(std::io::Error::from)?)?)
}

/// Reads the umask from the kernel's account of this process: `umask(2)` can only be read by changing it, and
/// another thread may be creating a file.
pub(crate) fn current_umask() -> u32 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let value = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    value.and_then(|value| u32::from_str_radix(value.trim(), 8).ok()).unwrap_or(0o022)
}
