//! What a user wants of a development loop.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use hr_forkserver::protocol::TargetInterpreter;

use super::listening::Listening;
use super::voice::{Format, Verbosity};
use crate::env_file::{self, EnvFileError};
use crate::program::CommandLine;
use crate::watcher::{Selection, WatchError};

/// What is to be run, and how.
pub(crate) struct Options {
    pub(crate) command: CommandLine,
    pub(crate) interpreter: TargetInterpreter,
    /// The interpreter for people.
    pub(crate) python: String,
    pub(crate) reload: bool,
    /// Whether runs leave checkpoints for those after them.
    pub(crate) checkpoints: bool,
    /// The module of an application that is imported before an event loop does it.
    pub(crate) entry: Option<String>,
    /// How long the program may take to end after SIGTERM.
    pub(crate) grace: Duration,
    pub(crate) verbosity: Verbosity,
    pub(crate) format: Format,
    /// What counts beside the source.
    pub(crate) globs: Selection,
    /// What they are relative to.
    pub(crate) root: PathBuf,
    /// Files of variables for the program, absolute.
    pub(crate) env_files: Vec<PathBuf>,
}

impl Options {
    /// What is to be listened to, if anything is.
    pub(super) fn listening(&self) -> Option<Result<Listening, WatchError>> {
        let sys_path = self.interpreter.sys_path.iter().map(PathBuf::from);
        self.reload
            .then(|| Listening::start(self.root.clone(), self.globs.clone(), &self.env_files, sys_path))
    }

    /// The program's environment: this process's, what the files say beside it, and what the command line changes.
    pub(super) fn environment(&self) -> Result<Vec<(OsString, OsString)>, EnvFileError> {
        let mut environment = self.interpreter.environment.clone();
        let is_set = |environment: &[(OsString, OsString)], name: &OsString| {
            environment.iter().any(|(known, _)| known == name)
        };
        for (name, value) in env_file::read(&self.env_files)? {
            let name = name.into();
            if !is_set(&environment, &name) {
                environment.push((name, value.into()));
            }
        }
        for (name, value) in &self.command.environment {
            environment.retain(|(known, _)| known != name);
            environment.extend(value.clone().map(|value| (name.clone(), value)));
        }
        Ok(environment)
    }
}
