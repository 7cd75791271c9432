//! Formatting, lints and types of both languages, and the rules between crates. Every check runs, so that one call
//! shows all there is to mend.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use crate::cargo::cargo;
use crate::crate_rules;
use crate::environment::Environment;
use crate::process;
use crate::progress::Progress;
use crate::pytest;
use crate::python::{self, Python};
use crate::workspace::Workspace;

/// What tasks do with Python of more than one file, which is type-checked therefore.
const PROGRAMS: [&str; 3] = ["xtask/bench/fork", "xtask/bench/reload", "xtask/equivalence"];

/// `cargo xtask lint`
pub(crate) fn run(workspace: &Workspace, progress: &Progress) -> Result<()> {
    let pythons = python::discover(progress)?;
    check(workspace, progress, &pythons)
}

/// Runs every check, and fails if one of them did.
pub(crate) fn check(workspace: &Workspace, progress: &Progress, pythons: &[Python]) -> Result<()> {
    let Some(newest) = pythons.last() else { bail!("at least one Python is needed for its linters") };
    let tools = environment(workspace, progress, newest)?;
    let mut failed = Vec::new();
    let mut check = |name: &str, work: &dyn Fn() -> Result<()>| {
        if let Err(error) = progress.step(name, work) {
            progress.error(&error);
            failed.push(name.to_owned());
        }
    };
    check("rustfmt", &|| quiet(cargo(workspace, "fmt").args(["--all", "--check"])));
    check("clippy", &|| quiet(&mut clippy(workspace)));
    check("crate dependencies", &|| crate_rules::check_dependencies(workspace));
    check("unsafe code", &|| crate_rules::check_unsafe_code(workspace));
    check("ruff check", &|| {
        quiet(ruff(workspace, &tools, &["check", "--quiet"]).args(python_sources(workspace)))
    });
    check("ruff format", &|| {
        quiet(ruff(workspace, &tools, &["format", "--check", "--quiet"]).args(python_sources(workspace)))
    });
    // The type checker reads the annotations of what the tests import.
    let tested = pytest::environment(workspace, progress, newest)?;
    check("mypy", &|| quiet(&mut mypy(workspace, &tools, &tested)));
    if failed.is_empty() { Ok(()) } else { bail!("lint failed: {}", failed.join(", ")) }
}

/// The environment of the linters.
pub(crate) fn environment(
    workspace: &Workspace,
    progress: &Progress,
    python: &Python,
) -> Result<Environment> {
    Environment::ensure(workspace, progress, python, "lint", &[workspace.requirements("lint")])
}

fn quiet(command: &mut Command) -> Result<()> {
    process::quiet(command).map(drop)
}

fn clippy(workspace: &Workspace) -> Command {
    let mut command = cargo(workspace, "clippy");
    command.args(["--workspace", "--all-targets", "--locked", "--quiet", "--", "-D", "warnings"]);
    command
}

fn ruff(workspace: &Workspace, tools: &Environment, arguments: &[&str]) -> Command {
    let mut command = Command::new(tools.program("ruff"));
    let configuration = workspace.python_project().join("pyproject.toml");
    command.current_dir(workspace.root()).args(arguments).arg("--config").arg(configuration);
    command
}

/// All Python of the repository. Scenario trees hold broken files on purpose; the configuration leaves them out.
fn python_sources(workspace: &Workspace) -> Vec<PathBuf> {
    let folders =
        ["crates/hr-py/python", "crates/hr-py/tests", "fixtures", "xtask/bench", "xtask/equivalence"];
    folders.iter().map(|folder| workspace.path(folder)).collect()
}

fn mypy(workspace: &Workspace, tools: &Environment, tested: &Environment) -> Command {
    let mut command = Command::new(tools.program("mypy"));
    command
        .current_dir(workspace.python_project())
        .args(["--strict", "--cache-dir"])
        .arg(workspace.state().join("mypy"))
        .arg("--python-executable")
        .arg(tested.python())
        .args(["python", "tests"])
        .args(PROGRAMS.map(|folder| workspace.path(folder)));
    command
}
