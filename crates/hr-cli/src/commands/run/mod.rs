//! `hr run`: a program that stays up to date.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use hr_forkserver::protocol;

use crate::program::CommandLine;
use crate::session::{self, Format, Options, Verbosity};
use crate::{client, interpreter};

/// Run a program
#[derive(Debug, Args)]
pub(crate) struct Run {
    #[arg(long)]
    no_reload: bool,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    words: Vec<std::ffi::OsString>,
}

pub(crate) fn run(arguments: &Run) -> anyhow::Result<ExitCode> {
    let here = std::env::current_dir()?;
    let mut interpreter = interpreter::find(None, None)?;
    let script = &arguments.words[0];
    let command = CommandLine {
        program: protocol::Program::Script(script.clone()),
        argv: arguments.words.clone(),
        first_on_path: Some(here),
        modules: vec![],
        target: protocol::Target::Path(".".into()),
        name: script.to_string_lossy().into_owned(),
        notices: vec![],
        environment: vec![],
    };
    if let (Some(directory), false) = (&command.first_on_path, interpreter::is_path_safe(&interpreter)) {
        interpreter.sys_path.splice(..1, [directory.clone()]);
    }
    let target = client::target_interpreter(&interpreter, command.argv.clone())
        .map_err(|error| anyhow::Error::msg(error.hint()).context(error))?;
    let (major, minor) = interpreter.version;
    session::run(Options {
        command,
        interpreter: target,
        python: format!("python {major}.{minor}"),
        environment: vec![],
        reload: !arguments.no_reload,
        grace: Duration::from_secs(2),
        verbosity: Verbosity::Normal,
        format: Format::Text,
    })
}
