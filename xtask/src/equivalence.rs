//! Sites that are edited at random: what `hr run` keeps up to date must answer over HTTP what a cold start answers.

use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::environment::Environment;
use crate::process;
use crate::progress::Progress;
use crate::python;
use crate::wheel;
use crate::workspace::Workspace;

/// The projects that `xtask/equivalence/__main__.py` knows.
const PROJECTS: [&str; 2] = ["realapp", "django"];

/// What to edit, and how often.
#[derive(Args)]
pub(crate) struct Options {
    /// Only these projects
    #[arg(long, value_name = "PROJECT", value_parser = PROJECTS)]
    project: Vec<String>,
    /// Edits in one history
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    edits: u32,
    /// The seed of the first history; each further one has the next
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u32,
    /// How many histories each project has
    #[arg(long, value_name = "NUMBER", default_value_t = 3)]
    histories: u32,
}

/// `cargo xtask equivalence`
pub(crate) fn run(workspace: &Workspace, progress: &Progress, options: &Options) -> Result<()> {
    let pythons = python::discover(progress)?;
    let python = pythons.last().context("no Python found")?;
    let wheel = wheel::build(workspace, progress, &pythons, wheel::Optimized::Quickly)?;
    let requirements = [
        workspace.requirements("equivalence"),
        workspace.path("fixtures/realapp/requirements.txt"),
        workspace.path("fixtures/django_site/requirements.txt"),
    ];
    let environment = Environment::ensure(workspace, progress, python, "equivalence", &requirements)?;
    environment.install_wheel(progress, &wheel)?;
    let mut failures = Vec::new();
    for project in PROJECTS {
        if !options.project.is_empty() && !options.project.iter().any(|wanted| wanted == project) {
            continue;
        }
        progress.headline(&format!("equivalence over HTTP, {project}"));
        let outcome = process::open(&mut command(workspace, &environment, project, options), |_| false)?;
        failures.extend(outcome.failure);
    }
    if failures.is_empty() { Ok(()) } else { bail!("{}", failures.join("\n")) }
}

fn command(workspace: &Workspace, environment: &Environment, project: &str, options: &Options) -> Command {
    let mut command = Command::new(environment.python());
    command.current_dir(workspace.path("xtask")).args(["-m", "equivalence", project]);
    for (option, number) in
        [("--edits", options.edits), ("--seed", options.seed), ("--histories", options.histories)]
    {
        command.arg(option).arg(number.to_string());
    }
    command
}
