//! Pages that need nothing else: data in a template of HTML.

/// `template` with `title` for `{{title}}` and the JSON text `data` for `{{data}}`.
pub(super) fn fill(template: &str, title: &str, data: &str) -> String {
    // Within a script element only `</` could end it, and `<!--` open a comment.
    let data = data.replace('<', "\\u003c");
    template.replacen("{{title}}", &escaped(title), 2).replacen("{{data}}", &data, 1)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
