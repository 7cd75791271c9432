//! `hr graph`: the project's own modules and what they import from each other.

mod dot;
mod html;
mod json;
mod mermaid;
mod text;

use std::collections::BTreeSet;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use hr_graph::{How, ProjectGraph};

use crate::analysis::{Named, print};

/// What follows the options in `--help`.
const MORE: &str = "\
Examples:
  hr graph                               of the project in this directory
  hr graph --format html > graph.html    a page to look at
  hr graph --focus shop.models --depth 1 what it imports, and what imports it
  hr graph --cycles                      circles of imports

Exit codes:
  0  printed
  2  there is no such project or interpreter";

/// Show which of a project's modules import which.
#[derive(Debug, Args)]
#[command(after_long_help = MORE)]
pub(crate) struct Graph {
    #[command(flatten)]
    project: Named,
    /// What to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Show only what this module imports and what imports it
    #[arg(long, value_name = "MODULE")]
    focus: Option<String>,
    /// How many steps away from the focus to go
    #[arg(long, value_name = "STEPS", requires = "focus")]
    depth: Option<usize>,
    /// Show only modules that import each other in a circle while they are loaded
    #[arg(long)]
    cycles: bool,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Format {
    #[default]
    Text,
    /// For Graphviz
    Dot,
    /// For Markdown
    Mermaid,
    Json,
    /// One page to look at and search in
    Html,
}

/// What is shown of a graph.
struct View {
    title: String,
    modules: Vec<Module>,
    edges: Vec<Edge>,
    cycles: Vec<Vec<String>>,
}

struct Module {
    name: String,
    file: String,
}

struct Edge {
    from: String,
    to: String,
    line: u32,
    how: How,
}

/// Prints the graph.
pub(crate) fn run(arguments: &Graph) -> anyhow::Result<ExitCode> {
    let analysis = arguments.project.analyse()?;
    let title = analysis.project.packages().join(", ");
    let view = view(arguments, &analysis.graph, title)?;
    print(&match arguments.format {
        Format::Text if arguments.cycles => text::cycles(&view),
        Format::Text => text::render(&view),
        Format::Dot => dot::render(&view),
        Format::Mermaid => mermaid::render(&view),
        Format::Json => json::render(&view)?,
        Format::Html => html::render(&view)?,
    })?;
    Ok(ExitCode::SUCCESS)
}

fn view(arguments: &Graph, graph: &ProjectGraph, title: String) -> anyhow::Result<View> {
    let all_cycles = graph.cycles();
    let mut shown: BTreeSet<&str> = match &arguments.focus {
        None => graph.first_party().collect(),
        Some(focus) => graph
            .neighbourhood(focus, arguments.depth.unwrap_or(usize::MAX))
            .with_context(|| format!("hint: `hr graph {}` lists its modules", arguments.project.target))
            .with_context(|| format!("the project has no module {focus:?}"))?
            .into_iter()
            .map(|module| module.name.as_str())
            .collect(),
    };
    if arguments.cycles {
        let circular: BTreeSet<&str> =
            all_cycles.iter().flatten().map(|module| module.name.as_str()).collect();
        shown.retain(|name| circular.contains(name));
    }
    let modules = graph
        .modules()
        .filter(|module| shown.contains(module.name.as_str()))
        .map(|module| Module {
            name: module.name.clone(),
            file: graph.relative(&module.file).to_string_lossy().into_owned(),
        })
        .collect();
    let edges = graph
        .dependencies()
        .into_iter()
        .filter(|(from, to, _)| shown.contains(from.name.as_str()) && shown.contains(to.name.as_str()))
        .map(|(from, to, dependency)| Edge {
            from: from.name.clone(),
            to: to.name.clone(),
            line: dependency.location.line,
            how: dependency.how,
        })
        .collect();
    let cycles = all_cycles
        .into_iter()
        .map(|cycle| cycle.into_iter().map(|module| module.name.clone()).collect::<Vec<_>>())
        .filter(|cycle| cycle.iter().any(|name| shown.contains(name.as_str())))
        .collect();
    Ok(View { title, modules, edges, cycles })
}
