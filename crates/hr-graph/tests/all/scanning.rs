//! Scanning again, from the cache, in parallel, and what cannot be read.

use std::path::{Path, PathBuf};

use hr_graph::{Entry, Project, ProjectGraph, ScanOptions, Scanner};

use crate::support::{Tree, interpreter, planned};

fn summary(graph: &ProjectGraph) -> String {
    let options = ScanOptions::default();
    let edges: Vec<_> = graph
        .dependencies()
        .into_iter()
        .map(|(from, to, dependency)| format!("{} {} {dependency:?}", from.name, to.name))
        .collect();
    format!("{:#?}\n{edges:#?}\n{:#?}\n{:#?}", graph.plan(&options), graph.usages(&options), graph.problems())
}

fn sample() -> Tree {
    let tree = Tree::new(&[("p/__init__.py", "from . import m0\n"), ("bad.py", "import ok\nx = (\n")]);
    for number in 0..100 {
        let next = (number * 7 + 1) % 100;
        let source = format!("from p import m{next}\nimport lib{}\nx = 'é'\n", number % 13);
        tree.write(&format!("p/m{number}.py"), source.as_bytes());
    }
    tree
}

/// Makes all files look as if they had been written long ago: young ones are always read again.
fn age(directory: &Path) {
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        if entry.path().is_dir() {
            age(&entry.path());
        } else {
            let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(1000);
            std::fs::File::options().append(true).open(entry.path()).unwrap().set_modified(long_ago).unwrap();
        }
    }
}

fn cached(project: &Project, cache: &Path) -> ProjectGraph {
    let options = ScanOptions { cache_dir: Some(cache.to_owned()), ..ScanOptions::default() };
    hr_graph::scan(project, &interpreter(), &options)
}

fn shards(cache: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(cache).into_iter().flatten().flatten() {
        if entry.path().is_dir() { found.extend(shards(&entry.path())) } else { found.push(entry.path()) }
    }
    found.sort();
    found
}

#[test]
fn a_cached_scan_says_the_same_as_a_fresh_one() {
    let tree = sample();
    age(&tree.root());
    let cache = tempfile::tempdir().unwrap();
    let project = tree.project(&["."]);
    let fresh = summary(&tree.scan());
    assert_eq!(summary(&cached(&project, cache.path())), fresh);
    assert!(!shards(cache.path()).is_empty());
    assert_eq!(summary(&cached(&project, cache.path())), fresh);
    // An edit is seen, although size and time of modification stay as they were.
    let file = tree.at("p/m3.py");
    let before = std::fs::metadata(&file).unwrap().modified().unwrap();
    std::fs::remove_file(&file).unwrap();
    tree.write("p/m3.py", b"from p import m22\nimport new3\nx = '\xc3\xa9'\n");
    std::fs::File::options().append(true).open(&file).unwrap().set_modified(before).unwrap();
    assert!(planned(&cached(&project, cache.path())).contains(&"new3".to_owned()));
}

type Damage = fn(Vec<u8>) -> Vec<u8>;

#[test]
fn a_damaged_cache_counts_as_empty() {
    let tree = sample();
    age(&tree.root());
    let cache = tempfile::tempdir().unwrap();
    let project = tree.project(&["."]);
    let fresh = summary(&cached(&project, cache.path()));
    let damages: [Damage; 6] = [
        |_| Vec::new(),
        |bytes| bytes[..bytes.len() / 2].to_vec(),
        |bytes| bytes[..10].to_vec(),
        |mut bytes| {
            bytes[8] = 255;
            bytes
        },
        |mut bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            bytes
        },
        |bytes| [bytes, vec![0; 9]].concat(),
    ];
    for damage in damages {
        for shard in shards(cache.path()) {
            let bytes = std::fs::read(&shard).unwrap();
            std::fs::write(&shard, damage(bytes)).unwrap();
        }
        assert_eq!(summary(&cached(&project, cache.path())), fresh);
    }
}

#[test]
fn two_scans_may_share_a_cache_at_the_same_time() {
    let tree = sample();
    age(&tree.root());
    let cache = tempfile::tempdir().unwrap();
    let project = tree.project(&["."]);
    let fresh = summary(&tree.scan());
    std::thread::scope(|scope| {
        let scans: Vec<_> =
            (0..4).map(|_| scope.spawn(|| summary(&cached(&project, cache.path())))).collect();
        for scan in scans {
            assert_eq!(scan.join().unwrap(), fresh);
        }
    });
    assert_eq!(summary(&cached(&project, cache.path())), fresh);
}

