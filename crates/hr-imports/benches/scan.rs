//! Text in, imports out: the fast path beside the full parser, on the sample that the tests use, and both as they work
//! together on a real tree.
//!
//! The tree is the standard library of `python3`, or of the interpreter that `HR_TEST_PYTHON` names.
#![allow(missing_docs, reason = "made by macros")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot be set up has failed")]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hr_imports::{ModuleName, Target, decode, scan_bytes, scan_text_fast, scan_text_in_full};

const SAMPLE: &str = include_str!("../tests/all/plain.py");
const MODULE: ModuleName<'static> = ModuleName { name: "a.b.c.d", is_package: false };

fn sample(criterion: &mut Criterion) {
    let text = SAMPLE.repeat(50);
    let target = Target::default();
    assert_eq!(
        scan_text_fast(&text, MODULE, &target),
        Some(scan_text_in_full(&text, MODULE, &target)),
        "both are measured doing the same"
    );
    let mut group = criterion.benchmark_group("sample");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("fast", |bencher| {
        bencher.iter(|| scan_text_fast(black_box(&text), MODULE, &target));
    });
    group.bench_function("full", |bencher| {
        bencher.iter(|| scan_text_in_full(black_box(&text), MODULE, &target));
    });
    group.finish();
}

fn standard_library(criterion: &mut Criterion) {
    let sources: Vec<Vec<u8>> = files(&library()).iter().map(|file| std::fs::read(file).unwrap()).collect();
    let size: usize = sources.iter().map(Vec::len).sum();
    let target = Target::default();
    let mut group = criterion.benchmark_group("standard library");
    group.sample_size(10).throughput(Throughput::Bytes(size as u64));
    let mut measure = |name: &str, scan: &dyn Fn(&[u8])| {
        group.bench_with_input(BenchmarkId::new(name, sources.len()), &sources, |bencher, sources| {
            bencher.iter(|| sources.iter().for_each(|source| scan(black_box(source))));
        });
    };
    measure("decode", &|source| drop(black_box(decode(source))));
    measure("as it is", &|source| drop(black_box(scan_bytes(source, MODULE, &target))));
    measure("full", &|source| drop(black_box(scan_text_in_full(&decode(source).0, MODULE, &target))));
    group.finish();
}

/// The directory of the standard library.
fn library() -> PathBuf {
    let python = std::env::var_os("HR_TEST_PYTHON").unwrap_or_else(|| "python3".into());
    let question = "import os; print(os.path.dirname(os.__file__))";
    let answer = Command::new(python).args(["-c", question]).output().unwrap().stdout;
    PathBuf::from(String::from_utf8(answer).unwrap().trim())
}

/// The Python files below a directory, what is installed in it aside.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() && entry.file_name() != "site-packages" {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|suffix| suffix == "py") {
            found.push(path);
        }
    }
    found.sort();
    found
}

criterion_group!(benches, sample, standard_library);
criterion_main!(benches);
