//! hotreload at work on real packages: sets everything up, walks through the README's example, and times an
//! application in a plain Python and under hotreload.

mod copy;
mod figures;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::demo::figures::{Figures, Measured};
use crate::environment::Environment;
use crate::process;
use crate::progress::Progress;
use crate::python::{self, Python};
use crate::wheel;
use crate::workspace::Workspace;

/// Cold starts that are timed; their median is shown.
const COLD_STARTS: usize = 3;

/// Would keep Python from storing compiled modules, which every ordinary start relies on.
const NO_BYTECODE: &str = "PYTHONDONTWRITEBYTECODE";

/// How to run the demo.
#[derive(Args)]
pub(crate) struct Options {
    /// Use this minor version instead of the newest found, for example 3.12
    #[arg(long, value_name = "VERSION")]
    python: Option<String>,
}

/// `cargo xtask demo`
pub(crate) fn run(workspace: &Workspace, progress: &Progress, options: &Options) -> Result<()> {
    let pythons = python::discover(progress)?;
    let python = pick(&pythons, options.python.as_deref())?;
    let wheel = wheel::build(workspace, progress, &pythons, wheel::Optimized::Fully)?;
    let requirements = [workspace.requirements("demo"), workspace.path("fixtures/realapp/requirements.txt")];
    let environment = Environment::ensure(workspace, progress, python, "demo", &requirements)?;
    environment.install_wheel(progress, &wheel)?;
    let walkthrough = install_fixtures(workspace, progress, &environment)?;
    walk_through(progress, &environment, &walkthrough)?;
    let scratch = tempfile::tempdir().context("cannot create a temporary folder")?;
    let project = scratch.path().join("realapp");
    copy::copy_tree(&workspace.path("fixtures/realapp"), &project)?;
    let figures = measure(progress, &environment, &project)?;
    for line in figures.table().lines() {
        progress.note(line);
    }
    Ok(())
}

fn pick<'a>(pythons: &'a [Python], wanted: Option<&str>) -> Result<&'a Python> {
    match wanted {
        None => pythons.last().context("no Python found"),
        Some(wanted) => pythons
            .iter()
            .find(|python| python.minor_version() == wanted)
            .with_context(|| format!("CPython {wanted} was asked for and not found")),
    }
}

/// Installs external-package as a library, and a copy of mypackage as its developer would: editable.
fn install_fixtures(
    workspace: &Workspace,
    progress: &Progress,
    environment: &Environment,
) -> Result<PathBuf> {
    let copies = environment.folder().join("fixtures");
    let (library, package) = (copies.join("external-package"), copies.join("mypackage"));
    let changed = copy::refresh(&workspace.path("fixtures/external-package"), &library)?
        | copy::refresh(&workspace.path("fixtures/mypackage"), &package)?;
    if changed {
        progress.step("fixtures into the demo environment", || {
            let install = ["install", "--quiet", "--no-build-isolation", "--no-deps", "--force-reinstall"];
            process::quiet(environment.pip().args(install).arg(&library).arg("--editable").arg(&package))?;
            copy::confirm(&library)?;
            copy::confirm(&package)
        })?;
    }
    Ok(package)
}

fn walk_through(progress: &Progress, environment: &Environment, package: &Path) -> Result<()> {
    progress.headline("test-hotreload, the README's example on the project mypackage");
    let mut command = Command::new(environment.program("test-hotreload"));
    let outcome =
        process::open(command.arg("--edit").current_dir(package).env_remove(NO_BYTECODE), |_| false)?;
    match outcome.failure {
        Some(failure) => bail!(failure),
        None => Ok(()),
    }
}

fn measure(progress: &Progress, environment: &Environment, project: &Path) -> Result<Figures> {
    let start = || -> Result<Duration> {
        let started = Instant::now();
        let mut plain = Command::new(environment.python());
        process::quiet(plain.args(["-m", "realapp"]).current_dir(project).env_remove(NO_BYTECODE))?;
        Ok(started.elapsed())
    };
    progress.step("realapp, to warm the caches", start)?;
    let cold = progress.step("realapp in a plain Python", || {
        (0..COLD_STARTS).map(|_| start()).collect::<Result<Vec<_>>>()
    })?;
    let answer = progress.step("realapp under hotreload", || {
        let mut measured = Command::new(environment.python());
        process::quiet(measured.arg("measure.py").current_dir(project).env_remove(NO_BYTECODE))
    })?;
    let last = answer.lines().last().unwrap_or_default();
    let measured: Measured =
        serde_json::from_str(last).with_context(|| format!("measure.py printed no figures: {answer}"))?;
    Ok(Figures { cold, measured })
}
