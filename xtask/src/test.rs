//! Everything that must hold: lint, the Rust tests, the Python tests and the scenarios.

use std::io::{IsTerminal as _, Write as _};
use std::thread;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::cargo::cargo;
use crate::environment::Environment;
use crate::lint;
use crate::process;
use crate::progress::Progress;
use crate::pytest::{self, Selection};
use crate::python::{self, Python};
use crate::wheel;
use crate::workspace::Workspace;

/// How to run the tests.
#[derive(Args)]
pub(crate) struct Options {
    /// Python tests only in this minor version, for example 3.12
    #[arg(long, value_name = "VERSION")]
    python: Option<String>,
}

/// `cargo xtask test`. Every part runs even if an earlier one failed; the closing lines of all come last.
pub(crate) fn run(workspace: &Workspace, progress: &Progress, options: &Options) -> Result<()> {
    let pythons = python::for_tests(progress, options.python.as_deref())?;
    thread::scope(|scope| {
        // Installing waits for the network, and leaves most of a machine to the compiler.
        scope.spawn(|| make_environments(workspace, &pythons));
        check(workspace, progress, &pythons)
    })
}

/// Makes the environments in the order in which they come to be needed. One that cannot be made is tried once more,
/// and complained about, by whoever needs it.
fn make_environments(workspace: &Workspace, pythons: &[Python]) -> Result<()> {
    let silent = Progress::silent();
    let newest = pythons.last().context("no Python found")?;
    lint::environment(workspace, &silent, newest)?;
    pytest::environment(workspace, &silent, newest)?;
    realapp(workspace, &silent, newest)?;
    wheel::environment(workspace, &silent, newest)?;
    for python in pythons {
        pytest::environment(workspace, &silent, python)?;
    }
    Ok(())
}

fn check(workspace: &Workspace, progress: &Progress, pythons: &[Python]) -> Result<()> {
    let mut failures = Vec::new();
    let mut closing = Vec::new();
    if let Err(error) = lint::check(workspace, progress, pythons) {
        failures.push(format!("{error:#}"));
    }
    let rust = rust_tests(workspace, progress, pythons)?;
    closing.extend(rust.kept);
    failures.extend(rust.failure);
    match wheel::build(workspace, progress, pythons, wheel::Optimized::Quickly) {
        Ok(wheel) => {
            for selection in [Selection::Rest, Selection::EndToEnd] {
                let verdict = pytest::run(workspace, progress, pythons, &wheel, selection, &[])?;
                closing.extend(verdict.closing);
                failures.extend(verdict.failures);
            }
        }
        Err(error) => failures.push(format!("{error:#}")),
    }
    let mut stdout = anstream::stdout();
    for line in &closing {
        writeln!(stdout, "{line}").context("writing to stdout")?;
    }
    if !failures.is_empty() {
        bail!("{}", failures.join("\n"));
    }
    progress.note("all tests passed");
    Ok(())
}

/// The newest Python, with the packages that a real application needs, is what the scanner is compared with.
fn rust_tests(workspace: &Workspace, progress: &Progress, pythons: &[Python]) -> Result<process::Outcome> {
    let python = pythons.last().context("no Python found")?;
    let realapp = realapp(workspace, progress, python)?;
    progress.headline("cargo test");
    let mut command = cargo(workspace, "test");
    command
        .args(["--workspace", "--locked", "--no-fail-fast", "--quiet"])
        .env("HR_TEST_PYTHON", realapp.python())
        .env("HR_TEST_TREES", realapp.site_packages());
    if std::io::stdout().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    process::open(&mut command, |line| line.starts_with("test result:"))
}

/// The environment of `fixtures/realapp`.
fn realapp(workspace: &Workspace, progress: &Progress, python: &Python) -> Result<Environment> {
    let requirements = [workspace.path("fixtures/realapp/requirements.txt")];
    Environment::ensure(workspace, progress, python, "realapp", &requirements)
}
