//! Scanning again after edits, told which files they were.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hr_graph::{Consulted, Interpreter, Project, ProjectGraph, ScanOptions, Scanner, Target};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::support::{Tree, planned};

/// Files that may exist. `site` is on `sys.path` and somebody else's.
const FILES: [&str; 20] = [
    "app/main.py",
    "app/one.py",
    "app/two.py",
    "app/p/__init__.py",
    "app/p/a.py",
    "app/p/b.py",
    "app/p/b.pyc",
    "app/p/q/__init__.py",
    "app/p/q/c.py",
    "app/ns/x.py",
    "app/ns/deep/y.py",
    "app/json.py",
    "app/fast.so",
    "lib/p/other.py",
    "lib/inner/__init__.py",
    "site/third/__init__.py",
    "site/third/sub.py",
    "site/spread/here.py",
    "site/single.py",
    "site/two.py",
];

const DIRECTORIES: [&str; 9] = [
    "app/p",
    "app/p/q",
    "app/ns",
    "app/ns/deep",
    "lib/p",
    "lib/inner",
    "site/third",
    "site/spread",
    "app/new",
];

/// Lines of source; many have the same length.
const LINES: [&str; 34] = [
    "import one",
    "import two",
    "import p.a",
    "import p.b",
    "import p.q",
    "from p import a",
    "from p import b",
    "from p import q, nothing",
    "from p.q import c as d",
    "from p.q import *",
    "from . import a",
    "from .. import b",
    "from .q import c",
    "import ns.x",
    "import ns.deep.y",
    "from ns import deep, absent",
    "import fast",
    "import inner",
    "from p import other",
    "import json",
    "import third",
    "import third.sub",
    "from third import sub, thing",
    "import spread.here",
    "import spread",
    "import single",
    "import absent.altogether",
    "def f():\n    import third.sub, one",
    "try:\n    import single\nexcept ImportError:\n    import two",
    "if TYPE_CHECKING:\n    import p.a",
    "import importlib; importlib.import_module('p.b')",
    "import os; os.environ['KEY'] = 'value'",
    "# A comment.",
    "x = (",
];

const SETTINGS: [&str; 6] = [
    "",
    "[tool.hotreload]\nexclude = ['third']\n",
    "[tool.hotreload]\npreload = ['single', 'p']\n",
    "[tool.hotreload]\nlazy = false\n",
    "[tool.hotreload]\npreload = 3\n",
    "[tool.hotreload",
];

const RULES: [&str; 4] = ["", "two.py\n", "q/\n", "*\n!one.py\n"];

