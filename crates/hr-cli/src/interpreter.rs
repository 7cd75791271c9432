//! Finds the Python interpreter that a command works for.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use hr_graph::Interpreter;

/// Asks the interpreter that the user means: `--python`, the active virtual environment, a `.venv` at or above the
/// current directory, `python3` on the `PATH`; the first of them that there is.
pub(crate) fn find(python: Option<&Path>, cache: Option<&Path>) -> anyhow::Result<Interpreter> {
    let hint = "hint: name an interpreter with --python, or activate a virtual environment";
    let candidate = python
        .map(|python| on_path(python).unwrap_or_else(|| python.to_owned()))
        .or_else(|| env::var_os("VIRTUAL_ENV").and_then(|directory| inside(Path::new(&directory))))
        .or_else(|| env::current_dir().ok()?.ancestors().find_map(|above| inside(&above.join(".venv"))))
        .or_else(|| ["python3", "python"].into_iter().find_map(|name| on_path(Path::new(name))));
    let executable = candidate.context(hint).context("no Python interpreter found")?;
    let mut interpreter = match cache {
        Some(cache) => Interpreter::query_cached(&executable, cache),
        None => Interpreter::query(&executable),
    }
    .context(hint)
    .with_context(|| format!("{} is of no use as a Python interpreter", executable.display()))?;
    if !is_path_safe(&interpreter) {
        // What `python -m` would put first.
        interpreter.sys_path.insert(0, env::current_dir().context("the current directory cannot be told")?);
    }
    Ok(interpreter)
}

/// Whether Python is told not to search the directory first that a program is started from.
pub(crate) fn is_path_safe(interpreter: &Interpreter) -> bool {
    interpreter.version >= (3, 11) && env::var_os("PYTHONSAFEPATH").is_some_and(|value| !value.is_empty())
}

/// The interpreter of a virtual environment.
fn inside(environment: &Path) -> Option<PathBuf> {
    ["bin/python", "Scripts/python.exe"]
        .into_iter()
        .map(|executable| environment.join(executable))
        .find(|executable| executable.is_file())
}

/// A command by its name alone, as a shell would find it.
fn on_path(name: &Path) -> Option<PathBuf> {
    if name.components().count() > 1 {
        return None;
    }
    env::split_paths(&env::var_os("PATH")?).map(|directory| directory.join(name)).find(|file| file.is_file())
}
