//! The graph for tools. The format is documented in docs/json-formats.md.

use serde::Serialize;

use super::View;

/// Version of the JSON output; raised when a field changes its meaning or goes away.
const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    modules: Vec<Module<'a>>,
    edges: Vec<Edge<'a>>,
    cycles: &'a [Vec<String>],
}

#[derive(Serialize)]
struct Module<'a> {
    name: &'a str,
    file: &'a str,
}

#[derive(Serialize)]
struct Edge<'a> {
    from: &'a str,
    to: &'a str,
    line: u32,
    how: &'static str,
}

fn document(view: &View) -> Document<'_> {
    Document {
        version: SCHEMA,
        modules: view
            .modules
            .iter()
            .map(|module| Module { name: &module.name, file: &module.file })
            .collect(),
        edges: view
            .edges
            .iter()
            .map(|edge| Edge { from: &edge.from, to: &edge.to, line: edge.line, how: edge.how.as_str() })
            .collect(),
        cycles: &view.cycles,
    }
}

pub(super) fn render(view: &View) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(&document(view))? + "\n")
}

pub(super) fn compact(view: &View) -> anyhow::Result<String> {
    Ok(serde_json::to_string(&document(view))?)
}
