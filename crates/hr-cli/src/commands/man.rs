//! `hr man`: manual pages.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use crate::analysis::print;

/// What follows the options in `--help`.
const MORE: &str = "\
Examples:
  hr man | man -l -                               read it
  hr man --directory ~/.local/share/man/man1      then `man hr`, `man hr-run`, …

Exit codes:
  0  printed, or written
  2  the directory cannot be written to";

/// Print hr's manual page, or write one for each command.
#[derive(Debug, Args)]
#[command(after_long_help = MORE)]
pub(crate) struct Man {
    /// Write hr.1, hr-run.1 and the others to this directory instead
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
}

/// Prints or writes.
pub(crate) fn run(arguments: &Man) -> anyhow::Result<ExitCode> {
    match &arguments.directory {
        Some(directory) => std::fs::create_dir_all(directory)
            .and_then(|()| clap_mangen::generate_to(crate::command(), directory))
            .with_context(|| format!("cannot write to {}", directory.display()))?,
        None => print(&page()?)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn page() -> anyhow::Result<String> {
    let mut page = Vec::new();
    clap_mangen::Man::new(crate::command()).render(&mut page)?;
    Ok(String::from_utf8(page)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_the_commands_people_use() {
        let page = page().unwrap();
        for name in ["hr\\-run(1)", "hr\\-imports(1)", "hr\\-doctor(1)"] {
            assert!(page.contains(name), "{name} is missing:\n{page}");
        }
        assert!(!page.contains("serve"), "a command for programs");
    }

    #[test]
    fn every_command_has_a_page_of_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("man1");
        run(&Man { directory: Some(inner.clone()) }).unwrap();
        for name in ["hr.1", "hr-run.1", "hr-verify.1"] {
            assert!(std::fs::read_to_string(inner.join(name)).unwrap().contains(".TH"), "{name}");
        }
        assert!(!inner.join("hr-serve.1").exists());
    }
}
