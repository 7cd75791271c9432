//! The graph for Markdown. Language: <https://mermaid.js.org/syntax/flowchart.html>.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hr_graph::How;

use super::View;

pub(super) fn render(view: &View) -> String {
    let mut text = "flowchart LR\n".to_owned();
    // Names with dots or words such as `end` are no identifiers there.
    let mut numbers = BTreeMap::new();
    for (number, module) in view.modules.iter().enumerate() {
        numbers.entry(module.name.as_str()).or_insert(number);
        let _ = writeln!(text, "    m{number}[\"{}\"]", module.name);
    }
    for edge in &view.edges {
        let arrow = match edge.how {
            How::Eager | How::Conditional | How::Optional => "-->",
            How::Lazy | How::Typing => "-.->",
        };
        if let (Some(from), Some(to)) = (numbers.get(edge.from.as_str()), numbers.get(edge.to.as_str())) {
            let _ = writeln!(text, "    m{from} {arrow} m{to}");
        }
    }
    text
}
