//! The `hr` command: a warm template for a Python project, and the processes forked from it.
//!
//! `hr-graph` decides what a template holds; `hr-forkserver` owns the processes; this crate joins the two in a
//! supervisor: one event type, one loop.

mod analysis;
mod client;
mod commands;
mod env_file;
mod filesystems;
mod interpreter;
mod private_memory;
mod program;
mod session;
mod settings;
mod supervisor;
mod sys;
mod watcher;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

/// What follows the commands in `--help`.
const MORE: &str = "\
Examples:
  hr run uvicorn mypackage.web:app   start what you would start by hand, and keep it up to date
  hr imports                         what a template of this project would import
  hr why numpy                       who imports it
  hr doctor                          what imports cost, and what would help

Exit codes:
  0  done
  1  hr verify: a run differs from a fresh process
  2  the command line, the settings, the project or the interpreter are of no use; the message says what to do

`hr run` exits as `hr run --help` tells. Settings are in [tool.hotreload] of the project's pyproject.toml.";

/// Start Python programs with their imports already done.
#[derive(Debug, Parser)]
#[command(name = "hr", version, max_term_width = 100, after_help = MORE)]
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
    Status(commands::status::Status),
    Completions(commands::completions::Completions),
    Man(commands::man::Man),
}

/// The whole command line, for what describes it.
fn command() -> clap::Command {
    Cli::command()
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
        Command::Status(arguments) => commands::status::run(&arguments),
        Command::Completions(arguments) => commands::completions::run(&arguments),
        Command::Man(arguments) => commands::man::run(&arguments),
    };
    result.unwrap_or_else(|error| {
        supervisor::voice::error(&error);
        ExitCode::from(2)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn every_command_is_explained_with_examples() {
        for command in command().get_subcommands().filter(|command| !command.is_hide_set()) {
            let mut command = command.clone();
            let (name, help) = (command.get_name().to_owned(), command.render_long_help().to_string());
            for part in [format!("  hr {name}"), "Examples:".to_owned(), "Exit codes:".to_owned()] {
                assert!(help.contains(&part), "hr {name} --help lacks {part:?}:\n{help}");
            }
        }
    }
}
