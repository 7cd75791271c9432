//! Finds the Python interpreter that a command works for.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use hr_graph::{Interpreter, Settings};

/// An interpreter, and what led to it.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) interpreter: Interpreter,
    /// A short text: `.venv`, `/usr/bin/python3`.
    pub(crate) origin: String,
}

impl Found {
    /// What it is and where it was found: `python 3.12 (.venv)`.
    pub(crate) fn describe(&self) -> String {
        let (major, minor) = self.interpreter.version;
        format!("python {major}.{minor} ({})", self.origin)
    }
}

/// Asks the interpreter that the user means: `--python`, `python` of the project's settings, the active virtual environment,
/// the one that `$UV_PROJECT_ENVIRONMENT` names, a `.venv` at or above the current directory, `python3` on the `PATH`; the
/// first of them that there is.
pub(crate) fn find(python: Option<&Path>, cache: Option<&Path>) -> anyhow::Result<Found> {
    let hint = "hint: name an interpreter with --python, or activate a virtual environment";
    let here = env::current_dir().context("the current directory cannot be told")?;
    let search = Search { here: &here, variables: &|name| env::var_os(name) };
    let (executable, origin) =
        search.candidate(python).context(hint).context("no Python interpreter found")?;
    let mut interpreter = match cache {
        Some(cache) => Interpreter::query_cached(&executable, cache),
        None => Interpreter::query(&executable),
    }
    .context(hint)
    .with_context(|| format!("{} is of no use as a Python interpreter", executable.display()))?;
    if !is_path_safe(&interpreter) {
        // What `python -m` would put first.
        interpreter.sys_path.insert(0, here);
    }
    Ok(Found { interpreter, origin })
}

/// Whether Python is told not to search the directory first that a program is started from.
pub(crate) fn is_path_safe(interpreter: &Interpreter) -> bool {
    interpreter.version >= (3, 11) && env::var_os("PYTHONSAFEPATH").is_some_and(|value| !value.is_empty())
}

/// Where interpreters are looked for.
struct Search<'s> {
    here: &'s Path,
    variables: &'s dyn Fn(&str) -> Option<OsString>,
}

impl Search<'_> {
    /// The executable, and in short what led to it.
    fn candidate(&self, python: Option<&Path>) -> Option<(PathBuf, String)> {
        if let Some(python) = python {
            let executable = self.named(python, Path::new(""));
            let origin = executable.display().to_string();
            return Some((executable, origin));
        }
        self.set_by_the_project()
            .or_else(|| self.active())
            .or_else(|| self.above(Path::new(&(self.variables)("UV_PROJECT_ENVIRONMENT")?)))
            .or_else(|| self.above(Path::new(".venv")))
            .or_else(|| {
                let executable =
                    ["python3", "python"].iter().find_map(|name| self.on_path(Path::new(name)))?;
                let origin = executable.display().to_string();
                Some((executable, origin))
            })
    }

    fn active(&self) -> Option<(PathBuf, String)> {
        let directory = PathBuf::from((self.variables)("VIRTUAL_ENV")?);
        Some((inside(&directory)?, self.shown(&directory)))
    }

    /// An environment whose path is relative to this directory or one above it, or absolute.
    fn above(&self, environment: &Path) -> Option<(PathBuf, String)> {
        // An empty name would stand for the directories themselves.
        environment.file_name()?;
        self.here.ancestors().find_map(|above| {
            let directory = above.join(environment);
            Some((inside(&directory)?, self.shown(&directory)))
        })
    }

    fn set_by_the_project(&self) -> Option<(PathBuf, String)> {
        let project = Settings::near(self.here);
        let executable = self.named(Path::new(project.settings.python.as_deref()?), &project.root);
        Some((executable, "tool.hotreload.python".to_owned()))
    }

    /// What a user calls an interpreter: a version, a command, a file, or an environment's directory.
    fn named(&self, python: &Path, base: &Path) -> PathBuf {
        let text = python.to_string_lossy();
        let is_version = text.starts_with(|first: char| first.is_ascii_digit())
            && text.chars().all(|c| c == '.' || c.is_ascii_digit());
        let command = if is_version { PathBuf::from(format!("python{text}")) } else { python.to_owned() };
        let path = base.join(python);
        self.on_path(&command).or_else(|| inside(&path)).unwrap_or(if is_version { command } else { path })
    }

    /// A command by its name alone, as a shell would find it.
    fn on_path(&self, name: &Path) -> Option<PathBuf> {
        if name.components().count() > 1 {
            return None;
        }
        let path = (self.variables)("PATH")?;
        env::split_paths(&path).map(|directory| directory.join(name)).find(|file| file.is_file())
    }

    /// A directory relative to this one, if it lies in it.
    fn shown(&self, directory: &Path) -> String {
        directory.strip_prefix(self.here).unwrap_or(directory).display().to_string()
    }
}

