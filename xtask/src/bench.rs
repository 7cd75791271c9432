//! Figures to compare: each benchmark prints one table, measured in one run on one machine.

mod scan;

use anyhow::Result;
use clap::Subcommand;

use crate::progress::Progress;
use crate::workspace::Workspace;

/// What to measure.
#[derive(Subcommand)]
pub(crate) enum Benchmark {
    /// Finding imports: hr, ruff, grimp, deptry, Python's ast, and a bare walk with stat
    Scan(scan::Options),
}

/// `cargo xtask bench`
pub(crate) fn run(workspace: &Workspace, progress: &Progress, benchmark: &Benchmark) -> Result<()> {
    match benchmark {
        Benchmark::Scan(options) => scan::run(workspace, progress, options),
    }
}
