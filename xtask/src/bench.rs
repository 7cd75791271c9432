//! Figures to compare: each benchmark prints one table, measured in one run on one machine.

mod edit;
mod fork;
mod reload;
mod scan;
mod soak;
mod statistics;

use anyhow::Result;
use clap::Subcommand;

use crate::progress::Progress;
use crate::workspace::Workspace;

/// What to measure.
#[derive(Subcommand)]
pub(crate) enum Benchmark {
    /// Finding imports: hr, ruff, grimp, deptry, Python's ast, and a bare walk with stat
    Scan(scan::Options),
    /// Runs: hotreload, a bare fork, multiprocessing's fork server, firehot, a plain import
    Fork(fork::Options),
    /// From a save to the changed answer: hr run, uvicorn-hmr, uvicorn --reload, watchfiles, hupper, Django's runserver
    Reload(reload::Options),
    /// From a save to the first statement of the edited module: hr run, and python started again
    Edit(edit::Options),
    /// What many runs in one environment leave behind: descriptors, processes, memory
    Soak(soak::Options),
}

/// `cargo xtask bench`
pub(crate) fn run(workspace: &Workspace, progress: &Progress, benchmark: &Benchmark) -> Result<()> {
    match benchmark {
        Benchmark::Edit(options) => edit::run(workspace, progress, options),
        Benchmark::Fork(options) => fork::run(workspace, progress, options),
        Benchmark::Reload(options) => reload::run(workspace, progress, options),
        Benchmark::Scan(options) => scan::run(workspace, progress, options),
        Benchmark::Soak(options) => soak::run(workspace, progress, options),
    }
}
