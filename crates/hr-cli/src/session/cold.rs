//! A program without a template: slow, and right.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use anyhow::Context as _;
use hr_forkserver::protocol::Program;
use nix::sys::signal::SigSet;

use super::Options;
use crate::sys;

/// Goes on as the program. Returns only if that cannot be.
pub(super) fn become_program(options: &Options, mask: SigSet) -> anyhow::Result<ExitCode> {
    let mut command = Command::new(&options.interpreter.executable);
    command.args(&options.interpreter.options);
    match &options.command.program {
        Program::Script(path) => command.arg(path),
        Program::Module(name) => command.args(["-m", name]),
        Program::Function { module, function } => {
            let top = function.split('.').next().unwrap_or(function);
            command.arg("-c").arg(format!("import sys; from {module} import {top}; sys.exit({function}())"))
        }
    };
    command.args(options.command.argv.iter().skip(1)).env_clear().envs(options.environment()?);
    sys::with_mask(&mut command, mask);
    let program = options.interpreter.executable.to_string_lossy().into_owned();
    Err(command.exec()).with_context(|| format!("{program} cannot be started"))
}
