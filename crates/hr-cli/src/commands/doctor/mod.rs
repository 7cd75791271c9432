//! `hr doctor`: what a project's template costs, what it lacks, and what would help most.

mod advice;
mod examination;
mod html;
mod text;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};

use anyhow::Context as _;
use clap::Args;
use hr_forkserver::protocol::{ImportProfile, Open, TemplateState};

use self::examination::{Examination, Findings};
use crate::analysis::{Analysis, Format, Named, print};
use crate::client::{self, Client};
use crate::supervisor::lines::Lines;
use crate::supervisor::voice;

/// What follows the options in `--help`.
const MORE: &str = "\
Examples:
  hr doctor                       examine the project in this directory
  hr doctor --html doctor.html    and draw every import on a time line
  hr doctor --format json         for tools; docs/json-formats.md describes it

Exit codes:
  0  examined, whatever was found
  2  there is no such project or interpreter, or no template can be built";

/// Build a project's template, and show what it costs, what it lacks and why, and what would help.
#[derive(Debug, Args)]
#[command(after_long_help = MORE)]
pub(crate) struct Doctor {
    #[command(flatten)]
    project: Named,
    /// What to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Also write a page that shows every import on a time line
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// Examines and prints.
pub(crate) fn run(arguments: &Doctor) -> anyhow::Result<ExitCode> {
    let analysis = arguments.project.analyse()?;
    let (state, profile) = build(arguments, &analysis)?;
    let usages = analysis.graph.usages(&analysis.options);
    let plan = analysis.graph.plan(&analysis.options);
    let examination = Examination::new(&Findings {
        packages: analysis.project.packages().to_vec(),
        python: analysis.python(),
        is_stdlib: &|top_level| analysis.interpreter.is_stdlib(top_level),
        is_set: &|variable| std::env::var_os(variable).is_some(),
        plan: &plan,
        usages: &usages,
        state: &state,
        profile: &profile,
    });
    if let Some(file) = &arguments.html {
        let written = html::render(&examination).and_then(|page| Ok(std::fs::write(file, page)?));
        written.with_context(|| format!("cannot write {}", file.display()))?;
    }
    print(&match arguments.format {
        Format::Text => text::render(&examination),
        Format::Json => examination.to_json()? + "\n",
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Has a supervisor build the template, as it would for runs, but with a stopwatch.
fn build(arguments: &Doctor, analysis: &Analysis) -> anyhow::Result<(TemplateState, ImportProfile)> {
    let argv = vec![OsString::from(&arguments.project.target)];
    let interpreter = client::target_interpreter(&analysis.interpreter, argv)
        .map_err(|error| anyhow::Error::msg(error.hint()).context(error))?;
    let open = Open { profile: true, ..Open::new(analysis.target.clone(), interpreter) };
    // What it would say is part of the examination.
    let mut client = Client::start(Stdio::null())?;
    let mut progress = Lines::start().context("no thread can be started")?;
    let state = client.open(open, |event| {
        if let Some(line) = voice::passing(event) {
            progress.transient(&line);
        }
    })?;
    drop(progress);
    let profile = client.profile()?;
    client.close();
    Ok((state, profile))
}
