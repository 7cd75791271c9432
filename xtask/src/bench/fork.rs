//! What a run costs, beside what forking, importing and a fork server cost, for templates of four sizes.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::environment::Environment;
use crate::process;
use crate::progress::Progress;
use crate::python;
use crate::wheel;
use crate::workspace::Workspace;

/// The templates that `xtask/bench/fork.py` knows.
const TEMPLATES: [&str; 4] = ["small", "web", "django", "data"];

/// Would keep Python from storing compiled modules, which every ordinary start relies on.
const NO_BYTECODE: &str = "PYTHONDONTWRITEBYTECODE";

/// How to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// Only these templates
    #[arg(long, value_name = "TEMPLATE", value_parser = TEMPLATES)]
    template: Vec<String>,
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

/// The samples of one template, by what was measured. Times are in seconds.
#[derive(Deserialize, Serialize)]
struct Measured {
    /// Modules that the template should have and has not.
    excluded: Vec<String>,
    /// Why firehot gave no result; empty if it gave one.
    no_firehot: String,
    samples: Vec<(String, Vec<f64>)>,
}

/// All that was measured in one go, and how busy the machine was.
#[derive(Serialize)]
struct Measurement {
    python: String,
    load_before: String,
    load_after: String,
    templates: Vec<(String, Measured)>,
}

/// `cargo xtask bench fork`
pub(crate) fn run(workspace: &Workspace, progress: &Progress, options: &Options) -> Result<()> {
    let pythons = python::discover(progress)?;
    let python = pythons.last().context("no Python found")?;
    let wheel = wheel::build(workspace, progress, &pythons)?;
    let requirements =
        [workspace.requirements("bench-fork"), workspace.path("fixtures/realapp/requirements.txt")];
    let environment = Environment::ensure(workspace, progress, python, "bench-fork", &requirements)?;
    environment.install_wheel(progress, &wheel)?;
    let load_before = load()?;
    let mut templates = Vec::new();
    for name in chosen(&options.template) {
        let script = workspace.path("xtask/bench/fork.py");
        let mut command = Command::new(environment.python());
        command.arg(script).arg(name).env_remove(NO_BYTECODE);
        let answer = progress.step(name, || process::quiet(&mut command))?;
        let measured: Measured =
            serde_json::from_str(&answer).context("the measuring program gave no JSON")?;
        ensure!(measured.excluded.is_empty(), "the {name} template lacks {}", measured.excluded.join(", "));
        templates.push((name.to_owned(), measured));
    }
    let load_after = load()?;
    let measurement = Measurement { python: python.version.to_string(), load_before, load_after, templates };
    match options.format {
        Format::Json => anstream::println!("{}", serde_json::to_string_pretty(&measurement)?),
        Format::Table => measurement.print(),
    }
    Ok(())
}

fn chosen(wanted: &[String]) -> impl Iterator<Item = &'static str> {
    TEMPLATES.into_iter().filter(move |name| wanted.is_empty() || wanted.iter().any(|other| other == name))
}

/// The load averages over 1, 5 and 15 minutes.
fn load() -> Result<String> {
    let text = fs::read_to_string("/proc/loadavg").context("cannot read the load average")?;
    Ok(text.split_whitespace().take(3).collect::<Vec<_>>().join(" "))
}

impl Measurement {
    fn print(&self) {
        anstream::println!("CPython {}", self.python);
        for (name, measured) in &self.templates {
            measured.print(name);
        }
        anstream::println!("\nload average before: {}; after: {}", self.load_before, self.load_after);
    }
}

impl Measured {
    fn print(&self, name: &str) {
        anstream::println!("\n| {name} | median | quartiles | samples |\n|---|---:|---:|---:|");
        for (what, samples) in &self.samples {
            let [low, median, high] = [0.25, 0.5, 0.75].map(|share| quantile(samples, share));
            let shown = |value| shown(what, value);
            anstream::println!(
                "| {what} | {} | {} to {} | {} |",
                shown(median),
                shown(low),
                shown(high),
                samples.len()
            );
        }
        anstream::println!();
        if !self.no_firehot.is_empty() {
            anstream::println!("firehot 0.5.2: no result: {}", self.no_firehot);
        }
        for ratio in &self.ratios() {
            anstream::println!("{ratio}");
        }
    }

    /// The ratios for which the design sets a budget.
    fn ratios(&self) -> Vec<String> {
        let fork = self.median("bare fork");
        let addition = self.median("plain import of an addition") + 2.0 * fork;
        [
            (
                "first bytecode with a spare / bare fork",
                self.median("first bytecode, with a spare") / fork,
                0.1,
            ),
            ("first bytecode without / bare fork", self.median("first bytecode, without spares") / fork, 1.3),
            (
                "a sustained run / bare fork",
                1.0 / self.median("runs per second, 1 caller, without spares") / fork,
                1.2,
            ),
            (
                "build / plain import",
                self.median("build (open less an empty one)") / self.median("plain import"),
                1.1,
            ),
            ("layer / (plain import of the addition + 2 forks)", self.median("layer") / addition, 1.0),
        ]
        .into_iter()
        .map(|(what, ratio, budget)| format!("{what}: {ratio:.2} (budget {budget})"))
        .collect()
    }

    fn median(&self, what: &str) -> f64 {
        let found = self.samples.iter().find(|(name, _)| name == what);
        found.map_or(f64::NAN, |(_, samples)| quantile(samples, 0.5))
    }
}

/// The value below which `share` of the samples lie.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a small length"
)]
fn quantile(samples: &[f64], share: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let index = (share * sorted.len().saturating_sub(1) as f64).round() as usize;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

/// A sample with its unit.
fn shown(what: &str, value: f64) -> String {
    if what.starts_with("runs per second") {
        format!("{value:.0} /s")
    } else if what.starts_with("private memory") {
        format!("{:.1} %", value * 100.0)
    } else {
        format!("{:.2} ms", value * 1e3)
    }
}
