//! The graph as indented lines.

use std::fmt::Write as _;

use hr_graph::How;

use super::View;

pub(super) fn render(view: &View) -> String {
    let mut text = String::new();
    let mut edges = view.edges.iter().peekable();
    for module in &view.modules {
        let _ = writeln!(text, "{}  {}", module.name, module.file);
        while let Some(edge) = edges.next_if(|edge| edge.from <= module.name) {
            let _ = write!(text, "    {}  line {}", edge.to, edge.line);
            if edge.how != How::Eager {
                let _ = write!(text, ", {}", edge.how.as_str());
            }
            text.push('\n');
        }
    }
    text
}

pub(super) fn cycles(view: &View) -> String {
    let mut text = String::new();
    for cycle in &view.cycles {
        let _ = writeln!(text, "{} modules in a circle", cycle.len());
        for edge in view.edges.iter().filter(|edge| cycle.contains(&edge.from) && cycle.contains(&edge.to)) {
            let _ = writeln!(text, "    {} imports {}  line {}", edge.from, edge.to, edge.line);
        }
    }
    text
}
