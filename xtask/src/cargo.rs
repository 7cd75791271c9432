//! Calling cargo, the one that called us.

use std::process::Command;

use crate::workspace::Workspace;

/// A cargo command in the workspace's top folder.
pub(crate) fn cargo(workspace: &Workspace, subcommand: &str) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(workspace.root()).arg(subcommand);
    // Set by cargo for this program; a nested cargo that saw it would report another package's data.
    for variable in ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_PKG_NAME", "CARGO_PKG_VERSION"] {
        command.env_remove(variable);
    }
    command
}
