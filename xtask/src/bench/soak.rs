//! Whether many runs in one environment leave something behind.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::environment::Environment;
use crate::progress::Progress;
use crate::python;
use crate::wheel;
use crate::workspace::Workspace;

/// How long to soak.
#[derive(Args)]
pub(crate) struct Options {
    /// How many runs
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(200..))]
    runs: u32,
}

/// `cargo xtask bench soak`
pub(crate) fn run(workspace: &Workspace, progress: &Progress, options: &Options) -> Result<()> {
    let pythons = python::discover(progress)?;
    let python = pythons.last().context("no Python found")?;
    let wheel = wheel::build(workspace, progress, &pythons, wheel::Optimized::Fully)?;
    let environment = Environment::ensure(workspace, progress, python, "soak", &[])?;
    environment.install_wheel(progress, &wheel)?;
    progress.headline(&format!("{} runs, python {}", options.runs, python.version));
    let status = Command::new(environment.python())
        .arg(workspace.path("xtask/bench/soak.py"))
        .arg(options.runs.to_string())
        .status()
        .context("cannot start the soak")?;
    ensure!(status.success(), "something has grown");
    Ok(())
}
