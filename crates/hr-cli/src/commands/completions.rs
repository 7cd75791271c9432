//! `hr completions`: what shells complete.

use std::process::ExitCode;

use clap::Args;
use clap_complete::Shell;

use crate::analysis::print;

/// What follows the options in `--help`.
const MORE: &str = "\
Examples:
  hr completions bash > ~/.local/share/bash-completion/completions/hr
  hr completions zsh > ~/.zfunc/_hr          with fpath+=(~/.zfunc) before compinit in ~/.zshrc
  hr completions fish > ~/.config/fish/completions/hr.fish

Exit codes:
  0  printed
  2  there is no such shell";

/// Print a script that lets a shell complete hr's commands and options.
#[derive(Debug, Args)]
#[command(after_long_help = MORE)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script.
pub(crate) fn run(arguments: &Completions) -> anyhow::Result<ExitCode> {
    print(&script(arguments.shell)?)?;
    Ok(ExitCode::SUCCESS)
}

fn script(shell: Shell) -> anyhow::Result<String> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut crate::command(), "hr", &mut script);
    Ok(String::from_utf8(script)?)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn every_shell_learns_the_commands_and_their_options() {
        for shell in Shell::value_variants() {
            let script = script(*shell).unwrap();
            for word in ["run", "imports", "doctor", "no-reload", "env-file"] {
                assert!(script.contains(word), "{shell} does not complete {word}");
            }
        }
    }
}