/// What people and programs do to a project.
#[derive(Clone, Debug)]
enum Edit {
    Write(Index, Vec<Index>),
    Append(Index, Index),
    /// Another line of perhaps the same length, and the time of modification stays.
    Disguise(Index, Index),
    /// A mistake, or all of them mended.
    Break(Index),
    Mend(Index),
    Touch(Index),
    Replace(Index, Index),
    Remove(Index),
    Rename(Index, Index),
    RemoveDirectory(Index),
    RenameDirectory(Index, Index),
    CreateDirectory(Index),
    MakeEnvironment(Index),
    LinkFile(Index, Index),
    LinkDirectory(Index, Index),
    Configure(Option<Index>),
    Ignore(Index, Option<Index>),
    CreateBeside(Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    let one = any::<Index>;
    let two = any::<(Index, Index)>;
    let lines = || prop::collection::vec(one(), 0..6);
    prop_oneof![
        12 => (one(), lines()).prop_map(|(file, lines)| Edit::Write(file, lines)),
        12 => two().prop_map(|(file, line)| Edit::Append(file, line)),
        6 => two().prop_map(|(file, line)| Edit::Disguise(file, line)),
        3 => one().prop_map(Edit::Break),
        3 => one().prop_map(Edit::Mend),
        2 => one().prop_map(Edit::Touch),
        4 => two().prop_map(|(file, line)| Edit::Replace(file, line)),
        2 => one().prop_map(Edit::Remove),
        2 => two().prop_map(|(from, to)| Edit::Rename(from, to)),
        1 => one().prop_map(Edit::RemoveDirectory),
        1 => two().prop_map(|(from, to)| Edit::RenameDirectory(from, to)),
        1 => one().prop_map(Edit::CreateDirectory),
        1 => one().prop_map(Edit::MakeEnvironment),
        1 => two().prop_map(|(target, link)| Edit::LinkFile(target, link)),
        1 => two().prop_map(|(target, link)| Edit::LinkDirectory(target, link)),
        3 => prop::option::weighted(0.8, one()).prop_map(Edit::Configure),
        1 => any::<(Index, Option<Index>)>().prop_map(|(place, rules)| Edit::Ignore(place, rules)),
        2 => one().prop_map(Edit::CreateBeside),
    ]
}

fn source(lines: &[Index]) -> String {
    lines.iter().flat_map(|line| [line.get::<&str>(&LINES), "\n"]).collect()
}

impl Edit {
    /// Carries it out. Many are not possible in the state that earlier ones have left.
    fn carry_out(&self, tree: &Tree) -> io::Result<()> {
        let file = |index: &Index| tree.at(index.get::<&str>(&FILES));
        let directory = |index: &Index| tree.at(index.get::<&str>(&DIRECTORIES));
        match self {
            Self::Write(path, lines) => write(&file(path), &source(lines)),
            Self::Append(path, line) => {
                let before = fs::read_to_string(file(path)).unwrap_or_default();
                write(&file(path), &format!("{before}{}\n", line.get::<&str>(&LINES)))
            }
            Self::Disguise(path, line) => {
                let time = fs::metadata(file(path))?.modified()?;
                write(&file(path), &format!("{:20}\n", line.get::<&str>(&LINES)))?;
                fs::File::options().append(true).open(file(path))?.set_modified(time)
            }
            Self::Break(path) => {
                let before = fs::read_to_string(file(path))?;
                fs::write(file(path), format!("{before}x = (\n"))
            }
            Self::Mend(path) => fs::write(file(path), fs::read_to_string(file(path))?.replace("x = (\n", "")),
            Self::Touch(path) => {
                fs::File::options().append(true).open(file(path))?.set_modified(SystemTime::UNIX_EPOCH)
            }
            Self::Replace(path, line) => {
                write(&tree.at("beside"), line.get::<&str>(&LINES))?;
                fs::rename(tree.at("beside"), file(path))
            }
            Self::Remove(path) => fs::remove_file(file(path)),
            Self::Rename(from, to) => fs::rename(file(from), file(to)),
            Self::RemoveDirectory(path) => fs::remove_dir_all(directory(path)),
            Self::RenameDirectory(from, to) => fs::rename(directory(from), directory(to)),
            Self::CreateDirectory(path) => fs::create_dir_all(directory(path)),
            Self::MakeEnvironment(path) => {
                let mark = directory(path).join("pyvenv.cfg");
                if mark.exists() { fs::remove_file(mark) } else { fs::write(mark, "") }
            }
            Self::LinkFile(target, link) => {
                let _ = fs::remove_file(file(link));
                std::os::unix::fs::symlink(file(target), file(link))
            }
            Self::LinkDirectory(target, link) => {
                std::os::unix::fs::symlink(directory(target), directory(link))
            }
            Self::Configure(None) => fs::remove_file(tree.at("pyproject.toml")),
            Self::Configure(Some(settings)) => {
                fs::write(tree.at("pyproject.toml"), settings.get::<&str>(&SETTINGS))
            }
            Self::Ignore(place, rules) => {
                let path = directory(place).with_file_name(".gitignore");
                match rules {
                    Some(rules) => fs::write(path, rules.get::<&str>(&RULES)),
                    None => fs::remove_file(path),
                }
            }
            Self::CreateBeside(path) => fs::write(file(path).with_extension("py~"), ""),
        }
    }
}

fn write(path: &Path, content: &str) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(path, content)
}

/// What can be seen of everything that decided a scan.
struct Seen {
    files: BTreeMap<PathBuf, String>,
    directories: BTreeMap<PathBuf, String>,
}

impl Seen {
    fn of(consulted: &Consulted) -> Self {
        let files = consulted.files.iter().map(|path| (path.clone(), file_seen(path))).collect();
        let directories =
            consulted.directories.iter().map(|path| (path.clone(), directory_seen(path))).collect();
        Self { files, directories }
    }

