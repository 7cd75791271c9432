//! `hr why`: who imports a module, or what an edit of a file would invalidate.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use hr_graph::{How, Step};

use crate::analysis::{Analysis, Subject, print};

/// What follows the options in `--help`.
const MORE: &str = "\
Examples:
  hr why sqlalchemy.orm       the shortest chains of imports that lead to it
  hr why --all numpy          all of them
  hr why shop/models.py       what an edit of this file means

Exit codes:
  0  explained
  2  there is no such module, file, project or interpreter";

/// Explain why a module is imported, or what an edit of a file means.
#[derive(Debug, Args)]
#[command(after_long_help = MORE)]
pub(crate) struct Why {
    /// A module's dotted name, or a file
    #[arg(value_name = "MODULE|FILE")]
    what: String,
    /// The project: a package's name, or the path of a package, project or script
    #[arg(long, value_name = "PATH|PACKAGE", default_value = ".")]
    project: String,
    /// Print every chain, not only the shortest ones
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    subject: Subject,
}

/// How many chains or modules are printed unless all are asked for.
const SHOWN: usize = 10;

/// Prints the explanation.
pub(crate) fn run(arguments: &Why) -> anyhow::Result<ExitCode> {
    let analysis = arguments.subject.analyse(Some(&arguments.project))?;
    let path = Path::new(&arguments.what);
    let names_file = arguments.what.contains('/') || path.extension().is_some_and(|suffix| suffix == "py");
    let text = if names_file || path.is_file() {
        about_file(&analysis, path, arguments)?
    } else {
        about_module(&analysis, arguments)?
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn about_module(analysis: &Analysis, arguments: &Why) -> anyhow::Result<String> {
    let module = &arguments.what;
    let chains = analysis.graph.chains_to(module);
    if chains.is_empty() {
        if analysis.graph.module(module).is_some() {
            return Ok(format!("no module of the project imports {module}\n"));
        }
        let hint = "hint: `hr imports --all` lists what is imported";
        return Err(anyhow::Error::msg(hint).context(format!("nothing in the project imports {module:?}")));
    }
    let shown = if arguments.all { chains.len() } else { SHOWN };
    let mut text = String::new();
    for chain in chains.iter().take(shown) {
        describe(&mut text, chain);
    }
    if let Some(more @ 1..) = chains.len().checked_sub(shown) {
        let _ = writeln!(text, "… and {more} more; --all prints them");
    }
    Ok(text)
}

fn describe(text: &mut String, chain: &[Step]) {
    let Some(first) = chain.first() else { return };
    let _ = writeln!(text, "{}", first.importer);
    for (depth, step) in chain.iter().enumerate() {
        let indent = "  ".repeat(depth + 1);
        let _ = write!(text, "{indent}imports {}  {}", step.imports, step.place);
        if step.how != How::Eager {
            let _ = write!(text, "  {}", step.how.as_str());
        }
        text.push('\n');
    }
}

fn about_file(analysis: &Analysis, path: &Path, arguments: &Why) -> anyhow::Result<String> {
    let file = absolute(path, analysis);
    let shown = analysis.graph.relative(&file).display().to_string();
    let Some(dependents) = analysis.graph.dependents(&file) else {
        if !file.exists() {
            let hint = "hint: name a file relative to the current directory or to the project";
            return Err(anyhow::Error::msg(hint).context(format!("there is no file {}", path.display())));
        }
        let says = if analysis.project.is_first_party(&file) {
            "no module of the project leads to it: an edit changes nothing"
        } else {
            "not the project's own: an edit invalidates every template that loaded it"
        };
        return Ok(format!("{shown}: {says}\n"));
    };
    let module = analysis.graph.module_of_file(&file).map_or("", |module| module.name.as_str());
    let (lazily, eagerly): (Vec<_>, Vec<_>) = dependents.iter().partition(|dependent| dependent.lazily);
    let mut text = format!("{shown} is {module}. The template stays valid: it holds no first-party code.\n");
    section(&mut text, "After an edit these are executed again with it", &eagerly, arguments);
    section(&mut text, "These only if they had imported it by then, lazily", &lazily, arguments);
    if dependents.is_empty() {
        text.push_str("No other module imports it.\n");
    }
    Ok(text)
}

fn section(text: &mut String, title: &str, dependents: &[&hr_graph::Dependent], arguments: &Why) {
    if dependents.is_empty() {
        return;
    }
    let _ = writeln!(text, "{title} ({}):", dependents.len());
    let shown = if arguments.all { dependents.len() } else { SHOWN };
    for dependent in dependents.iter().take(shown) {
        let _ = writeln!(text, "  {}", dependent.module);
    }
    if let Some(more @ 1..) = dependents.len().checked_sub(shown) {
        let _ = writeln!(text, "  … and {more} more; --all prints them");
    }
}

/// A file relative to the current directory, else to the project.
fn absolute(path: &Path, analysis: &Analysis) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| {
        let inside = analysis.project.root().join(path);
        inside.canonicalize().unwrap_or(inside)
    })
}
