//! What an edit means.

use hr_graph::{Change, Changes, ScanOptions, Scanner};

use crate::support::{Tree, interpreter};

const BEFORE: &str =
    "\"\"\"Doc.\"\"\"\nimport numpy  # why\n\ndef f(a, b):\n    \"\"\"Doc.\"\"\"\n    return g(a,b)\n";

/// What happens when a project's only module becomes `after`.
fn edit(after: &str) -> Changes {
    edited(&[("m.py", BEFORE)], |tree| tree.write("m.py", after.as_bytes()))
}

fn edited(files: &[(&str, &str)], change: impl FnOnce(&Tree)) -> Changes {
    let tree = Tree::new(files);
    let options = ScanOptions::default();
    let mut scanner = Scanner::new(tree.project(&["."]), interpreter(), options.clone());
    let before = scanner.scan();
    change(&tree);
    before.changes(&scanner.scan(), &options)
}

fn kinds(changes: &Changes) -> Vec<&Change> {
    changes.files.iter().map(|file| &file.change).collect()
}

#[test]
fn comments_and_formatting_are_no_change_unless_they_move_code() {
    let same_lines = edit(&BEFORE.replace("# why", "# because").replace("(a,b)", "( a, b )"));
    assert_eq!(kinds(&same_lines), [&Change::Cosmetic]);
    assert!(same_lines.is_nothing());
    let moved = edit(&BEFORE.replace("\n\ndef", "\n\n\ndef"));
    assert_eq!(kinds(&moved), [&Change::Code]);
    assert!(!moved.is_nothing());
    assert!(edit(BEFORE).files.is_empty());
}

#[test]
fn docstrings_are_told_apart_from_code() {
    assert_eq!(kinds(&edit(&BEFORE.replace("Doc.", "Dok."))), [&Change::Docstrings]);
    assert_eq!(kinds(&edit(&BEFORE.replace("return g", "return h"))), [&Change::Code]);
    assert_eq!(kinds(&edit(&BEFORE.replace("    return", "     return"))), [&Change::Unreadable]);
}

#[test]
fn imports_that_come_and_go_are_named() {
    let added = edit(&BEFORE.replace("import numpy", "import numpy, pandas"));
    assert_eq!(
        (added.imports_added.as_slice(), added.imports_removed.len()),
        (&["pandas".to_owned()][..], 0)
    );
    let removed = edit(&BEFORE.replace("import numpy", "pass"));
    assert_eq!(
        (removed.imports_added.len(), removed.imports_removed.as_slice()),
        (0, &["numpy".to_owned()][..])
    );
}

#[test]
fn broken_files_are_unreadable_until_repaired() {
    let broken = edit("import numpy\ndef f(:\n");
    assert_eq!(kinds(&broken), [&Change::Unreadable]);
    assert!(broken.has_unreadable());
    let repaired = edited(&[("m.py", "def f(:\n")], |tree| tree.write("m.py", b"def f(): pass\n"));
    assert_eq!(kinds(&repaired), [&Change::Code]);
}

#[test]
fn files_are_added_deleted_and_moved() {
    let changes = edited(&[("a.py", "x = 1"), ("b.py", "y = 2"), ("p/__init__.py", "")], |tree| {
        std::fs::rename(tree.at("a.py"), tree.at("p/a.py")).unwrap();
        std::fs::remove_file(tree.at("b.py")).unwrap();
        tree.write("c.py", b"import pandas");
    });
    let found: Vec<(String, &Change)> =
        changes.files.iter().map(|file| (file.file.to_string_lossy().into_owned(), &file.change)).collect();
    assert_eq!(
        found,
        [
            ("b.py".to_owned(), &Change::Deleted),
            ("c.py".to_owned(), &Change::Added),
            ("p/a.py".to_owned(), &Change::Moved { from: "a.py".into() }),
        ]
    );
    assert_eq!(changes.imports_added, ["pandas"]);
}
