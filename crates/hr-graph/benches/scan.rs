//! A project in, a graph out: nothing known, nothing changed, one file edited; and what is asked of the graph.
#![allow(missing_docs, reason = "made by macros")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot be set up has failed")]

use std::collections::BTreeSet;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use hr_graph::{Entry, Interpreter, Project, ProjectGraph, ScanOptions, Scanner};

const MODULES: usize = 1000;
const LIBRARIES: usize = 50;

/// A module that imports another one, a library and the standard library, and has some code of its own.
fn source(number: usize) -> String {
    let next = (number * 31 + 7) % MODULES;
    let body = "def function(argument):\n    return argument + 1\n\n\n".repeat(40);
    format!("import os\nimport library{}\nimport m{next}\n\n{body}", number % LIBRARIES)
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

/// What every scan must come to for its time to mean anything.
fn check(graph: &ProjectGraph, options: &ScanOptions) {
    assert_eq!(graph.modules().count(), MODULES);
    assert_eq!(graph.plan(options).modules.len(), LIBRARIES + 1);
    assert!(graph.problems().is_empty());
}

fn scans(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("project");
    std::fs::create_dir(&root).unwrap();
    for number in 0..MODULES {
        std::fs::write(root.join(format!("m{number}.py")), source(number)).unwrap();
    }
    let interpreter = interpreter();
    let project = Project::with_source_roots(&root, std::slice::from_ref(&root), Entry::All, &interpreter);
    let options = ScanOptions::default();
    let scanner = |cache: Option<&Path>| {
        let options = ScanOptions { cache_dir: cache.map(Path::to_owned), ..options.clone() };
        Scanner::new(project.clone(), interpreter.clone(), options)
    };

    let mut group = criterion.benchmark_group("1000 modules");
    group.bench_function("nothing known", |bencher| bencher.iter(|| scanner(None).scan()));

    let cache = directory.path().join("cache");
    // What was written a moment before it was read is read again once; the warm-up does that.
    let mut first = scanner(Some(&cache));
    check(&first.scan(), &options);
    first.save();
    group.bench_function("known from the cache", |bencher| bencher.iter(|| scanner(Some(&cache)).scan()));

    let mut known = scanner(None);
    let graph = known.scan();
    check(&graph, &options);
    group.bench_function("nothing changed", |bencher| bencher.iter(|| known.scan()));

    let mut edit = 0;
    group.bench_function("one file edited", |bencher| {
        bencher.iter(|| {
            edit += 1;
            std::fs::write(root.join("m0.py"), format!("{}edit = {edit}\n", source(0))).unwrap();
            known.scan()
        });
    });
    let edited = known.scan();
    check(&edited, &options);

    group.bench_function("plan", |bencher| bencher.iter(|| graph.plan(&options)));
    group.bench_function("usages", |bencher| bencher.iter(|| graph.usages(&options)));
    group.bench_function("chains", |bencher| bencher.iter(|| graph.chains_to("library7")));
    group.bench_function("changes", |bencher| bencher.iter(|| graph.changes(&edited, &options)));
    group.finish();
}

criterion_group!(benches, scans);
criterion_main!(benches);