    fn changes(&self) -> Vec<PathBuf> {
        let files = self.files.iter().filter(|(path, seen)| file_seen(path) != **seen);
        let directories = self.directories.iter().filter(|(path, seen)| directory_seen(path) != **seen);
        files.chain(directories).map(|(path, _)| path.clone()).collect()
    }
}

fn file_seen(path: &Path) -> String {
    format!("{:?} {:?} {:?}", fs::read_link(path).ok(), fs::metadata(path).ok(), fs::read(path).ok())
}

fn directory_seen(path: &Path) -> String {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let seen =
        entries.map(|entry| format!("{} {:?}", entry.file_name().display(), entry.file_type().unwrap()));
    format!("{:?}", seen.collect::<BTreeSet<_>>())
}

/// All that a graph says.
fn summary(graph: &ProjectGraph, options: &ScanOptions) -> Vec<String> {
    let mut said: Vec<String> = graph.modules().map(|module| format!("{module:?}")).collect();
    said.extend(
        graph.dependencies().iter().map(|(from, to, how)| format!("{} {} {how:?}", from.name, to.name)),
    );
    said.extend(graph.problems().iter().map(|problem| format!("{problem:?}")));
    said.extend(graph.unresolved().iter().map(|unresolved| format!("{unresolved:?}")));
    said.extend(graph.usages(options).iter().map(|usage| format!("{usage:?}")));
    said.extend(graph.externals().iter().map(|external| format!("{external:?}")));
    for name in ["third", "two", "p.a", "json"] {
        said.push(format!(
            "{name} {:?} {:?}",
            graph.chains_to(name),
            graph.dependents(Path::new("app/two.py"))
        ));
    }
    said.push(format!("{:?} {:?} {:?}", graph.plan(options), graph.settings(), graph.cycles()));
    said.push(format!("{:?}", graph.first_party().collect::<Vec<_>>()));
    said
}

fn tree() -> Tree {
    Tree::new(&[
        ("pyproject.toml", SETTINGS[0]),
        ("app/main.py", "import one\nimport p.a\nimport ns.x\n"),
        ("app/one.py", "import two\nimport third.sub\n"),
        ("app/two.py", "import json\n"),
        ("app/p/__init__.py", "from . import a, b\n"),
        ("app/p/a.py", "import third\n"),
        ("app/p/b.py", "from .q import c\n"),
        ("app/p/q/__init__.py", ""),
        ("app/p/q/c.py", "import single\n"),
        ("app/ns/x.py", "def f():\n    import ns.deep.y\n"),
        ("app/ns/deep/y.py", "import spread.here\n"),
        ("lib/inner/__init__.py", "import two\n"),
        ("site/third/__init__.py", ""),
        ("site/third/sub.py", ""),
        ("site/spread/here.py", ""),
        ("site/single.py", ""),
    ])
}

/// A project in which everything is scanned, and one of which only what a script imports is.
fn projects(tree: &Tree) -> [(Project, Interpreter); 2] {
    let interpreter = tree.interpreter(&["app", "lib", "site"]);
    let whole = tree.project(&["app", "lib"]);
    let script = Project::locate(&Target::Path(tree.at("app/main.py")), &interpreter).unwrap();
    [(whole, interpreter.clone()), (script, interpreter)]
}

/// A scanner that is told what happened.
struct Told {
    scanner: Scanner,
    seen: Seen,
}

impl Told {
    fn new(project: &Project, interpreter: &Interpreter) -> Self {
        let mut scanner = Scanner::new(project.clone(), interpreter.clone(), ScanOptions::default());
        scanner.scan();
        let seen = Seen::of(&scanner.consulted());
        Self { scanner, seen }
    }

