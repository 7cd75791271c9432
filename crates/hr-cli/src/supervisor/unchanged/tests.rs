use std::fs;

use hr_graph::{Entry, Interpreter, Project as Source, ScanOptions, Scanner};
use proptest::prelude::*;
use proptest::sample::Index;
use tempfile::TempDir;

use super::*;

/// A project, and the account of its last scan.
struct Project {
    root: TempDir,
    last: LastScan,
    consulted: Arc<Consulted>,
}

impl Project {
    fn new(watch: Watch) -> Self {
        let root = tempfile::tempdir().unwrap();
        Self { root, last: LastScan::new(watch), consulted: Arc::default() }
    }

    /// What a scan does when it is asked for: nothing if the last one still holds.
    fn needs_a_scan(&mut self) -> bool {
        if self.last.still_holds() {
            assert!(self.last.take_asked().is_some());
            return false;
        }
        assert!(self.last.take_asked().is_none(), "there will be another");
        self.last.begin();
        self.answer();
        assert!(self.last.take_asked().is_some());
        assert!(self.last.take_asked().is_none(), "once");
        true
    }

    fn answer(&mut self) {
        let entries = fs::read_dir(self.root.path()).unwrap().flatten().map(|entry| entry.path());
        let mut consulted = Consulted {
            files: entries.collect(),
            directories: vec![self.root.path().to_owned(), self.root.path().join("missing")],
        };
        consulted.files.sort();
        if consulted != *self.consulted {
            self.consulted = Arc::new(consulted);
        }
        self.last.replace(Scan::default(), Arc::clone(&self.consulted));
    }
}

#[test]
fn a_scan_holds_until_something_happens_to_what_decided_it() {
    let mut project = Project::new(Watch::start());
    let root = project.root.path().to_owned();
    let at = |name: &str| root.join(name);
    let (one, two, moved, missing) = (at("one.py"), at("two.py"), at("moved.py"), at("missing"));
    fs::write(&one, "").unwrap();
    let mut scans_after = |happens: &dyn Fn()| {
        happens();
        (0..4).take_while(|_| project.needs_a_scan()).count()
    };
    assert_eq!(scans_after(&|| ()), 2, "what decided the first was not watched before it began");
    assert_eq!(scans_after(&|| ()), 0);
    assert_eq!(scans_after(&|| fs::write(&one, "import json").unwrap()), 1);
    assert_eq!(scans_after(&|| fs::write(&two, "").unwrap()), 2, "there is another file to watch");
    assert_eq!(scans_after(&|| fs::rename(&two, &moved).unwrap()), 2);
    assert_eq!(scans_after(&|| fs::rename(&moved, &one).unwrap()), 2);
    assert_eq!(scans_after(&|| fs::remove_file(&one).unwrap()), 2);
    assert_eq!(scans_after(&|| fs::create_dir(&missing).unwrap()), 2);
    assert_eq!(scans_after(&|| ()), 0);
}

#[test]
fn where_nothing_can_be_watched_every_scan_is_made() {
    let mut project = Project::new(Watch::default());
    assert!((0..3).all(|_| project.needs_a_scan()));
    assert!(!project.last.still_holds());
    assert!(project.last.begin().is_none(), "and of everything");
}

#[test]
fn a_scan_is_told_what_has_happened_since_the_last_one_began() {
    let mut project = Project::new(Watch::start());
    let root = project.root.path().to_owned();
    let (one, two) = (root.join("one.py"), root.join("two.py"));
    fs::write(&one, "").unwrap();
    while project.needs_a_scan() {}
    let told = |project: &mut Project| {
        assert!(!project.last.still_holds());
        project.last.begin().map(|told| told.suspects)
    };

    fs::write(&one, "import json").unwrap();
    assert!(!project.last.is_current());
    assert!(!project.last.is_current(), "that somebody asks makes it no better");
    assert_eq!(told(&mut project), Some(vec![one.clone()]));
    // While it is made, and before it is there.
    fs::write(&one, "import os").unwrap();
    assert!(!project.last.is_current());
    project.answer();
    assert!(!project.last.is_current(), "the scan may have come too early for that");
    assert_eq!(told(&mut project), Some(vec![one]));
    project.answer();
    assert!(project.last.is_current());

    fs::write(&two, "").unwrap();
    assert_eq!(told(&mut project), Some(vec![root.clone(), root.join("missing")]), "where it would appear");
    project.answer();
    assert_eq!(told(&mut project), Some(vec![two]), "it was not watched before");
    project.answer();

    fs::rename(&root, root.with_extension("moved")).unwrap();
    fs::rename(root.with_extension("moved"), &root).unwrap();
    assert_eq!(told(&mut project), None);
}

/// What happens to a project, and where its supervisor is by then.
#[derive(Clone, Debug)]
enum Step {
    Write(Index, Index),
    Replace(Index, Index),
    Remove(Index),
    MoveAway,
    MoveBack,
    /// Somebody asks whether the last scan is still right.
    Ask,
    /// A scan is asked for, made, and taken in.
    Request,
    Make,
    TakeIn,
}

