//! The end of a run: what an interpreter does at its own, short of tearing down a heap that it shares with its template.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyModule, PyWeakrefReference};

use crate::program::End;
use crate::sys;

/// Exit code of an interpreter that could not write out its last output.
const FLUSH_FAILED: i32 = 120;

/// Waits for threads, calls what is registered for the end, lets go of `own_modules` if that is wanted, and writes out what
/// is buffered. Returns the exit code, or does not return if the process is to be killed by SIGINT.
pub(crate) fn finish(py: Python<'_>, end: End, own_modules: Option<impl FnOnce() -> Vec<String>>) -> i32 {
    join_threads(py);
    if let Ok(atexit) = py.import("atexit")
        && let Err(error) = atexit.call_method0("_run_exitfuncs")
    {
        error.write_unraisable(py, Some(&atexit));
    }
    let flushed = flush_standard_streams(py, complain_of);
    if let Some(own_modules) = own_modules {
        // What goes wrong here would be said by nobody anywhere.
        let _ = tear_down(py, own_modules);
        flush_standard_streams(py, |_, _, _| {});
    }
    sys::flush_c_streams();
    if end.interrupted {
        // Whoever waits for the program is to see that it was interrupted, and may end as well.
        sys::die_of_interrupt();
    }
    if flushed { end.code } else { FLUSH_FAILED }
}

fn join_threads(py: Python<'_>) {
    let modules = py.import("sys").and_then(|sys| sys.getattr("modules"));
    let Ok(threading) = modules.and_then(|modules| modules.get_item("threading")) else { return };
    if let Err(error) = threading.call_method0("_shutdown") {
        sys::write_unraisable(py, error, c"Exception ignored on threading shutdown", &threading);
    }
}

/// What finalizing an interpreter does to its modules, for those that the program has loaded itself: finalizers are called,
/// and files that nobody has closed are written out.
///
/// The other modules are shared with the template; to look at them would be to copy them. Threads that are still there
/// would not come to run any more in an interpreter of their own, but here they do, and may use what would be taken from
/// them; then files are written out, and that is all.
fn tear_down(py: Python<'_>, own_modules: impl FnOnce() -> Vec<String>) -> PyResult<()> {
    write_out_files(py)?;
    // This thread has no frame.
    if !py.import("sys")?.call_method0("_current_frames")?.is_empty()? {
        return Ok(());
    }
    forget_what_is_special(py)?;
    let (names, modules) = (own_modules(), py.import("sys")?.getattr("modules")?);
    let mut remaining = Vec::new();
    for name in &names {
        if let Ok(module) = modules.get_item(name)
            && module.is_instance_of::<PyModule>()
        {
            remaining.push(PyWeakrefReference::new(&module)?);
            modules.set_item(name, py.None())?;
        }
    }
    let gc = py.import("gc")?;
    gc.call_method0("collect")?;
    for module in remaining.iter().rev() {
        if let Some(module) = module.upgrade_as::<PyModule>()? {
            clear(&module.dict())?;
        }
    }
    gc.call_method0("collect")?;
    write_out_files(py)
}

/// Flushes what is open. Collecting garbage may close a file before the buffer that stands before it is written.
fn write_out_files(py: Python<'_>) -> PyResult<()> {
    // All streams derive from it, and unlike `io.IOBase` it asks nobody but the type: a proxy may refuse to tell its class.
    let file = py.import("_io")?.getattr("_IOBase")?;
    // What the template has made is not among these objects: it is frozen.
    for object in py.import("gc")?.call_method0("get_objects")?.try_iter()? {
        let object = object?;
        if object.get_type().is_subclass(&file)?
            && object.getattr("closed").is_ok_and(|closed| closed.is(&*PyBool::new(py, false)))
        {
            let _ = object.call_method0("flush");
        }
    }
    Ok(())
}

/// `finalize_modules_delete_special`: names by which the interpreter itself holds what a program has made.
fn forget_what_is_special(py: Python<'_>) -> PyResult<()> {
    let names = py.import("sys")?.dict();
    for name in ["path", "argv", "ps1", "ps2", "last_exc", "last_type", "last_value", "last_traceback"] {
        if names.contains(name)? {
            names.set_item(name, py.None())?;
        }
    }
    for name in ["stdin", "stdout", "stderr"] {
        if let Some(stream) = names.get_item(format!("__{name}__"))? {
            names.set_item(name, stream)?;
        }
    }
    Ok(())
}

/// `_PyModule_ClearDict`: first what is private.
fn clear(names: &Bound<'_, PyDict>) -> PyResult<()> {
    let is_private = |name: &str| name.starts_with('_') && !name.starts_with("__");
    for private in [true, false] {
        for name in names.keys() {
            let Ok(text) = name.extract::<String>() else { continue };
            if is_private(&text) == private && text != "__builtins__" {
                names.set_item(name, names.py().None())?;
            }
        }
    }
    Ok(())
}

/// Whether all could be written. `failed` is told of what could not.
fn flush_standard_streams(py: Python<'_>, failed: impl Fn(&str, PyErr, &Bound<'_, PyAny>)) -> bool {
    let Ok(module) = py.import("sys") else { return true };
    let mut flushed = true;
    for name in ["stdout", "stderr"] {
        let Ok(stream) = module.getattr(name) else { continue };
        let closed = stream.getattr("closed").and_then(|closed| closed.is_truthy()).unwrap_or(false);
        if stream.is_none() || closed {
            continue;
        }
        if let Err(error) = stream.call_method0("flush") {
            flushed = false;
            failed(name, error, &stream);
        }
    }
    flushed
}

fn complain_of(name: &str, error: PyErr, stream: &Bound<'_, PyAny>) {
    if name == "stdout" {
        sys::write_unraisable(stream.py(), error, c"Exception ignored on flushing sys.stdout", stream);
    }
}
