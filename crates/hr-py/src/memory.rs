//! How much of the memory that this process has in common with others it has had to copy.

use std::ffi::c_long;
use std::{fs, io};

use nix::sys::resource::{UsageWho, getrusage};
use pyo3::prelude::*;

/// Pages that were faulted in and are not more memory than before: only differences tell anything. After a fork they are, for
/// the most part, pages that were written to and therefore copied.
#[pyfunction]
pub(crate) fn pages_copied() -> PyResult<c_long> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).map_err(io::Error::from)?;
    Ok(usage.minor_page_faults() - resident_pages()?)
}

/// The second field of `/proc/[pid]/statm` (`proc_pid_statm(5)`).
fn resident_pages() -> io::Result<c_long> {
    let sizes = fs::read_to_string("/proc/self/statm")?;
    let resident = sizes.split_ascii_whitespace().nth(1).and_then(|pages| pages.parse().ok());
    resident.ok_or_else(|| io::ErrorKind::InvalidData.into())
}
