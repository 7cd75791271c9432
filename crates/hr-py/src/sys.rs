//! The calls that Rust cannot check. All `unsafe` of this crate is here.
#![allow(unsafe_code)]

use std::convert::Infallible;
use std::ffi::{CStr, c_char, c_int};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::libc;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pyo3::{Python, ffi};
use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};

/// Takes over a descriptor that Python code has opened and will not use again.
pub(crate) fn adopt(descriptor: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: borrowed only for the check that follows; if the number is not open, the check fails.
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
    fcntl_getfd(borrowed)?;
    // SAFETY: it is open, and the caller, code of this package, gives up its ownership.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// A descriptor of the same file as this process's own standard stream `number`, if that is open.
pub(crate) fn standard_stream(number: RawFd) -> Option<OwnedFd> {
    // SAFETY: borrowed only for the duplication, which fails if the number is not open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    rustix::io::fcntl_dupfd_cloexec(borrowed, 3).ok()
}

/// Puts `/dev/null` in place of this process's standard streams, so that whoever waits for their end does not wait for it.
pub(crate) fn leave_standard_streams() {
    let null = rustix::fs::open("/dev/null", rustix::fs::OFlags::RDWR, rustix::fs::Mode::empty());
    let null = null.map_err(io::Error::from).and_then(hr_forkserver::above_streams);
    for number in 0..=2 {
        // SAFETY: the number is below those that this process's objects own; the stream it stood for is to be given up.
        let mut stream = unsafe { std::mem::ManuallyDrop::new(OwnedFd::from_raw_fd(number)) };
        match &null {
            Ok(null) => drop(rustix::io::dup2(null, &mut stream)),
            // Closed is not kept open, either.
            Err(_) => drop(nix::unistd::close(number)),
        }
    }
}

/// Lets the program that `command` starts inherit `descriptors`, and no other but its standard streams.
///
/// They become inheritable in the new process only, so nothing that another thread starts gets them. Others would live as
/// long as that program, and whoever waits for the end of such a pipe would wait as long.
pub(crate) fn inherit(command: &mut Command, descriptors: &[&OwnedFd]) {
    let numbers: Vec<RawFd> = descriptors.iter().map(|descriptor| descriptor.as_raw_fd()).collect();
    let prepare = move || {
        // SAFETY: it sets a flag on descriptors of a process that is about to become another program. Kernels before 5.11
        // refuse, and the program starts with what was inheritable.
        unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
        for number in &numbers {
            // SAFETY: the caller keeps them open until the program has started.
            let descriptor = unsafe { BorrowedFd::borrow_raw(*number) };
            fcntl_setfd(descriptor.as_fd(), FdFlags::empty())?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec the closure only makes system calls; it neither allocates nor locks.
    unsafe { command.pre_exec(prepare) };
}

/// `PyOS_BeforeFork`.
pub(crate) fn before_fork(_python: Python<'_>) {
    // SAFETY: the caller is attached to the interpreter, and one of the two functions below follows.
    unsafe { ffi::PyOS_BeforeFork() };
}

/// `PyOS_AfterFork_Parent`.
pub(crate) fn after_fork_in_parent(_python: Python<'_>) {
    // SAFETY: the caller is attached to the interpreter and has called `before_fork`.
    unsafe { ffi::PyOS_AfterFork_Parent() };
}

/// `PyOS_AfterFork_Child`.
pub(crate) fn after_fork_in_child(_python: Python<'_>) {
    // SAFETY: this is the forked process, and the thread that forked was attached to the interpreter.
    unsafe { ffi::PyOS_AfterFork_Child() };
}

/// `Py_file_input` of `Python/compile.h`: the source is that of a module.
const FILE_INPUT: c_int = 257;

/// `PyCompilerFlags` of `cpython/compile.h`.
#[repr(C)]
struct CompilerFlags {
    flags: c_int,
    feature_version: c_int,
}

unsafe extern "C" {
    /// Not of the limited API, but exported by every CPython since 2.3, and unchanged.
    fn PyRun_FileExFlags(
        file: *mut libc::FILE,
        name: *const c_char,
        start: c_int,
        globals: *mut ffi::PyObject,
        locals: *mut ffi::PyObject,
        close: c_int,
        flags: *mut CompilerFlags,
    ) -> *mut ffi::PyObject;
}

/// Executes a source file as the interpreter executes its program: it is decoded, compiled and complained about by the
/// same code. `minor` is the version of the language.
pub(crate) fn run_file<'py>(
    path: &CStr,
    names: &Bound<'py, PyDict>,
    minor: u8,
) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: both are strings that end with a null byte.
    let file = unsafe { libc::fopen(path.as_ptr(), c"rbe".as_ptr()) };
    if file.is_null() {
        return Err(io::Error::last_os_error().into());
    }
    let mut flags = CompilerFlags { flags: 0, feature_version: minor.into() };
    let names_pointer = names.as_ptr();
    // SAFETY: the caller is attached to the interpreter and lends it the names; the file is open, and closed by the
    // callee, as 1 asks for. It returns a new reference, or null with an exception set.
    unsafe {
        let result = PyRun_FileExFlags(
            file,
            path.as_ptr(),
            FILE_INPUT,
            names_pointer,
            names_pointer,
            1,
            &raw mut flags,
        );
        Bound::from_owned_ptr_or_err(names.py(), result)
    }
}

/// `PyEval_EvalCode` with `names` for globals and locals. `code` is a code object.
pub(crate) fn run_code<'py>(
    code: &Bound<'py, PyAny>,
    names: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: the caller is attached to the interpreter and lends it all three. It returns a new reference, or null with an
    // exception set.
    unsafe {
        let result = ffi::PyEval_EvalCode(code.as_ptr(), names.as_ptr(), names.as_ptr());
        Bound::from_owned_ptr_or_err(names.py(), result)
    }
}