/// The interpreter of a virtual environment.
fn inside(environment: &Path) -> Option<PathBuf> {
    ["bin/python", "Scripts/python.exe"]
        .into_iter()
        .map(|executable| environment.join(executable))
        .find(|executable| executable.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found from `project/inner` with all of these files, and these variables whose values are relative.
    fn found(files: &[&str], variables: &[(&str, &str)], python: Option<&str>) -> (String, String) {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let here = root.join("project/inner");
        std::fs::create_dir_all(&here).unwrap();
        for file in files {
            let (file, text) = file.split_once('|').unwrap_or((file, ""));
            let file = root.join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        let variable = |name: &str| -> Option<OsString> {
            let (_, value) = variables.iter().find(|(known, _)| *known == name)?;
            Some(value.strip_prefix("…/").map_or(value.into(), |inner| root.join(inner).into_os_string()))
        };
        let search = Search { here: &here, variables: &variable };
        let (executable, origin) = search.candidate(python.map(Path::new)).unwrap();
        let shorten = |text: String| text.replace(&root.display().to_string(), "…");
        (shorten(executable.display().to_string()), shorten(origin))
    }

    const ACTIVE: (&str, &str) = ("VIRTUAL_ENV", "…/active");
    const UV: (&str, &str) = ("UV_PROJECT_ENVIRONMENT", "envs/dev");
    const PATH: (&str, &str) = ("PATH", "…/bin");
    const FILES: &[&str] = &[
        "active/bin/python",
        "project/.venv/bin/python",
        "project/envs/dev/bin/python",
        "project/pyproject.toml|tool.hotreload.python = '3.9'",
        "bin/python3.9",
        "bin/python3",
        "bin/python",
    ];

    #[test]
    fn the_first_that_there_is_is_taken() {
        let without = |absent: &[&str]| -> Vec<&str> {
            FILES.iter().copied().filter(|file| !absent.iter().any(|name| file.starts_with(name))).collect()
        };
        let all = [ACTIVE, UV, PATH];
        let expect = |absent: &[&str], executable: &str, origin: &str| {
            let expected = (format!("…/{executable}"), origin.to_owned());
            assert_eq!(found(&without(absent), &all, None), expected, "{absent:?}");
        };
        expect(&[], "bin/python3.9", "tool.hotreload.python");
        expect(&["project/pyproject"], "active/bin/python", "…/active");
        let none = ["project/pyproject", "active"];
        expect(&none, "project/envs/dev/bin/python", "…/project/envs/dev");
        let none = ["project/pyproject", "active", "project/envs"];
        expect(&none, "project/.venv/bin/python", "…/project/.venv");
        let none = ["project/pyproject", "active", "project/envs", "project/.venv"];
        expect(&none, "bin/python3", "…/bin/python3");
    }

    #[test]
    fn an_environment_in_this_directory_is_called_by_its_name() {
        let (_, origin) = found(&["project/inner/.venv/bin/python"], &[PATH], None);
        assert_eq!(origin, ".venv");
    }

    #[test]
    fn an_interpreter_is_called_in_many_ways() {
        let expect = |name: &str, executable: &str| {
            assert_eq!(found(FILES, &[ACTIVE, PATH], Some(name)).0, executable, "{name}");
        };
        expect("3.9", "…/bin/python3.9");
        expect("python3", "…/bin/python3");
        expect("3.8", "python3.8");
        expect("./some/python", "./some/python");
    }

    #[test]
    fn an_environment_stands_for_its_interpreter() {
        let mut files = FILES.to_vec();
        files[3] = "project/pyproject.toml|tool.hotreload.python = 'envs/other'";
        files.push("project/envs/other/bin/python");
        files.retain(|file| !file.starts_with("project/.venv"));
        assert_eq!(found(&files, &[PATH], None).0, "…/project/envs/other/bin/python");
    }
}
