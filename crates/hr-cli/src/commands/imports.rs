//! `hr imports`: what a project imports, how and where.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use hr_graph::{ImportPlan, Kind, Place, Usage};
use serde::Serialize;

use crate::analysis::{Analysis, Format, Named, print};

/// Version of the JSON output; raised when a field changes its meaning or goes away.
const SCHEMA: u32 = 1;

/// What follows the options in `--help`.
const MORE: &str = "\
Examples:
  hr imports                      of the project in this directory
  hr imports shop --all           of a package, with the standard library's modules and its own
  hr imports app.py --format json for tools; docs/json-formats.md describes it

Exit codes:
  0  printed
  2  there is no such project or interpreter";

/// List the modules a project imports, in the order in which a template would import them.
#[derive(Debug, Args)]
#[command(after_long_help = MORE)]
pub(crate) struct Imports {
    #[command(flatten)]
    project: Named,
    /// Also list the standard library's modules and the project's own
    #[arg(long)]
    all: bool,
    /// What to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The JSON output.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    packages: &'a [String],
    python: String,
    modules: Vec<Module<'a>>,
    environment: Vec<Write<'a>>,
    problems: Vec<Problem>,
}

#[derive(Serialize)]
struct Module<'a> {
    #[serde(rename = "module")]
    name: &'a str,
    kind: &'static str,
    how: &'static str,
    resolved: bool,
    planned: bool,
    locations: Vec<Location>,
}

#[derive(Serialize)]
struct Write<'a> {
    key: &'a str,
    value: Option<&'a str>,
    only_if_unset: bool,
    certain: bool,
    before: Option<&'a str>,
    #[serde(flatten)]
    location: Location,
}

#[derive(Serialize)]
struct Location {
    file: String,
    line: u32,
    column: u32,
}

#[derive(Serialize)]
struct Problem {
    #[serde(flatten)]
    location: Location,
    message: String,
}

/// Prints the list.
pub(crate) fn run(arguments: &Imports) -> anyhow::Result<ExitCode> {
    let analysis = arguments.project.analyse()?;
    let plan = analysis.graph.plan(&analysis.options);
    let usages: Vec<Usage> = analysis
        .graph
        .usages_by_plan(&plan)
        .into_iter()
        .filter(|usage| arguments.all || usage.kind == Kind::ThirdParty)
        .collect();
    print(&match arguments.format {
        Format::Text => text(&usages) + &environment(&plan),
        Format::Json => json(&analysis, &usages, &plan)?,
    })?;
    // The process ends here; taking a large graph apart first would only make it end later.
    std::mem::forget((analysis, usages, plan));
    Ok(ExitCode::SUCCESS)
}

fn text(usages: &[Usage]) -> String {
    let width = usages.iter().map(|usage| usage.name.chars().count()).max().unwrap_or(0).min(40);
    let mut text = String::new();
    for usage in usages {
        let how = usage.how.as_str();
        let place = usage.places.first().map(ToString::to_string).unwrap_or_default();
        let _ = write!(text, "{:width$}  {how:11}  {place}", usage.name);
        if let Some(more @ 1..) = usage.places.len().checked_sub(1) {
            let _ = write!(text, " (+{more})");
        }
        if !usage.resolved {
            text.push_str("  not found");
        }
        text.push('\n');
    }
    text
}

/// What the project writes to the environment while it is loaded, and what is planned after that.
fn environment(plan: &ImportPlan) -> String {
    let mut text = String::new();
    if !plan.writes.is_empty() {
        text.push_str("\nwritten to the environment before others are imported:\n");
    }
    for write in &plan.writes {
        let operator = if write.only_if_unset { "?=" } else { "=" };
        let value = write.value.as_ref().map_or("(computed)".to_owned(), |value| format!("{value:?}"));
        let _ = write!(text, "{} {operator} {value}  {}", write.key, write.location);
        if let Some(next) = plan.modules.get(write.before) {
            let _ = write!(text, "  before {}", next.name);
        }
        if !write.certain {
            text.push_str("  not in every run");
        }
        text.push('\n');
    }
    text
}

fn json(analysis: &Analysis, usages: &[Usage], plan: &ImportPlan) -> anyhow::Result<String> {
    let planned: BTreeSet<&str> = plan.modules.iter().map(|module| module.name.as_str()).collect();
    let document = Document {
        version: SCHEMA,
        packages: analysis.project.packages(),
        python: analysis.python(),
        modules: usages
            .iter()
            .map(|usage| Module {
                name: &usage.name,
                kind: usage.kind.as_str(),
                how: usage.how.as_str(),
                resolved: usage.resolved,
                planned: planned.contains(usage.name.as_str()),
                locations: usage.places.iter().map(Location::of).collect(),
            })
            .collect(),
        environment: plan
            .writes
            .iter()
            .map(|write| Write {
                key: &write.key,
                value: write.value.as_deref(),
                only_if_unset: write.only_if_unset,
                certain: write.certain,
                before: plan.modules.get(write.before).map(|next| next.name.as_str()),
                location: Location::of(&write.location),
            })
            .collect(),
        problems: analysis
            .graph
            .problems()
            .iter()
            .map(|problem| Problem {
                location: Location {
                    file: problem.file.to_string_lossy().into_owned(),
                    line: problem.line,
                    column: problem.column,
                },
                message: problem.message.clone(),
            })
            .collect(),
    };
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

impl Location {
    fn of(place: &Place) -> Self {
        Self { file: place.file.to_string_lossy().into_owned(), line: place.line, column: place.column }
    }
}
