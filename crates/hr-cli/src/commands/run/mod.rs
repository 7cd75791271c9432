//! `hr run`: a program that is restarted from a warm template whenever its source changes.

mod arguments;

use std::process::ExitCode;

use anyhow::Context as _;

pub(crate) use self::arguments::Run;
use crate::program;

/// Runs the program until it or the user ends.
pub(crate) fn run(arguments: &Run) -> anyhow::Result<ExitCode> {
    let interpreter = arguments.subject.interpreter()?;
    let here = std::env::current_dir().context("the current directory cannot be told")?;
    let command = program::understand(&arguments.words, arguments.module, &interpreter, &here)
        .map_err(|error| anyhow::Error::msg(format!("hint: {}", error.hint())).context(error))?;
    anyhow::bail!("not built yet: {command:?} {arguments:?}")
}
