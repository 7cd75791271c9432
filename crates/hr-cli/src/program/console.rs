//! Commands that installed distributions bring: their scripts beside the interpreter, and what they declare.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use hr_graph::Interpreter;

/// How far into a file is read to tell what it is.
const BEGINNING: u64 = 1024;

/// How alike a name must be to one that exists for that to be what was meant: 0 is not at all, 1 is the same.
const ALIKE: f64 = 0.75;

/// A command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Console {
    /// A Python script.
    Script(PathBuf),
    /// A function of a module.
    Function { module: String, function: String },
    /// A file that no Python interprets.
    NotPython(PathBuf),
}

/// The directory of the scripts that belong to an interpreter. Links are not followed: the interpreter of a virtual
/// environment is one.
pub(super) fn scripts(interpreter: &Interpreter) -> &Path {
    interpreter.executable.parent().unwrap_or(Path::new(""))
}

/// Finds a command by its name.
pub(super) fn find(name: &str, interpreter: &Interpreter) -> Option<Console> {
    let file = scripts(interpreter).join(name);
    if file.is_file() {
        return Some(if is_python(&file) { Console::Script(file) } else { Console::NotPython(file) });
    }
    let declared = declared(interpreter).find(|(declared, _)| declared == name);
    declared.and_then(|(_, reference)| function(&reference))
}

/// The command whose name is most like `name`, if one is.
pub(super) fn nearest(name: &str, interpreter: &Interpreter) -> Option<String> {
    let files = scripts(interpreter).read_dir().into_iter().flatten().flatten();
    let names = files
        .filter(|entry| is_python(&entry.path()))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .chain(declared(interpreter).map(|(name, _)| name));
    most_alike(name, names)
}

/// The one of `names` that is most like `name`, if one is.
pub(super) fn most_alike(name: &str, names: impl Iterator<Item = String>) -> Option<String> {
    names
        .map(|known| (strsim::jaro_winkler(name, &known), known))
        .filter(|(likeness, _)| *likeness > ALIKE)
        .max_by(|one, other| one.0.total_cmp(&other.0).then_with(|| other.1.cmp(&one.1)))
        .map(|(_, known)| known)
}

/// Whether a file is a script for a Python: its first line says so, or, where the interpreter's path is too long for a
/// first line, it is shell and Python at once, as pip and uv write it (`'''exec' /long/path/python "$0" "$@"`).
pub(super) fn is_python(file: &Path) -> bool {
    let mut beginning = Vec::new();
    let read = std::fs::File::open(file).and_then(|file| file.take(BEGINNING).read_to_end(&mut beginning));
    let beginning = String::from_utf8_lossy(&beginning);
    let mut lines = beginning.lines();
    let (first, second) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    read.is_ok()
        && first.starts_with("#!")
        && (names_python(first) || (second.starts_with("'''exec'") && names_python(second)))
}

fn names_python(line: &str) -> bool {
    line.split(['/', ' ', '"', '!']).any(|part| part.starts_with("python") || part.starts_with("pypy"))
}

/// The commands that distributions declare: name and `module:function`.
fn declared(interpreter: &Interpreter) -> impl Iterator<Item = (String, String)> {
    interpreter
        .sys_path
        .iter()
        .flat_map(|directory| directory.read_dir().into_iter().flatten().flatten())
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|suffix| suffix == "dist-info"))
        .flat_map(|path| {
            let text = std::fs::read_to_string(path.join("entry_points.txt")).unwrap_or_default();
            console_scripts(&text)
        })
}

/// Section `[console_scripts]` of an `entry_points.txt`; see the packaging specification "Entry points".
fn console_scripts(text: &str) -> Vec<(String, String)> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
        if line.starts_with('[') {
            inside = line == "[console_scripts]";
        } else if let (true, Some((name, reference))) = (inside, line.split_once('=')) {
            // Extras in brackets may follow; they say nothing at run time.
            let reference = reference.split('[').next().unwrap_or_default();
            found.push((name.trim().to_owned(), reference.trim().to_owned()));
        }
    }
    found
}

fn function(reference: &str) -> Option<Console> {
    let (module, function) = reference.split_once(':')?;
    Some(Console::Function { module: module.trim().into(), function: function.trim().into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_points_are_read() {
        let text = "[gui_scripts]\nx = y:z\n\n[console_scripts]\n# a comment\nshop = shop.cli:main [extra]\nb=c:d.e\n\
                    [other]\np = q:r\n";
        let expected = [("shop", "shop.cli:main"), ("b", "c:d.e")];
        let found = console_scripts(text);
        let found: Vec<_> = found.iter().map(|(name, what)| (name.as_str(), what.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn scripts_are_told_from_other_programs() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("program");
        for (text, expected) in [
            ("#!/usr/bin/python\n", true),
            ("#!/usr/bin/env python3.12\n", true),
            ("#!/opt/my env/bin/python\n", true),
            ("#!/bin/sh\n'''exec' \"/very long/bin/python3\" \"$0\" \"$@\"\n' '''\n", true),
            ("#!/bin/sh\nexec python app.py\n", false),
            ("\u{7f}ELF python", false),
            ("", false),
        ] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(is_python(&file), expected, "{text}");
        }
    }
}
