//! The same imports as Python's own parser finds, in every file of the standard library and of the installed packages that
//! `HR_TEST_TREES` lists: `cargo xtask test` has it list what fixtures/realapp needs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use hr_imports::{FileImports, Form, ModuleName, Target, scan_bytes};
use serde::Deserialize;

/// Deep enough that no relative import leaves it; the same as in imports.py.
const MODULE: &str = "a.b.c.d.e.f.g.h.module";

/// Files of standard libraries about which Ruff's parser and `CPython` disagree, and why that is right.
const EXCEPTIONS: &[(&str, &str)] = &[];

#[derive(Deserialize)]
struct Answer {
    path: PathBuf,
    error: Option<String>,
    #[serde(default)]
    imports: Vec<Statement>,
}

#[test]
fn python_itself_finds_the_same_imports() {
    let python = std::env::var_os("HR_TEST_PYTHON").unwrap_or_else(|| "python3".into());
    let asked = ask(
        &python,
        &["-c", "import sys, os; print(sys.version_info[1]); print(os.path.dirname(os.__file__))"],
    );
    let mut lines = asked.lines();
    let minor: u8 = lines.next().and_then(|line| line.parse().ok()).expect("a version");
    let library = lines.next().expect("a directory").to_owned();
    let target = Target { version: (3, minor), ..Target::default() };
    let mut trees = vec![library];
    trees.extend(installed().iter().map(|tree| tree.to_string_lossy().into_owned()));
    // Python takes its time, so it looks at all trees at once.
    let answers: Vec<String> = std::thread::scope(|scope| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/all/imports.py");
        let python = &python;
        let asked: Vec<_> =
            trees.iter().map(|tree| scope.spawn(move || ask(python, &[script, tree]))).collect();
        asked.into_iter().map(|answer| answer.join().expect("an answer")).collect()
    });

    let (mut compared, mut differences) = (0, BTreeMap::new());
    for line in answers.iter().flat_map(|answer| answer.lines()) {
        let answer: Answer = serde_json::from_str(line).expect("an answer");
        if EXCEPTIONS.iter().any(|(end, _)| answer.path.ends_with(end)) {
            continue;
        }
        compared += 1;
        if let Some(difference) = difference(&answer, &target) {
            differences.insert(answer.path, difference);
        }
    }
    assert!(compared > 500, "only {compared} files were compared");
    assert!(differences.is_empty(), "{} of {compared} files differ: {differences:#?}", differences.len());
}

fn difference(answer: &Answer, target: &Target) -> Option<String> {
    let bytes = std::fs::read(&answer.path).expect("a readable file");
    let found = scan_bytes(&bytes, ModuleName::module(MODULE), target);
    match (&answer.error, found.problems.first()) {
        (Some(_), Some(_)) => return None,
        (Some(error), None) => return Some(format!("Python alone refuses it: {error}")),
        (None, Some(problem)) => return Some(format!("Python accepts it, not so this: {problem:?}")),
        (None, None) => {}
    }
    let ours = statements(&found);
    (ours != answer.imports).then(|| format!("{ours:?}\ninstead of {:?}", answer.imports))
}

/// Module, names with their aliases, line, column, and whether it stands in a function.
type Statement = (String, Option<Vec<(String, Option<String>)>>, u32, u32, bool);

fn statements(found: &FileImports) -> Vec<Statement> {
    let mut statements: Vec<Statement> = found
        .imports
        .iter()
        .filter(|import| !import.is_call())
        .map(|import| {
            let names = match &import.form {
                Form::Module { .. } => None,
                Form::Star => Some(vec![("*".to_owned(), None)]),
                Form::Names(names) | Form::Call(names) => {
                    Some(names.iter().map(|name| (name.name.clone(), name.alias.clone())).collect())
                }
            };
            let location = import.location;
            (import.module.clone(), names, location.line, location.column, import.context.in_function)
        })
        .collect();
    statements.sort_by(|one, other| (one.2, one.3, &one.0).cmp(&(other.2, other.3, &other.0)));
    statements
}

/// The directories of installed packages that `HR_TEST_TREES` lists.
fn installed() -> Vec<PathBuf> {
    let trees = std::env::var_os("HR_TEST_TREES");
    trees
        .iter()
        .flat_map(std::env::split_paths)
        .inspect(|tree| assert!(tree.is_dir(), "{}", tree.display()))
        .collect()
}

fn ask(python: &std::ffi::OsStr, arguments: &[&str]) -> String {
    let output = Command::new(python).args(arguments).output().expect("Python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}
