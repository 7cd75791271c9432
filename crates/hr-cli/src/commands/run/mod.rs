//! `hr run`: a program that is restarted from a warm template whenever its source changes.

mod arguments;

use std::process::ExitCode;

use anyhow::Context as _;

pub(crate) use self::arguments::Run;
use crate::{env_file, program, settings};

/// Runs the program until it or the user ends.
pub(crate) fn run(arguments: &Run) -> anyhow::Result<ExitCode> {
    let here = std::env::current_dir().context("the current directory cannot be told")?;
    let project = settings::read(&here).map_err(|error| hinted(error.hint(), error))?;
    let found = arguments.subject.find_interpreter()?;
    let command = program::understand(&arguments.words, arguments.module, &found.interpreter, &here)
        .map_err(|error| hinted(&error.hint(), error))?;
    let files: Vec<_> = match arguments.env_file.as_slice() {
        [] => project.settings.env_file.iter().map(|file| project.root.join(file)).collect(),
        files => files.to_vec(),
    };
    let variables = env_file::read(&files).map_err(|error| hinted(error.hint(), error))?;
    anyhow::bail!("not built yet: {}, {command:?}, {arguments:?}, {variables:?}", found.describe())
}

fn hinted(hint: &str, error: impl std::error::Error + Send + Sync + 'static) -> anyhow::Error {
    // The error's own causes stand before the hint.
    let causes: Vec<String> =
        std::iter::successors(error.source(), |cause| cause.source()).map(ToString::to_string).collect();
    let message = std::iter::once(error.to_string()).chain(causes).collect::<Vec<_>>().join(": ");
    anyhow::Error::msg(format!("hint: {hint}")).context(message)
}
