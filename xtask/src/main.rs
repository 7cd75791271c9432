//! The tasks of this repository. `cargo xtask <task>` sets up whatever the task needs below `target/`: virtual
//! environments, maturin, linters and test tools, at the versions pinned in `xtask/requirements/`.
//!
//! Talk goes to stderr; stdout carries what the tools themselves print.

mod bench;
mod cargo;
mod crate_rules;
mod demo;
mod e2e;
mod environment;
mod equivalence;
mod fingerprint;
mod lint;
mod process;
mod progress;
mod pytest;
mod python;
mod test;
mod wheel;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::progress::Progress;
use crate::workspace::Workspace;

/// Tasks of the hotreload repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Set everything up, then show hotreload at work on real third-party packages
    Demo(demo::Options),
    /// Set everything up, then run lint, the Rust tests, the Python tests and e2e
    Test(test::Options),
    /// Run the scenarios and the README's example from the built wheel, in every Python found
    E2e(e2e::Options),
    /// Edit sites at random, and compare what they answer over HTTP with what a cold start answers
    Equivalence(equivalence::Options),
    /// Measure, and print a table
    #[command(subcommand)]
    Bench(bench::Benchmark),
    /// Build the wheel below target/wheels
    Wheel,
    /// Check formatting, lints, types, and the rules between crates
    Lint,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let progress = Progress::new();
    match run(arguments.task, &progress) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress.error(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task, progress: &Progress) -> anyhow::Result<()> {
    let workspace = Workspace::find()?;
    match task {
        Task::Demo(options) => demo::run(&workspace, progress, &options),
        Task::Test(options) => test::run(&workspace, progress, &options),
        Task::E2e(options) => e2e::run(&workspace, progress, &options),
        Task::Equivalence(options) => equivalence::run(&workspace, progress, &options),
        Task::Bench(benchmark) => bench::run(&workspace, progress, &benchmark),
        Task::Wheel => wheel::run(&workspace, progress),
        Task::Lint => lint::run(&workspace, progress),
    }
}
