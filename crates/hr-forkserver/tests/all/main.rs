//! The fork server with an interpreter of its own: this very program.
//!
//! A test starts this binary again, with an environment variable that turns it into a paused process. Its "modules"
//! are instructions: `sleep` hangs, `crash` dies, `child` starts a program, and so on. A run's "function" is one
//! instruction too. What is under test is the crate: the tree above and the loop below are the real ones.

#![allow(clippy::unwrap_used, reason = "a test that fails is to say so")]

mod instructions;
mod processes;
mod runs;
mod snapshots;
mod supervisor;
mod templates;

use std::process::{Command as Program, ExitCode};

fn main() -> ExitCode {
    instructions::serve_if_asked();
    run_tests(&[templates::TESTS, runs::TESTS, snapshots::TESTS].concat())
}

/// A harness in small: each test needs to be the parent of its processes, so each has a process of its own. Lists and
/// filters as `cargo test` does.
fn run_tests(tests: &[(&str, fn())]) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(name) = arguments.iter().find_map(|argument| argument.strip_prefix("--child=")) {
        let doomed: (&str, fn()) = ("wait_to_be_killed", runs::wait_to_be_killed);
        let (_, test) = tests
            .iter()
            .chain([&doomed])
            .find(|(candidate, _)| *candidate == name)
            .expect("a test of that name");
        test();
        return ExitCode::SUCCESS;
    }
    if arguments.iter().any(|argument| argument == "--list") {
        for (name, _) in tests {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    let chosen = tests.iter().filter(|(name, _)| filter.is_none_or(|filter| name.contains(filter.as_str())));
    let program = std::env::current_exe().unwrap();
    let started: Vec<_> = chosen
        .map(|(name, _)| {
            let child = Program::new(&program)
                .arg(format!("--child={name}"))
                .stderr(std::process::Stdio::piped())
                .spawn();
            (*name, child.unwrap())
        })
        .collect();
    let (mut passed, mut failed) = (0, 0);
    for (name, child) in started {
        let output = child.wait_with_output().unwrap();
        if output.status.success() {
            passed += 1;
            println!("test {name} ... ok");
        } else {
            failed += 1;
            println!("test {name} ... FAILED\n{}", String::from_utf8_lossy(&output.stderr));
        }
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {verdict}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out"
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
