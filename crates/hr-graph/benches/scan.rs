//! A project in, a graph out: nothing known, nothing changed, one file edited.
#![allow(missing_docs, reason = "made by macros")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot be set up has failed")]

use std::collections::BTreeSet;

use criterion::{Criterion, criterion_group, criterion_main};
use hr_graph::{Entry, Interpreter, Project, ScanOptions, Scanner};

const MODULES: usize = 1000;

fn scan(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().to_owned();
    for number in 0..MODULES {
        let next = (number * 31 + 7) % MODULES;
        let body = "def function(argument):\n    return argument + 1\n\n\n".repeat(40);
        let source = format!("import os\nimport library{}\nimport m{next}\n\n{body}", number % 50);
        std::fs::write(root.join(format!("m{number}.py")), source).unwrap();
    }
    let interpreter = Interpreter {
        executable: "python3".into(),
        version: (3, 12),
        platform: "linux".to_owned(),
        sys_path: Vec::new(),
        stdlib: BTreeSet::from(["os".to_owned()]),
        builtins: BTreeSet::new(),
    };
    let project = Project::with_source_roots(&root, std::slice::from_ref(&root), Entry::All, &interpreter);
    let options = ScanOptions::default();
    let mut group = criterion.benchmark_group("1000 modules");
    group.bench_function("nothing known", |bencher| {
        bencher.iter(|| hr_graph::scan(&project, &interpreter, &options));
    });
    let mut scanner = Scanner::new(project.clone(), interpreter.clone(), options.clone());
    let graph = scanner.scan();
    group.bench_function("nothing changed", |bencher| bencher.iter(|| scanner.scan()));
    let mut edit = 0;
    group.bench_function("one file edited", |bencher| {
        bencher.iter(|| {
            edit += 1;
            std::fs::write(root.join("m0.py"), format!("import m1\nedit = {edit}\n")).unwrap();
            scanner.scan()
        });
    });
    group.bench_function("plan", |bencher| bencher.iter(|| graph.plan(&options)));
    group.finish();
}

criterion_group!(benches, scan);
criterion_main!(benches);
