//! The `hr` command: a warm template for a Python project, and the processes forked from it.
//!
//! `hr-graph` decides what a template holds; `hr-forkserver` owns the processes; this crate joins the two in a
//! supervisor: one event type, one loop.

mod analysis;
mod client;
mod commands;
mod filesystems;
mod interpreter;
mod program;
mod session;
mod supervisor;
mod sys;
mod watcher;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Start Python programs with their imports already done.
#[derive(Debug, Parser)]
#[command(name = "hr", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(hide = true)]
    Serve(commands::serve::Serve),
    Run(commands::run::Run),
    Imports(commands::imports::Imports),
    Graph(commands::graph::Graph),
    Why(commands::why::Why),
    Doctor(commands::doctor::Doctor),
    Verify(commands::verify::Verify),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Serve(arguments) => commands::serve::run(&arguments),
        Command::Run(arguments) => commands::run::run(&arguments),
        Command::Imports(arguments) => commands::imports::run(&arguments),
        Command::Graph(arguments) => commands::graph::run(&arguments),
        Command::Why(arguments) => commands::why::run(&arguments),
        Command::Doctor(arguments) => commands::doctor::run(&arguments),
        Command::Verify(arguments) => commands::verify::run(&arguments),
    };
    result.unwrap_or_else(|error| {
        supervisor::voice::error(&error);
        ExitCode::from(2)
    })
}
