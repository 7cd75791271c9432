//! Which native threads a template may have had. Pure.
//!
//! A fork copies the calling thread only. A library that keeps threads must therefore notice the fork, or its first use in
//! the child waits for workers that do not exist. Those listed here do, or can do without; `docs/native-threads.md` has
//! the evidence, library by library.

use std::path::Path;

use hr_protocol::NativeThread;

use crate::threads::Task;

/// Beginnings of the names, as [`short_name`] gives them, of libraries whose threads survive a fork.
///
/// - OpenBLAS stops its pool in a `pthread_atfork` handler and starts it anew when it is used. Python's numeric packages
///   bundle it as `libscipy_openblas*`.
/// - The OpenMP runtimes of Intel and LLVM, MKL's among them, reset themselves in the child (`__kmp_register_atfork`).
///   That of GCC, `libgomp`, does not.
/// - numexpr compares process ids before each evaluation, and starts its pool anew in a child.
const FORK_AWARE_LIBRARIES: [&str; 7] =
    ["libscipy_openblas", "libopenblas", "libmkl_", "libiomp5", "libomp.", "libomp-", "numexpr/interpreter."];

/// Names of threads that survive a fork, whatever library they are linked into.
///
/// - jemalloc takes its locks before a fork, and works without its background thread after it
///   (`background_thread_postfork_child`).
/// - polars has a thread delete the files of queries that did not fit into memory (`polars-ooc-cleaner`). A child leaves
///   them to the next process that imports polars, which looks for those of dead processes.
const FORK_AWARE_THREADS: [&str; 2] = ["jemalloc_bg_thd", "polars-ooc-clea"];

/// Beginnings of the file names of the runtimes of C and C++: a thread that only they know of was started by other code.
const RUNTIMES: [&str; 8] =
    ["ld-linux", "ld-musl", "libc++", "libc-", "libc.", "libgcc_s", "libpthread", "libstdc++"];

/// The threads among `appeared` that a fork would lose, as people know them. Those of the interpreter, which reports them
/// itself, are not among them.
pub(crate) fn lost_in_a_fork(appeared: &[Task]) -> Vec<NativeThread> {
    appeared
        .iter()
        .map(|task| (task, owner(task)))
        .filter(|(task, owner)| !survives(&task.name, *owner) && !owner.is_some_and(is_interpreter))
        .map(|(task, owner)| NativeThread { name: task.name.clone(), library: owner.map(short_name) })
        .collect()
}

/// The library that started a thread: of those with code on its stack, the outermost that is not part of the runtime.
fn owner(task: &Task) -> Option<&Path> {
    task.libraries.iter().map(AsRef::as_ref).find(|library| !starts_with_any(file_name(library), &RUNTIMES))
}

fn survives(thread: &str, owner: Option<&Path>) -> bool {
    FORK_AWARE_THREADS.contains(&thread)
        || owner.is_some_and(|owner| starts_with_any(&short_name(owner), &FORK_AWARE_LIBRARIES))
}

/// Whether a file is that of a Python interpreter, such as `python3.13` or `libpython3.13.so.1.0`.
fn is_interpreter(file: &Path) -> bool {
    let name = file_name(file);
    let version = name
        .strip_prefix("python")
        .map(|rest| rest.trim_end_matches(|end: char| end.is_ascii_digit() || end == '.'));
    version == Some("") || name.starts_with("libpython")
}

fn starts_with_any(name: &str, beginnings: &[&str]) -> bool {
    beginnings.iter().any(|beginning| name.starts_with(beginning))
}

fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// A shared library by its file name; an extension module, which may be called anything, with its folder.
fn short_name(library: &Path) -> String {
    let name = file_name(library);
    let folder = library.parent().map(file_name).filter(|_| !name.starts_with("lib"));
    folder.map_or_else(|| name.to_owned(), |folder| format!("{folder}/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(name: &str, libraries: &[&str]) -> Task {
        Task { name: name.to_owned(), runs: false, libraries: libraries.iter().map(Into::into).collect() }
    }

    fn lost(name: &str, libraries: &[&str]) -> Option<String> {
        let lost = lost_in_a_fork(&[task(name, libraries)]);
        lost.first().map(|thread| thread.library.clone().unwrap_or_else(|| format!("thread {}", thread.name)))
    }

    #[test]
    fn pools_that_know_of_forks_survive_them() {
        let libc = "/usr/lib/libc.so.6";
        for library in [
            "/env/numpy.libs/libscipy_openblas64_-4b78795a.so",
            "/usr/lib/x86_64-linux-gnu/openblas-pthread/libopenblasp-r0.3.21.so",
            "/opt/conda/lib/libmkl_intel_thread.so.2",
            "/opt/conda/lib/libiomp5.so",
            "/env/lib/libomp-a34b3233.so.5.0.0",
            "/env/numexpr/interpreter.cpython-313-x86_64-linux-gnu.so",
        ] {
            assert_eq!(lost("python", &[libc, library]), None, "{library}");
        }
        assert_eq!(lost("jemalloc_bg_thd", &["/env/pyarrow/libarrow.so.2600"]), None);
        assert_eq!(lost("polars-ooc-clea", &["/env/_polars_runtime_32/_polars_runtime.abi3.so"]), None);
    }

    #[test]
    fn other_threads_are_lost_and_the_library_that_started_them_is_named() {
        let calls_openblas = ["/usr/lib/libc.so.6", "/env/libfoo.so.2", "/env/libopenblas.so"];
        assert_eq!(lost("worker", &calls_openblas), Some("libfoo.so.2".to_owned()));
        let started_by_runtime = ["/usr/lib/libstdc++.so.6", "/env/pool/_engine.abi3.so"];
        assert_eq!(lost("worker", &started_by_runtime), Some("pool/_engine.abi3.so".to_owned()));
        assert_eq!(lost("python", &["/env/other/interpreter.so"]), Some("other/interpreter.so".to_owned()));
        assert_eq!(lost("python", &["/usr/lib/libgomp.so.1.0.0"]), Some("libgomp.so.1.0.0".to_owned()));
        assert_eq!(lost("worker", &["/usr/lib/libc.so.6"]), Some("thread worker".to_owned()));
        assert_eq!(
            lost("polars-1", &["/env/_polars_runtime.abi3.so"]),
            Some("env/_polars_runtime.abi3.so".to_owned())
        );
        assert_eq!(
            lost("python", &["/env/pythonic.so", "/usr/bin/python3.13"]),
            Some("env/pythonic.so".to_owned())
        );
        assert_eq!(lost_in_a_fork(&[]), []);
    }

    #[test]
    fn the_interpreter_reports_its_own_threads() {
        for program in ["/usr/bin/python3.13", "/env/bin/python", "/usr/lib/libpython3.13.so.1.0"] {
            assert_eq!(lost("python", &["/usr/lib/libc.so.6", program, "/env/numpy/_core.so"]), None);
        }
    }
}
