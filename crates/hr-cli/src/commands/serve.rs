//! `hr serve`: a supervisor for a client that starts it, and that it does not outlive.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use crate::supervisor::Supervisor;
use crate::sys;

/// Own the template of one project for the program that starts this.
///
/// Meant for programs, such as the hotreload package, that pass two descriptors and know the protocol.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Descriptor of the socket that requests come from.
    #[arg(long, value_name = "NUMBER")]
    connection: i32,
    /// Descriptor of a pidfd: this ends when that process does.
    #[arg(long, value_name = "NUMBER")]
    owner: i32,
}

/// Serves until the client closes, ends, or this is told to end.
pub(crate) fn run(arguments: &Serve) -> anyhow::Result<ExitCode> {
    let hint = "hint: this command is started by programs; see `hr --help` for those meant for people";
    let connection =
        sys::inherited(arguments.connection).context(hint).context("no connection was passed")?;
    let owner = sys::inherited(arguments.owner).context(hint).context("no owner was passed")?;
    sys::wait_for_children_again().context("cannot wait for processes")?;
    sys::go_to_background().context("cannot go to the background")?;
    Supervisor::new(connection, owner).context("cannot supervise processes")?.serve();
    Ok(ExitCode::SUCCESS)
}
