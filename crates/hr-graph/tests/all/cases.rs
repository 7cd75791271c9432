//! Small trees from the test suites of `CPython`, Ruff, grimp, tach, deptry and others, with what they import.

use std::collections::{BTreeMap, BTreeSet};

use hr_graph::{Kind, ProjectGraph, ScanOptions};
use serde::Deserialize;

use crate::support::{Tree, interpreter};

#[derive(Deserialize)]
struct Case {
    name: String,
    source_roots: Vec<String>,
    files: BTreeMap<String, String>,
    #[serde(default)]
    files_b64: BTreeMap<String, String>,
    #[serde(default)]
    files_touch: Vec<String>,
    /// Top-level names.
    third_party: BTreeSet<String>,
    /// Those of them that run time needs, where that differs.
    runtime_third_party: Option<BTreeSet<String>>,
    /// Dotted names, where they matter.
    third_party_modules: Option<BTreeSet<String>>,
    stdlib: BTreeSet<String>,
    first_party_edges: BTreeSet<(String, String)>,
    #[serde(default)]
    dynamic_edges: BTreeSet<(String, String)>,
    #[serde(default)]
    error_files: BTreeSet<String>,
    #[serde(default)]
    unresolved: Vec<String>,
}

#[test]
fn every_case_scans_as_expected() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../cases.json")).unwrap();
    let failures: Vec<String> = cases.iter().flat_map(check).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn check(case: &Case) -> Vec<String> {
    let tree = Tree::new(&[]);
    for (path, content) in &case.files {
        tree.write(path, content.as_bytes());
    }
    for (path, content) in &case.files_b64 {
        tree.write(path, &base64(content));
    }
    for path in &case.files_touch {
        tree.write(path, b"");
    }
    let roots: Vec<&str> = case.source_roots.iter().map(String::as_str).collect();
    let graph = hr_graph::scan(&tree.project(&roots), &interpreter(), &ScanOptions::default());

    let mut failures = Vec::new();
    let mut expect = |what: &str, same: bool, found: String| {
        if !same {
            failures.push(format!("{}: {what}: {found}", case.name));
        }
    };
    // A parser that recovers may find more in broken files: allowed, not required.
    let broken = top_level_of_broken(&graph, case);
    let third: BTreeSet<String> = top_level(&graph, Kind::ThirdParty).difference(&broken).cloned().collect();
    expect("third party", third == case.third_party, format!("{third:?}"));
    let stdlib = top_level(&graph, Kind::Stdlib);
    expect("stdlib", stdlib == case.stdlib, format!("{stdlib:?}"));
    let edges = |by_call: bool| -> BTreeSet<(String, String)> {
        graph
            .dependencies()
            .into_iter()
            .filter(|(_, _, dependency)| dependency.by_call == by_call)
            .map(|(from, to, _)| (from.name.clone(), to.name.clone()))
            .collect()
    };
    expect("edges", edges(false) == case.first_party_edges, format!("{:?}", edges(false)));
    expect("dynamic edges", edges(true) == case.dynamic_edges, format!("{:?}", edges(true)));
    let problems: BTreeSet<String> =
        graph.problems().iter().map(|problem| problem.file.to_string_lossy().into_owned()).collect();
    expect("problems", problems == case.error_files, format!("{:?}", graph.problems()));
    let unresolved: Vec<String> = graph
        .unresolved()
        .iter()
        .map(|unresolved| {
            let is_relative = unresolved.written.starts_with('.');
            if is_relative {
                format!("{}: {}", unresolved.importer, unresolved.written)
            } else {
                unresolved.written.clone()
            }
        })
        .collect();
    expect(
        "unresolved",
        case.unresolved.iter().all(|one| unresolved.contains(one)),
        format!("{unresolved:?}"),
    );
    let plan = graph.plan(&ScanOptions::default());
    let planned: BTreeSet<String> = plan
        .modules
        .iter()
        .filter(|module| module.kind == Kind::ThirdParty)
        .map(|module| module.name.clone())
        .collect();
    if let Some(runtime) = &case.runtime_third_party {
        expect("planned", planned == *runtime, format!("{planned:?}"));
    }
    if let Some(modules) = &case.third_party_modules {
        expect("planned modules", planned == *modules, format!("{planned:?}"));
    }
    failures
}

fn top_level(graph: &ProjectGraph, wanted: Kind) -> BTreeSet<String> {
    graph
        .externals()
        .into_iter()
        .filter(|(_, kind)| *kind == wanted)
        .map(|(name, _)| name.split('.').next().unwrap_or(name).to_owned())
        .collect()
}

fn top_level_of_broken(graph: &ProjectGraph, case: &Case) -> BTreeSet<String> {
    graph
        .modules()
        .filter(|module| case.error_files.contains(&*graph.relative(&module.file).to_string_lossy()))
        .flat_map(|module| graph.externals_of(&module.name))
        .map(|name| name.split('.').next().unwrap_or(&name).to_owned())
        .collect()
}

fn base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for letter in text.bytes().filter(|letter| *letter != b'=') {
        bits =
            bits << 6 | u32::try_from(ALPHABET.iter().position(|known| *known == letter).unwrap()).unwrap();
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).unwrap());
        }
    }
    bytes
}