    fn rescan(&mut self, more: impl FnOnce(&[PathBuf]) -> Option<PathBuf>) -> (ProjectGraph, Arc<Consulted>) {
        let mut suspects = self.seen.changes();
        suspects.extend(more(&self.scanner.consulted().files));
        let graph = self.scanner.rescan(&suspects);
        let consulted = self.scanner.consulted();
        self.seen = Seen::of(&consulted);
        (graph, consulted)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_scan_that_is_told_what_happened_finds_what_a_fresh_one_finds(
        edits in prop::collection::vec((prop::collection::vec(edit(), 1..3), any::<Index>()), 1..16)
    ) {
        let tree = tree();
        for (project, interpreter) in projects(&tree) {
            let mut told = Told::new(&project, &interpreter);
            let mut before: Option<ProjectGraph> = None;
            for (edits, also) in &edits {
                for edit in edits {
                    let _ = edit.carry_out(&tree);
                }
                // That nothing happened to a suspect is no harm.
                let (graph, consulted) = told.rescan(|files| Some(also.get(files).clone()));
                let mut fresh = Scanner::new(project.clone(), interpreter.clone(), ScanOptions::default());
                let expected = fresh.scan();
                let options = ScanOptions::default();
                prop_assert_eq!(summary(&graph, &options), summary(&expected, &options), "{:?}", edits);
                prop_assert_eq!(consulted, fresh.consulted(), "{:?}", edits);
                if let Some(before) = before.replace(graph.clone()) {
                    let changed = before.changed_files(&graph);
                    prop_assert_eq!(changed, before.changed_files(&expected), "{:?}", edits);
                    let plans = [&before, &expected].map(|graph| graph.plan(&options));
                    prop_assert!(!graph.has_plan_of(&before) || plans[0] == plans[1], "{:?}", edits);
                }
            }
        }
    }
}

#[test]
fn what_decided_a_scan_is_the_same_value_as_long_as_it_is_the_same() {
    let tree = tree();
    let [(project, interpreter), _] = projects(&tree);
    let mut told = Told::new(&project, &interpreter);
    let before = told.scanner.consulted();
    for source in ["import third # edited", "import third\nimport two", "import third\nimport ("] {
        tree.write("app/p/a.py", source.as_bytes());
        assert!(Arc::ptr_eq(&told.rescan(|_| None).1, &before), "{source}");
    }
    tree.write("app/p/a.py", b"import third.sub, spread.absent\n");
    tree.write("app/p/new.py", b"import third.sub, spread.absent\n");
    assert!(!Arc::ptr_eq(&told.rescan(|_| None).1, &before));
}

#[test]
fn an_edit_that_moves_no_import_leaves_the_plan() {
    let tree = tree();
    let [(project, interpreter), _] = projects(&tree);
    let mut told = Told::new(&project, &interpreter);
    let mut same_plan = |source: &str| {
        let before = told.rescan(|_| None).0;
        tree.write("app/p/a.py", source.as_bytes());
        told.rescan(|_| None).0.has_plan_of(&before)
    };
    assert!(same_plan("import third\nVALUE = 1\n"));
    assert!(!same_plan("\nimport third\nVALUE = 2\n"), "it tells where each module is imported");
    assert!(!same_plan("\nimport third\nimport os\nos.environ['A'] = '1'\n"));
    assert!(!same_plan("\nimport third\nimport os\nos.environ['A'] = '2'\n"));
    assert!(same_plan("\nimport third\nimport os\nos.environ['A'] = '2'\nVALUE = 3\n"));
}

#[test]
fn only_what_is_suspect_is_looked_at() {
    let tree = tree();
    let [(project, interpreter), _] = projects(&tree);
    let mut told = Told::new(&project, &interpreter);
    tree.write("app/unheard_of.py", b"");
    tree.write("app/p/a.py", b"import third\nimport told\n");
    let graph = told.scanner.rescan(&[tree.at("app/p/a.py")]);
    assert!(planned(&graph).contains(&"told".to_owned()));
    assert!(graph.module("unheard_of").is_none());
    // Only what is so young that it may have changed without looking different is read whatever is told.
    let tomorrow = SystemTime::now() + Duration::from_hours(24);
    fs::File::options().append(true).open(tree.at("app/two.py")).unwrap().set_modified(tomorrow).unwrap();
    told.scanner.scan();
    tree.write("app/two.py", b"import young\n");
    assert!(planned(&told.scanner.rescan(&[])).contains(&"young".to_owned()));
    tree.write("app/last.py", b"");
    let graph = told.scanner.rescan(&[tree.at("app")]);
    assert!(graph.module("last").is_some());
}
