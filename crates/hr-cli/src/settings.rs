//! The settings of the project around a directory, for commands that act on them: what is wrong with them ends such a command.

use std::path::Path;

use hr_graph::{ProjectSettings, Settings};
use thiserror::Error;

/// Settings that are not understood.
#[derive(Debug, PartialEq, Eq, Error)]
#[error("{}", problems.join("\n    "))]
pub(crate) struct WrongSettings {
    /// One line each: the place, the key, and the nearest key there is.
    problems: Vec<String>,
}

impl WrongSettings {
    /// What to do about it.
    #[expect(clippy::unused_self, reason = "as the other errors of commands have it")]
    pub(crate) fn hint(&self) -> &'static str {
        "correct [tool.hotreload] in pyproject.toml"
    }
}

/// Reads the settings of the project that `here` lies in.
pub(crate) fn read(here: &Path) -> Result<ProjectSettings, WrongSettings> {
    let found = Settings::near(here);
    if found.problems.is_empty() {
        return Ok(found);
    }
    let line = |problem: &hr_graph::Problem| {
        let file = found.root.join(&problem.file);
        let file = file.strip_prefix(here).unwrap_or(&file).display();
        format!("{file}:{}:{} {}", problem.line, problem.column, problem.message)
    };
    Err(WrongSettings { problems: found.problems.iter().map(line).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_do_not_exist_are_refused_with_the_nearest() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pyproject.toml");
        std::fs::write(&file, "[tool.hotreload]\ngrase = 1\nwatch = 3\n").unwrap();
        let error = read(directory.path()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "pyproject.toml:2:1 tool.hotreload has no key \"grase\"; did you mean \"grace\"?\n    \
             pyproject.toml:3:9 tool.hotreload.watch: expected a list of globs, found 3"
        );
        std::fs::write(&file, "[tool.hotreload]\ngrace = 1\n").unwrap();
        assert_eq!(read(directory.path()).unwrap().root, directory.path());
    }
}
