//! Text in, imports out: the fast path beside the full parser, on the sample that the tests use.
#![allow(missing_docs, reason = "made by macros")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hr_imports::{ModuleName, Target, scan_text_fast, scan_text_in_full};

const SAMPLE: &str = include_str!("../tests/all/plain.py");

fn scan(criterion: &mut Criterion) {
    let text = SAMPLE.repeat(50);
    let (module, target) = (ModuleName::module("a.b.c.d"), Target::default());
    let mut group = criterion.benchmark_group("scan");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group
        .bench_function("fast", |bencher| bencher.iter(|| scan_text_fast(black_box(&text), module, &target)));
    group.bench_function("full", |bencher| {
        bencher.iter(|| scan_text_in_full(black_box(&text), module, &target));
    });
    group.finish();
}

criterion_group!(benches, scan);
criterion_main!(benches);
