//! Running other programs: silently, with their output kept for when they fail, or in the open.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// How much of a failed program's output is shown, in lines.
const SHOWN_LINES: usize = 200;

/// Runs a program without showing its output, and returns what it wrote to stdout. The end of all it wrote is part
/// of the error when it fails.
pub(crate) fn quiet(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| cannot_start(command))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(stdout);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    bail!("`{}` ended with {}\n{}", shown(command), output.status, last_lines(&format!("{stdout}{stderr}")))
}

/// Runs a program in the open, and returns the lines of its stdout that `keep` asks for, whether it succeeds or not.
pub(crate) fn open(command: &mut Command, keep: impl Fn(&str) -> bool) -> Result<Outcome> {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().with_context(|| cannot_start(command))?;
    let mut kept = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line.context("reading a program's output")?;
            let line = String::from_utf8_lossy(&line);
            writeln!(anstream::stdout(), "{line}").context("writing to stdout")?;
            let plain = anstream::adapter::strip_str(&line).to_string();
            if keep(&plain) {
                kept.push(plain);
            }
        }
    }
    let status = child.wait().with_context(|| format!("waiting for `{}`", shown(command)))?;
    let failure = (!status.success()).then(|| format!("`{}` ended with {status}", shown(command)));
    Ok(Outcome { kept, failure })
}

/// How a program that ran in the open ended.
pub(crate) struct Outcome {
    /// Lines that were asked for.
    pub(crate) kept: Vec<String>,
    /// What to say if it failed.
    pub(crate) failure: Option<String>,
}

fn cannot_start(command: &Command) -> String {
    format!("cannot start `{}`", command.get_program().to_string_lossy())
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn last_lines(text: &str) -> String {
    let lines: Vec<_> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
}
