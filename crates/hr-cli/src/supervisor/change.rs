//! What an update found, for people and programs. Pure.

use std::ffi::OsString;

/// What an update found.
#[derive(Default)]
pub(crate) struct Change {
    pub(crate) added: Vec<String>,
    pub(crate) removed: Vec<String>,
    pub(crate) files: Vec<OsString>,
    pub(crate) moved: Vec<String>,
}

impl Change {
    /// One line for people.
    pub(crate) fn reason(&self, changed: bool) -> String {
        let list = |label: &str, names: &[String]| {
            (!names.is_empty()).then(|| format!("{label}: {}", names.join(", ")))
        };
        let files: Vec<_> = self.files.iter().map(|file| file.to_string_lossy().into_owned()).collect();
        let shown = match files.as_slice() {
            [] => None,
            [file] => Some(format!("changed: {file}")),
            [file, rest @ ..] => Some(format!("changed: {file} and {} more", rest.len())),
        };
        let moved = list("found elsewhere now", &self.moved);
        let parts =
            [list("new imports", &self.added), list("no longer imported", &self.removed), shown, moved];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        match (parts.is_empty(), changed) {
            (true, false) => "nothing that a template holds has changed".to_owned(),
            (true, true) => "the template had ended".to_owned(),
            (false, true) => parts.join("; "),
            (false, false) => format!("{}; the template serves as it is", parts.join("; ")),
        }
    }
}
