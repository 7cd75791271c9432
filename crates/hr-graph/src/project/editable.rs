//! Editable installs: `.pth` files and `direct_url.json` that lead to a directory.
//!
//! Sources: <https://docs.python.org/3/library/site.html> and
//! <https://packaging.python.org/en/latest/specifications/direct-url/>.

use std::path::{Path, PathBuf};

use crate::interpreter::Interpreter;

use super::{add_missing, is_foreign, layout};

/// The source roots of all editable installs of an interpreter, sorted.
pub(super) fn directories(interpreter: &Interpreter) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for site in interpreter.sys_path.iter().filter(|directory| super::is_installed(directory)) {
        let mut entries: Vec<PathBuf> =
            std::fs::read_dir(site).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        entries.sort();
        for entry in entries {
            match entry.extension().and_then(|suffix| suffix.to_str()) {
                Some("pth") => add_missing(&mut found, path_file(site, &entry)),
                Some("dist-info") => {
                    if let Some(directory) = direct_url(&entry) {
                        add_missing(&mut found, layout::source_roots(&directory));
                    }
                }
                _ => {}
            }
        }
    }
    found
}

/// The directories a `.pth` file adds to `sys.path`. Lines that begin with `import` are code.
fn path_file(site: &Path, file: &Path) -> Vec<PathBuf> {
    let text =
        std::fs::read(file).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    text.lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty() && !line.starts_with('#') && !line.starts_with("import"))
        .map(|line| site.join(line))
        .filter(|path| path.is_dir() && !is_foreign(path))
        .collect()
}

/// The directory an editable distribution was installed from.
fn direct_url(dist_info: &Path) -> Option<PathBuf> {
    let bytes = std::fs::read(dist_info.join("direct_url.json")).ok()?;
    let json: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
    if !json.get("dir_info")?.get("editable")?.as_bool()? {
        return None;
    }
    let path = PathBuf::from(percent_decoded(json.get("url")?.as_str()?.strip_prefix("file://")?)?);
    path.is_dir().then_some(path)
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        if byte == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(byte);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::percent_decoded;

    #[test]
    fn urls_are_decoded() {
        assert_eq!(percent_decoded("/a%20b/%C3%A9").as_deref(), Some("/a b/é"));
        assert_eq!(percent_decoded("/a%2"), None);
    }
}
