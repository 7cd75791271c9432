//! `hr run`: a program that is restarted from a warm template whenever its source changes.

mod arguments;

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;

use self::arguments::LogFormat;
pub(crate) use self::arguments::Run;
use crate::session::{self, Format, Options, Verbosity};
use crate::watcher::Selection;
use crate::{client, interpreter, program};

/// How long a program may take to end unless the user says otherwise.
const GRACE: Duration = Duration::from_secs(2);

/// Runs the program until it or the user ends.
pub(crate) fn run(arguments: &Run) -> anyhow::Result<ExitCode> {
    let mut interpreter = arguments.subject.interpreter()?;
    let here = env::current_dir().context("the current directory cannot be told")?;
    let command = program::understand(&arguments.words, arguments.module, &interpreter, &here)
        .map_err(|error| anyhow::Error::msg(format!("hint: {}", error.hint())).context(error))?;
    if let (Some(directory), false) = (&command.first_on_path, interpreter::is_path_safe(&interpreter)) {
        interpreter.sys_path.splice(..1, [directory.clone()]);
    }
    let target = client::target_interpreter(&interpreter, command.argv.clone())
        .map_err(|error| anyhow::Error::msg(error.hint()).context(error))?;
    let (major, minor) = interpreter.version;
    session::run(&Options {
        command,
        interpreter: target,
        python: format!("python {major}.{minor}"),
        globs: Selection::new(&here, &arguments.watch, &arguments.ignore)?,
        env_files: Vec::new(),
        reload: !arguments.no_reload,
        grace: arguments.grace.unwrap_or(GRACE),
        verbosity: verbosity(arguments),
        format: match arguments.log_format {
            LogFormat::Text => Format::Text,
            LogFormat::Json => Format::Json,
        },
    })
}

fn verbosity(arguments: &Run) -> Verbosity {
    match (arguments.quiet, arguments.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Verbose,
        _ => Verbosity::Normal,
    }
}
