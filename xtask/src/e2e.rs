//! The scenarios and the README's example, from the built wheel, in every interpreter found.

use anyhow::{Result, bail};
use clap::Args;

use crate::progress::Progress;
use crate::pytest::{self, Selection};
use crate::python;
use crate::wheel;
use crate::workspace::Workspace;

/// How to run the scenarios.
#[derive(Args)]
pub(crate) struct Options {
    /// Only in this minor version, for example 3.12
    #[arg(long, value_name = "VERSION")]
    python: Option<String>,
    /// Handed to pytest, for example `-k edit`
    #[arg(last = true)]
    pytest: Vec<String>,
}

/// `cargo xtask e2e`
pub(crate) fn run(workspace: &Workspace, progress: &Progress, options: &Options) -> Result<()> {
    let pythons = python::for_tests(progress, options.python.as_deref())?;
    let wheel = wheel::build(workspace, progress, &pythons, wheel::Optimized::Quickly)?;
    let verdict = pytest::run(workspace, progress, &pythons, &wheel, Selection::EndToEnd, &options.pytest)?;
    for line in &verdict.closing {
        progress.note(line);
    }
    if verdict.failures.is_empty() { Ok(()) } else { bail!("{}", verdict.failures.join("\n")) }
}
