//! A save in a large project: what a scan costs that is told which file it was, beside one that is not, and beside
//! looking at each file once.
//!
//! `HR_BENCH_TREE` names a directory of modules to measure as well, such as an environment's `site-packages`.
#![allow(missing_docs, reason = "made by macros")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot be set up has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use criterion::{Criterion, criterion_group, criterion_main};
use hr_graph::{Entry, Interpreter, Project, ScanOptions, Scanner};

/// Modules in packages of 30, each of which imports ten others, libraries and the standard library.
fn generate(root: &Path, modules: usize) {
    let name = |number: usize| format!("package{}.module{number}", number / 30);
    for number in 0..modules {
        let package = root.join(format!("package{}", number / 30));
        fs::create_dir_all(&package).unwrap();
        if number % 30 == 0 {
            fs::write(package.join("__init__.py"), "").unwrap();
        }
        let imported = (1..11).map(|step| name((number * 31 + step * step * 7) % modules));
        let imports: String =
            imported.flat_map(|name| ["import ".to_owned(), name, "\n".to_owned()]).collect();
        let body = "def function(argument):\n    return argument + 1\n\n\n".repeat(40);
        let source = format!("import os\nimport library{}\n{imports}\n{body}", number % 50);
        fs::write(package.join(format!("module{number}.py")), source).unwrap();
    }
}

fn interpreter() -> Interpreter {
    Interpreter {
        executable: "python3".into(),
        version: (3, 12),
        platform: "linux".to_owned(),
        sys_path: Vec::new(),
        stdlib: BTreeSet::from(["os".to_owned()]),
        builtins: BTreeSet::new(),
    }
}

/// The least that it takes to know whether any file has changed, on one processor. Returns how many there are.
fn walk(directory: &Path) -> usize {
    let entries = fs::read_dir(directory).unwrap().flatten();
    entries
        .map(|entry| {
            if entry.file_type().unwrap().is_dir() {
                walk(&entry.path())
            } else {
                usize::from(entry.path().metadata().is_ok())
            }
        })
        .sum()
}

fn measure(criterion: &mut Criterion, name: &str, root: &Path, edited: &Path) {
    let interpreter = interpreter();
    let project = Project::with_source_roots(root, &[root.to_owned()], Entry::All, &interpreter);
    let options = ScanOptions::default();
    let mut scanner = Scanner::new(project, interpreter, options.clone());
    let modules = scanner.scan().modules().count();
    let source = fs::read_to_string(edited).unwrap();
    let suspects = [edited.to_owned()];
    let mut edits = 0;
    let mut edit = |line: &str| {
        edits += 1;
        fs::write(edited, format!("{line}{source}\n# {edits}\n")).unwrap();
        edits
    };

    let mut group = criterion.benchmark_group(format!("{name}, {modules} modules"));
    group.sample_size(40);
    group.bench_function("walk and stat", |bencher| bencher.iter(|| walk(root)));
    group.bench_function("write a file", |bencher| bencher.iter(|| edit("")));
    group.bench_function("scan after an edit", |bencher| {
        bencher.iter(|| {
            edit("");
            scanner.scan()
        });
    });
    group.bench_function("rescan after an edit", |bencher| {
        bencher.iter(|| {
            edit("");
            scanner.rescan(&suspects)
        });
    });
    group.bench_function("rescan after another import", |bencher| {
        bencher.iter(|| {
            // Two edits are made each time.
            let line = if edit("") % 4 < 2 { "import sys\n" } else { "import json\n" };
            edit(line);
            scanner.rescan(&suspects)
        });
    });
    let graph = scanner.rescan(&suspects);
    group.bench_function("plan", |bencher| bencher.iter(|| graph.plan(&options)));
    group.finish();
    fs::write(edited, source).unwrap();
}

fn rescans(criterion: &mut Criterion) {
    for modules in [300, 3000] {
        let directory = tempfile::tempdir().unwrap();
        generate(directory.path(), modules);
        let edited = directory.path().join("package3/module100.py");
        measure(criterion, "generated", directory.path(), &edited);
    }
    if let Some(tree) = std::env::var_os("HR_BENCH_TREE").map(PathBuf::from) {
        // The name is one that nothing else has.
        let edited = tree.join("hr_bench_edited.py");
        fs::write(&edited, "import os\n").unwrap();
        measure(criterion, "given", &tree, &edited);
        fs::remove_file(edited).unwrap();
    }
}

criterion_group!(benches, rescans);
criterion_main!(benches);
