//! From a save to the changed answer over HTTP: `hr run` beside what else keeps a server up to date.

mod driver;
mod measurement;
mod picture;
mod table;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use self::measurement::Measurement;
use crate::environment::Environment;
use crate::progress::Progress;
use crate::python;
use crate::wheel;
use crate::workspace::Workspace;

/// The projects that `xtask/bench/reload/projects.py` knows.
const PROJECTS: [&str; 5] = ["small", "realapp", "django", "large", "huge"];

/// Those that are measured if nobody says which: without 3,000 modules, for which each round takes minutes.
const USUAL_PROJECTS: [&str; 4] = ["small", "realapp", "django", "large"];

/// Where in a project an edit is made: in a module imported late, in the one with the route, in one imported early by
/// all that follow; after so much of the order in which its modules are executed.
const EDITS: [&str; 6] = ["leaf", "route", "deep", "10%", "50%", "90%"];

/// How to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// Only these projects
    #[arg(long, value_name = "PROJECT", value_parser = PROJECTS)]
    project: Vec<String>,
    /// Only these edits
    #[arg(long, value_name = "EDIT", value_parser = EDITS)]
    edit: Vec<String>,
    /// Make each edit twice, after a new start: from the past of a program that nobody has edited, and of one whose last
    /// edit was the same; at 10, 50 and 90 percent of the order of execution, unless --edit names others
    #[arg(long)]
    again: bool,
    /// Only these tools, by the name that the table gives them
    #[arg(long, value_name = "TOOL")]
    tool: Vec<String>,
    /// How often each edit is made under each tool; 0 shows what is in the file of --into
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    rounds: u32,
    /// Add to what earlier measurements left in this file, and show all of it
    #[arg(long, value_name = "FILE")]
    into: Option<PathBuf>,
    /// Draw what the table shows, as SVG
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
    /// For people or for tools
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// Medians with quartiles
    Table,
    /// Every sample
    Json,
}

/// `cargo xtask bench reload`
pub(crate) fn run(workspace: &Workspace, progress: &Progress, options: &Options) -> Result<()> {
    let mut measurement = match &options.into {
        Some(file) if file.exists() => Measurement::read(file)?,
        _ => Measurement::default(),
    };
    if options.rounds > 0 {
        measure(workspace, progress, options, &mut measurement)?;
    }
    if let Some(file) = &options.picture {
        fs::write(file, picture::draw(&measurement))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    match options.format {
        Format::Json => anstream::println!("{}", serde_json::to_string_pretty(&measurement)?),
        Format::Table => anstream::print!("{}", table::text(&measurement)),
    }
    Ok(())
}

/// An environment with everything that is compared, and this hotreload.
pub(super) fn environment(workspace: &Workspace, progress: &Progress) -> Result<Environment> {
    let pythons = python::discover(progress)?;
    let python = pythons.last().context("no Python found")?;
    let wheel = wheel::build(workspace, progress, &pythons, wheel::Optimized::Fully)?;
    let requirements =
        [workspace.requirements("bench-reload"), workspace.path("fixtures/realapp/requirements.txt")];
    let environment = Environment::ensure(workspace, progress, python, "bench-reload", &requirements)?;
    environment.install_wheel(progress, &wheel)?;
    Ok(environment)
}

fn measure(
    workspace: &Workspace,
    progress: &Progress,
    options: &Options,
    measurement: &mut Measurement,
) -> Result<()> {
    let environment = environment(workspace, progress)?;
    let usual = options.project.is_empty().then_some(USUAL_PROJECTS.as_slice());
    for project in chosen(usual.unwrap_or(&PROJECTS), &options.project) {
        let mut command = std::process::Command::new(environment.python());
        command.arg(workspace.path("xtask/bench/reload/driver.py")).arg(project);
        command.arg("--rounds").arg(options.rounds.to_string());
        if !options.edit.is_empty() {
            command.arg("--edit").args(&options.edit);
        }
        if options.again {
            command.arg("--again");
        }
        if !options.tool.is_empty() {
            command.arg("--tool").args(&options.tool);
        }
        // What comes before an interruption is worth keeping.
        let keep =
            |measurement: &Measurement| options.into.as_ref().map_or(Ok(()), |file| measurement.write(file));
        progress.step(project, || driver::measure(&mut command, project, measurement, keep))?;
    }
    Ok(())
}

fn chosen<'a>(known: &'a [&'static str], wanted: &'a [String]) -> impl Iterator<Item = &'static str> + 'a {
    known.iter().copied().filter(move |name| wanted.is_empty() || wanted.iter().any(|other| other == name))
}
