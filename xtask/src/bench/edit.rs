//! From a save to the first statement of the edited module, in a program that ends at once.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;

use super::reload;
use super::statistics::load;
use crate::progress::Progress;
use crate::workspace::Workspace;

/// How to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// How often a module at each place is edited
    #[arg(long, value_name = "NUMBER", default_value_t = 10, value_parser = clap::value_parser!(u32).range(2..))]
    rounds: u32,
    /// How many times as large as usual, 288 modules, the project is to be
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    times: u32,
}

/// `cargo xtask bench edit`
pub(crate) fn run(workspace: &Workspace, progress: &Progress, options: &Options) -> Result<()> {
    let environment = reload::environment(workspace, progress)?;
    let before = load()?;
    let status = Command::new(environment.python())
        .arg(workspace.path("xtask/bench/reload/executed.py"))
        .args([options.rounds, options.times].map(|number| number.to_string()))
        .status()
        .context("cannot start Python")?;
    ensure!(status.success(), "the measuring program failed");
    anstream::println!("\nload average before: {before}; after: {}", load()?);
    Ok(())
}