#[test]
fn edits_within_one_tick_of_the_clock_are_seen() {
    let tree = Tree::new(&[("m.py", "import aaa")]);
    let mut scanner = Scanner::new(tree.project(&["."]), interpreter(), ScanOptions::default());
    for name in ["aaa", "bbb", "ccc", "ddd"] {
        // Same size, and as young as can be; overwriting keeps the inode.
        tree.write("m.py", format!("import {name}").as_bytes());
        assert_eq!(planned(&scanner.scan()), [name]);
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let tree = sample();
    let expected = summary(&tree.scan());
    for threads in [1, 2, 7] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(pool.install(|| summary(&tree.scan())), expected);
    }
}

#[test]
fn what_cannot_be_read_is_a_problem_and_the_scan_goes_on() {
    let tree = Tree::new(&[
        ("good.py", "import good1\n"),
        ("broken.py", "import found1\ndef f(:\n    import found2\n"),
    ]);
    tree.write("latin.py", b"import found3\nx = '\xe9'\n");
    std::fs::create_dir(tree.at("directory.py")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(tree.at("nowhere"), tree.at("dangling.py")).unwrap();
    let graph = tree.scan();
    assert_eq!(planned(&graph), ["found1", "good1", "found3", "found2"]);
    let problems: Vec<String> = graph
        .problems()
        .iter()
        .map(|problem| format!("{}:{}:{}", problem.file.display(), problem.line, problem.column))
        .collect();
    assert_eq!(problems, ["broken.py:2:7", "latin.py:2:6"]);
}

#[test]
fn whatever_changes_a_scan_lies_in_what_the_last_one_consulted() {
    let tree = Tree::new(&[
        ("src/app/__init__.py", "import numbers_of_mine\nimport plugin\nimport native\n"),
        ("src/app/main.py", "from app import helper\nimport missing_yet\n"),
        ("src/app/helper.py", "import json\n"),
        ("src/app/generated/made.py", "import only_generated\n"),
        ("src/app/.gitignore", "ignored/\n"),
        ("src/app/ignored/other.py", "import only_ignored\n"),
        ("elsewhere/real.py", "import behind_the_link\n"),
        ("lib/numbers_of_mine.py", ""),
        ("lib/package/__init__.py", ""),
    ]);
    std::os::unix::fs::symlink(tree.at("elsewhere/real.py"), tree.at("src/app/plugin.py")).unwrap();
    std::os::unix::fs::symlink(tree.at("nowhere.py"), tree.at("src/app/dangling.py")).unwrap();
    let interpreter = tree.interpreter(&["src", "lib", "absent"]);
    let project = Project::with_source_roots(&tree.root(), &[tree.at("src")], Entry::All, &interpreter);
    let mut scanner = Scanner::new(project, interpreter, ScanOptions::default());
    let mut before = summary(&scanner.scan());
    // Each path is written; `None` removes it.
    for (path, content) in [
        ("src/app/helper.py", Some("import json, csv\n")),
        ("src/app/new.py", Some("import only_new\n")),
        ("src/app/.gitignore", Some("generated/\n")),
        ("src/app/deep/.gitignore", Some("*.py\n")),
        ("src/app/deep/er/module.py", Some("import only_deep\n")),
        ("elsewhere/real.py", Some("import now_something_else\n")),
        ("nowhere.py", Some("import at_last\n")),
        ("lib/missing_yet.py", Some("")),
        ("lib/numbers_of_mine.py", None),
        ("lib/native/__init__.py", Some("")),
        ("absent/plugin.py", Some("")),
        ("src/app/new.py", None),
    ] {
        let consulted = scanner.consulted();
        let written = tree.at(path);
        let is_new = !written.exists();
        match content {
            Some(content) => tree.write(path, content.as_bytes()),
            None => std::fs::remove_file(&written).unwrap(),
        }
        let after = summary(&scanner.scan());
        let was_read = consulted
            .files
            .iter()
            .chain(&consulted.directories)
            .any(|known| *known == written || known.canonicalize().is_ok_and(|known| known == written));
        let comes_or_goes = is_new || content.is_none();
        let was_listed = comes_or_goes
            && written.ancestors().any(|above| consulted.directories.iter().any(|known| known == above));
        assert!(after == before || was_read || was_listed, "{path} was not consulted: {consulted:#?}");
        before = after;
    }
    assert!(before.contains("now_something_else") && before.contains("at_last"), "{before}");
    assert!(!before.contains("only_generated") && before.contains("only_ignored"), "{before}");
}
