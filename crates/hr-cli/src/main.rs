//! The `hr` command. Everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    hr_cli::main()
}
