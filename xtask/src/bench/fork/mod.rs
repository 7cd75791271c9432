//! What a run costs, beside what forking, importing and a fork server cost, for templates of four sizes.

mod rounds;
mod samples;

use std::process::Command;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use serde::Serialize;

use self::rounds::Measured;
use crate::environment::Environment;
use crate::progress::Progress;
use crate::python;
use crate::wheel;
use crate::workspace::Workspace;

/// The templates that `xtask/bench/fork/main.py` knows.
const TEMPLATES: [&str; 4] = ["small", "web", "django", "data"];

/// Would keep Python from storing compiled modules, which every ordinary start relies on.
const NO_BYTECODE: &str = "PYTHONDONTWRITEBYTECODE";

/// How to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// Only these templates
    #[arg(long, value_name = "TEMPLATE", value_parser = TEMPLATES)]
    template: Vec<String>,
    /// The most rounds a template is measured for, if its ratios do not hold still before
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// For people or for tools
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// Medians with quartiles, then ratios
    Table,
    /// Every sample
    Json,
}

/// All that was measured in one go.
#[derive(Serialize)]
struct Measurement {
    python: String,
    processors: usize,
    templates: Vec<(String, Measured)>,
}

/// `cargo xtask bench fork`
pub(crate) fn run(workspace: &Workspace, progress: &Progress, options: &Options) -> Result<()> {
    let pythons = python::discover(progress)?;
    let python = pythons.last().context("no Python found")?;
    let wheel = wheel::build(workspace, progress, &pythons, wheel::Optimized::Fully)?;
    let requirements =
        [workspace.requirements("bench-fork"), workspace.path("fixtures/realapp/requirements.txt")];
    let environment = Environment::ensure(workspace, progress, python, "bench-fork", &requirements)?;
    environment.install_wheel(progress, &wheel)?;
    let mut templates = Vec::new();
    for name in chosen(&options.template) {
        let mut command = Command::new(environment.python());
        command.arg(workspace.path("xtask/bench/fork/main.py")).arg(name).env_remove(NO_BYTECODE);
        let measured = progress.step(name, || rounds::measure(&mut command, options.rounds))?;
        templates.push((name.to_owned(), measured));
    }
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let measurement = Measurement { python: python.version.to_string(), processors, templates };
    match options.format {
        Format::Json => anstream::println!("{}", serde_json::to_string_pretty(&measurement)?),
        Format::Table => measurement.print(),
    }
    Ok(())
}

fn chosen(wanted: &[String]) -> impl Iterator<Item = &'static str> {
    TEMPLATES.into_iter().filter(move |name| wanted.is_empty() || wanted.iter().any(|other| other == name))
}

impl Measurement {
    fn print(&self) {
        anstream::println!("CPython {}, {} processors", self.python, self.processors);
        for (name, measured) in &self.templates {
            measured.print(name);
        }
    }
}
