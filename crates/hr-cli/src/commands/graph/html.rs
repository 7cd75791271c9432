//! The graph as one page that needs nothing else.

use super::{View, json};
use crate::commands::page;

const PAGE: &str = include_str!("page.html");

pub(super) fn render(view: &View) -> anyhow::Result<String> {
    Ok(page::fill(PAGE, &view.title, &json::compact(view)?))
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
