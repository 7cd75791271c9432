//! The graph as one page that needs nothing else.

use super::{View, json};

const PAGE: &str = include_str!("page.html");

pub(super) fn render(view: &View) -> anyhow::Result<String> {
    // Within a script element only `</` could end it, and `<!--` open a comment.
    let data = json::compact(view)?.replace('<', "\\u003c");
    Ok(PAGE.replacen("{{title}}", &escaped(&view.title), 2).replacen("{{data}}", &data, 1))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::{Module, View};

    #[test]
    fn hostile_names_stay_data() {
        let module = Module { name: "a".to_owned(), file: "</script><b>.py".to_owned() };
        let view =
            View { title: "<x>".to_owned(), modules: vec![module], edges: Vec::new(), cycles: Vec::new() };
        let page = super::render(&view).unwrap();
        assert!(!page.contains("<b>.py") && !page.contains("<x>"));
        assert!(!page.contains("{{"));
    }
}