/// Does `rest` as if the interpreter had not called the function that calls this: in its count of nested calls, which a
/// program sees as far as it gets before `RecursionError`, the caller's own is not there. It never comes back.
pub(crate) fn outside_of_this_call(_python: Python<'_>, rest: impl FnOnce() -> Infallible) -> ! {
    // SAFETY: the caller is attached to the interpreter, and in a call that was counted. Who has called it will not find
    // that out, since `rest` does not end.
    unsafe { ffi::Py_LeaveRecursiveCall() };
    match rest() {}
}

/// Writes out what C code has left in its `stdio` buffers, as `exit` would.
pub(crate) fn flush_c_streams() {
    // SAFETY: a null stream means all of them.
    unsafe { libc::fflush(std::ptr::null_mut()) };
}

/// Ends this process by SIGINT, whatever was to be done about that signal.
pub(crate) fn die_of_interrupt() {
    // SAFETY: it sets a disposition, not a handler, and sends a signal to this process.
    unsafe {
        libc::signal(libc::SIGINT, libc::SIG_DFL);
        libc::kill(libc::getpid(), libc::SIGINT);
    }
}

/// Reports an exception that nobody can catch, in the words of the interpreter: from 3.13 on those of `message`, before
/// that a mention of `object`.
pub(crate) fn write_unraisable(py: Python<'_>, error: PyErr, message: &CStr, object: &Bound<'_, PyAny>) {
    type FormatUnraisable = unsafe extern "C" fn(*const c_char, ...);
    // SAFETY: the name ends with a null byte, and what is found under it lives as long as the interpreter.
    let format = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"PyErr_FormatUnraisable".as_ptr()) };
    if format.is_null() {
        return error.write_unraisable(py, Some(object));
    }
    error.restore(py);
    // SAFETY: `PyErr_FormatUnraisable` of CPython 3.13 and later has this type; the message asks for no arguments, and an
    // exception is set.
    unsafe { std::mem::transmute::<*mut libc::c_void, FormatUnraisable>(format)(message.as_ptr()) };
}
