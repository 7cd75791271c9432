//! Python tests from the built wheel, in a virtual environment of their own for each interpreter.

use std::io::IsTerminal as _;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::environment::Environment;
use crate::process;
use crate::progress::Progress;
use crate::python::Python;
use crate::workspace::Workspace;

/// Which tests to run.
#[derive(Clone, Copy)]
pub(crate) enum Selection {
    /// The scenarios and the README's example.
    EndToEnd,
    /// All others.
    Rest,
}

/// What came of the tests in all interpreters.
#[derive(Default)]
pub(crate) struct Verdict {
    /// pytest's closing line for each interpreter.
    pub(crate) closing: Vec<String>,
    /// Which interpreters had failures.
    pub(crate) failures: Vec<String>,
}

/// Runs the selected tests in one interpreter after the other; a failure in one does not spare the rest.
pub(crate) fn run(
    workspace: &Workspace,
    progress: &Progress,
    pythons: &[Python],
    wheel: &Path,
    selection: Selection,
    extra: &[String],
) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    for python in pythons {
        let environment = environment(workspace, progress, python)?;
        environment.install_wheel(progress, wheel)?;
        let title = match selection {
            Selection::EndToEnd => format!("e2e, python {}", python.version),
            Selection::Rest => format!("python tests, python {}", python.version),
        };
        progress.headline(&title);
        let outcome =
            process::open(command(workspace, &environment, selection).args(extra), is_closing_line)?;
        verdict.closing.extend(outcome.kept.iter().map(|line| format!("{title}: {line}")));
        if let Some(failure) = outcome.failure {
            verdict.failures.push(format!("{title}: {failure}"));
        }
    }
    Ok(verdict)
}

/// The environment of the tests in one interpreter.
pub(crate) fn environment(
    workspace: &Workspace,
    progress: &Progress,
    python: &Python,
) -> Result<Environment> {
    Environment::ensure(workspace, progress, python, "test", &[workspace.requirements("test")])
}

fn command(workspace: &Workspace, environment: &Environment, selection: Selection) -> Command {
    let tests = workspace.python_project().join("tests");
    let end_to_end = tests.join("e2e");
    let mut command = Command::new(environment.python());
    // Away from the sources, so that only the installed wheel can be imported.
    command.current_dir(workspace.state()).args(["-m", "pytest", "--config-file"]);
    command.arg(workspace.python_project().join("pyproject.toml")).args(["--numprocesses", "3"]);
    if std::io::stdout().is_terminal() {
        command.arg("--color=yes");
    }
    match selection {
        Selection::EndToEnd => command.arg(end_to_end),
        Selection::Rest => command.arg("--ignore").arg(end_to_end).arg(tests),
    };
    command
}

/// `=== 12 passed, 1 skipped in 3.45s ===`
fn is_closing_line(line: &str) -> bool {
    let line = line.trim().trim_matches('=').trim();
    (line.starts_with(|first: char| first.is_ascii_digit()) || line.starts_with("no tests ran"))
        && line.contains(" in ")
        && ["passed", "failed", "error", "skipped", "no tests ran"].iter().any(|word| line.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_line_is_told_from_the_other_rules() {
        assert!(is_closing_line("===== 12 passed, 1 skipped in 3.45s ====="));
        assert!(is_closing_line("== 1 failed, 2 errors in 61.00s (0:01:01) =="));
        assert!(!is_closing_line("===== test session starts ====="));
        assert!(is_closing_line("no tests ran in 0.01s"));
        assert!(!is_closing_line("tests that passed in words"));
    }
}