const FILES: [&str; 6] =
    ["app/main.py", "app/one.py", "app/p/__init__.py", "app/p/a.py", "site/lib/b.py", "site/c.py"];
const SOURCES: [&str; 7] =
    ["", "import one", "import p.a", "from p import a", "import lib.b", "import c, lib", "import ("];

fn step() -> impl Strategy<Value = Step> {
    let two = any::<(Index, Index)>;
    prop_oneof![
        6 => two().prop_map(|(file, source)| Step::Write(file, source)),
        2 => two().prop_map(|(file, source)| Step::Replace(file, source)),
        1 => any::<Index>().prop_map(Step::Remove),
        1 => Just(Step::MoveAway),
        1 => Just(Step::MoveBack),
        3 => Just(Step::Ask),
        4 => Just(Step::Request),
        4 => Just(Step::Make),
        4 => Just(Step::TakeIn),
    ]
}

/// A project and its supervisor, as far as scans go: these are made on another thread, one at a time.
struct World {
    root: TempDir,
    source: Source,
    interpreter: Interpreter,
    scanner: Scanner,
    last: LastScan,
    /// What the scan that was asked for is told.
    requested: Vec<Option<Told>>,
    made: Option<(String, Arc<Consulted>)>,
    /// What the last scan has found.
    found: String,
    /// Whether nothing has happened since a scan was asked for.
    is_quiet: bool,
}

impl World {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        for directory in ["app/p", "site/lib"] {
            fs::create_dir_all(at(directory)).unwrap();
        }
        for (file, source) in FILES.iter().zip(["import p.a", "", "", "import one", "", ""]) {
            fs::write(at(file), source).unwrap();
        }
        let interpreter = Interpreter {
            executable: "python3".into(),
            version: (3, 12),
            platform: "linux".to_owned(),
            sys_path: vec![at("app"), at("site")],
            stdlib: BTreeSet::new(),
            builtins: BTreeSet::new(),
        };
        let entry = Entry::Script(at("app/main.py"));
        let source = Source::with_source_roots(root.path(), &[at("app")], entry, &interpreter);
        let scanner = Scanner::new(source.clone(), interpreter.clone(), ScanOptions::default());
        let last = LastScan::new(Watch::start());
        Self {
            root,
            source,
            interpreter,
            scanner,
            last,
            requested: Vec::new(),
            made: None,
            found: String::new(),
            is_quiet: true,
        }
    }

    fn take(&mut self, step: &Step) -> std::io::Result<()> {
        let at = |name: &str| self.root.path().join(name);
        self.is_quiet &= matches!(step, Step::Ask | Step::Request | Step::Make | Step::TakeIn);
        let file = |index: &Index| at(index.get::<&str>(&FILES));
        match step {
            Step::Write(path, source) => fs::write(file(path), source.get::<&str>(&SOURCES)),
            Step::Replace(path, source) => {
                fs::write(at("new"), source.get::<&str>(&SOURCES))?;
                fs::rename(at("new"), file(path))
            }
            Step::Remove(path) => fs::remove_file(file(path)),
            Step::MoveAway => fs::rename(at("app/p"), at("elsewhere")),
            Step::MoveBack => fs::rename(at("elsewhere"), at("app/p")),
            Step::Ask => {
                if self.last.is_current() {
                    assert_eq!(self.found, self.fresh());
                }
                Ok(())
            }
            Step::Request => {
                if self.requested.is_empty() && self.made.is_none() {
                    if self.last.still_holds() {
                        assert_eq!(self.found, self.fresh());
                    } else {
                        self.requested.push(self.last.begin());
                        self.is_quiet = true;
                    }
                }
                Ok(())
            }
            Step::Make => {
                if let Some(told) = self.requested.pop() {
                    let graph = super::super::scan::graph(&mut self.scanner, told);
                    let found = said(&graph);
                    // What has happened since, the next one is told.
                    if self.is_quiet {
                        assert_eq!(found, self.fresh());
                    }
                    self.made = Some((found, self.scanner.consulted()));
                }
                Ok(())
            }
            Step::TakeIn => {
                if let Some((found, consulted)) = self.made.take() {
                    self.found = found;
                    self.last.replace(Scan::default(), consulted);
                }
                Ok(())
            }
        }
    }

    fn fresh(&self) -> String {
        said(&hr_graph::scan(&self.source, &self.interpreter, &ScanOptions::default()))
    }
}

fn said(graph: &hr_graph::ProjectGraph) -> String {
    let modules: Vec<_> = graph.modules().collect();
    format!("{modules:?} {:?} {:?}", graph.plan(&ScanOptions::default()), graph.problems())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn whatever_happens_meanwhile_a_scan_finds_what_a_fresh_one_finds(
        steps in prop::collection::vec(step(), 1..60)
    ) {
        let mut world = World::new();
        // So that everything is watched.
        for _ in 0..3 {
            for step in [Step::Request, Step::Make, Step::TakeIn] {
                world.take(&step).unwrap();
            }
        }
        for step in &steps {
            // Some are not possible in the state that earlier ones have left.
            let _ = world.take(step);
        }
    }
}
