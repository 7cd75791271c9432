//! The graph for Graphviz. Language: <https://graphviz.org/doc/info/lang.html>.

use std::fmt::Write as _;

use hr_graph::How;

use super::View;

pub(super) fn render(view: &View) -> String {
    let mut text = "digraph imports {\n    rankdir=LR;\n    node [shape=box];\n".to_owned();
    for module in &view.modules {
        let _ = writeln!(text, "    {} [tooltip={}];", quoted(&module.name), quoted(&module.file));
    }
    for edge in &view.edges {
        let style = match edge.how {
            How::Eager | How::Conditional | How::Optional => "",
            How::Lazy => " [style=dashed]",
            How::Typing => " [style=dotted]",
        };
        let _ = writeln!(text, "    {} -> {}{style};", quoted(&edge.from), quoted(&edge.to));
    }
    text + "}\n"
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    #[test]
    fn quotes_are_escaped() {
        assert_eq!(super::quoted(r#"a"b\c"#), r#""a\"b\\c""#);
    }
}
