//! Scans a project: walks it, parses what changed, follows imports to first-party files not seen yet.

mod follow;
mod read;
mod rescan;
mod seeds;
mod stamp;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hr_imports::{FileImports, ModuleName, Problem as FileProblem};
use rayon::prelude::*;
use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};

use self::follow::Following;
use self::read::Trust;
use self::rescan::Last;
use self::seeds::Seeds;
pub use self::stamp::Stamp;
use crate::cache::{self, Cache, Known};
use crate::finder::{Finder, Listings};
use crate::graph::{Problem, ProjectGraph};
use crate::interpreter::Interpreter;
use crate::project::Project;
use crate::resolve::Reference;

/// How to scan and what to plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanOptions {
    /// Whether modules that are imported only lazily are planned, too.
    pub lazy: bool,
    /// Modules that are never planned; each name stands for its submodules as well.
    pub ignored_modules: Vec<String>,
    /// Where results are kept from one process to the next; `None` for nowhere.
    pub cache_dir: Option<PathBuf>,
}

impl Default for ScanOptions {
    fn default() -> Self {
        Self { lazy: true, ignored_modules: Vec::new(), cache_dir: None }
    }
}

/// One file as it was scanned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Scanned {
    pub(crate) stamp: Stamp,
    /// When it was read, in nanoseconds since 1970.
    pub(crate) read_ns: i128,
    /// xxh3 of the bytes.
    pub(crate) hash: u64,
    /// The module name that relative imports were resolved against.
    pub(crate) module: String,
    pub(crate) is_package: bool,
    pub(crate) found: Arc<FileImports>,
}

impl Scanned {
    /// Whether it was scanned as this module.
    fn is_of(&self, module: ModuleName<'_>) -> bool {
        self.module == module.name && self.is_package == module.is_package
    }

    /// Whether the file may have changed since it was read, though it looks the same.
    fn is_racy(&self) -> bool {
        self.stamp.is_racy(self.read_ns)
    }
}

/// A first-party file and the module it holds.
#[derive(Debug, Clone)]
pub(crate) struct SourceFile {
    pub(crate) path: PathBuf,
    pub(crate) module: String,
    pub(crate) is_package: bool,
    /// `None` for what has no source: bytecode and extension modules.
    pub(crate) scanned: Option<Arc<Scanned>>,
    /// Tells versions of the file apart: a hash of its content, or of its stamp where the content is not read.
    pub(crate) version: u64,
    /// What its imports lead to, by the import's index.
    pub(crate) references: Vec<(u32, Reference)>,
}

impl SourceFile {
    fn new(path: PathBuf, module: String, is_package: bool) -> Self {
        Self { path, module, is_package, scanned: None, version: 0, references: Vec::new() }
    }
}

/// What decided a scan. As long as nothing happens to any of this, nor to a directory on the way to it, another scan
/// finds the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Consulted {
    /// Files whose content matters, and symbolic links; sorted.
    pub files: Vec<PathBuf>,
    /// Directories whose entries matter, sorted. Some may not exist.
    pub directories: Vec<PathBuf>,
}

/// Scans a project from scratch, or from the cache that the options name. Never fails: what cannot be read is a
/// problem in the graph.
pub fn scan(project: &Project, interpreter: &Interpreter, options: &ScanOptions) -> ProjectGraph {
    let mut scanner = Scanner::new(project.clone(), interpreter.clone(), options.clone());
    let graph = scanner.scan();
    scanner.save();
    graph
}

/// Scans the same project again and again, parsing only what changed.
#[derive(Debug)]
pub struct Scanner {
    project: Project,
    interpreter: Interpreter,
    options: ScanOptions,
    known: Known,
    /// What was known of files that have no part in the last scan.
    others: Known,
    cache: Option<Cache>,
    /// Whether the cache was read.
    is_loaded: bool,
    /// The parts of the cache that do not hold yet what is known.
    unsaved: FxHashSet<u64>,
    last: Option<Last>,
    /// What decided it.
    consulted: Arc<Consulted>,
}

impl Scanner {
    /// A scanner that begins with what the cache holds, if there is one.
    pub fn new(project: Project, interpreter: Interpreter, options: ScanOptions) -> Self {
        let cache = options.cache_dir.as_ref().map(|directory| Cache::new(directory, &project, &interpreter));
        Self {
            project,
            interpreter,
            options,
            known: Known::default(),
            others: Known::default(),
            cache,
            is_loaded: false,
            unsaved: FxHashSet::default(),
            last: None,
            consulted: Arc::default(),
        }
    }

    /// The state of the project as it is on disk now.
    pub fn scan(&mut self) -> ProjectGraph {
        self.project.read_settings();
        let settings_file = self.project.settings_file();
        let (seeds, cached) = rayon::join(
            || Seeds::find(&self.project, &self.interpreter),
            || self.cache.as_ref().filter(|_| !self.is_loaded).map(Cache::load),
        );
        self.known.extend(cached.into_iter().flatten());
        self.is_loaded = true;
        self.explore(seeds, Listings::default(), settings_file, Trust::Stamps)
    }

    /// Follows imports from the seeds, asking the file system only for what is not `kept`.
    fn explore(
        &mut self,
        seeds: Seeds,
        kept: Listings,
        settings_file: Option<PathBuf>,
        trust: Trust,
    ) -> ProjectGraph {
        let project = &self.project;
        let mut finder = Finder::new(project, &self.interpreter, kept);
        finder.add_listings(&seeds.listings);
        let mut following = Following::new(project, finder, seeds.files.clone());
        following.read(&self.known, trust, &self.interpreter);
        let Following { mut finder, files, problems, .. } = following;
        let now: Known = files
            .iter()
            .filter_map(|file| Some((file.path.clone().into_os_string(), file.scanned.clone()?)))
            .collect();
        let unknown = files.iter().filter(|file| file.scanned.is_none()).map(|file| file.path.clone());
        let others: Vec<_> = unknown.chain(problems.iter().map(|(path, _)| path.clone())).collect();
        let (graph, unsaved) = rayon::join(
            || ProjectGraph::build(project, &mut finder, files, &problems),
            || unsaved(&self.known, &now),
        );
        let mut consulted = finder.consulted();
        consulted.files.extend(others);
        consulted.files.extend(now.keys().map(PathBuf::from));
        consulted.files.extend(seeds.rules.iter().cloned());
        consulted.files.extend(settings_file.clone());
        consulted.directories.extend(seeds.environments.iter().cloned());
        consulted.directories.push(project.root().to_owned());
        consulted.sort();
        if *self.consulted != consulted {
            self.consulted = Arc::new(consulted);
        }
        let listings = finder.into_listings();
        let before = std::mem::replace(&mut self.known, now);
        self.others.retain(|path, _| !self.known.contains_key(path));
        self.others.extend(before.into_iter().filter(|(path, _)| !self.known.contains_key(path)));
        self.unsaved.extend(unsaved);
        let racy = self.known.iter().filter(|(_, known)| known.is_racy()).map(|(path, _)| path.clone());
        self.last = Some(Last { seeds, listings, settings_file, racy: racy.collect(), graph: graph.clone() });
        graph
    }

    /// What decided the last scan: the same value for the next one, if that was decided by the same.
    pub fn consulted(&self) -> Arc<Consulted> {
        Arc::clone(&self.consulted)
    }

    /// Writes what was parsed since this was last done to the cache, if there is one. Nothing depends on it but how
    /// long another process's first scan takes, so this is for when nobody waits.
    pub fn save(&mut self) {
        if let Some(cache) = &self.cache {
            cache.store(&self.unsaved, &self.known, &self.others);
        }
        self.unsaved.clear();
    }

    /// The project that is scanned.
    pub fn project(&self) -> &Project {
        &self.project
    }

    /// How it is scanned.
    pub fn options(&self) -> &ScanOptions {
        &self.options
    }
}

/// The parts of the cache that differ between two states.
fn unsaved(before: &Known, now: &Known) -> Vec<u64> {
    let is_new = |(path, scanned): &(&OsString, &Arc<Scanned>)| {
        !before.get(*path).is_some_and(|known| Arc::ptr_eq(known, scanned))
    };
    now.iter().filter(is_new).map(|(path, _)| cache::shard_of(path)).collect()
}

impl Consulted {
    fn sort(&mut self) {
        for paths in [&mut self.files, &mut self.directories] {
            paths.par_sort_unstable_by(|one, other| one.as_os_str().cmp(other.as_os_str()));
            paths.dedup();
        }
    }
}

/// Turns a problem of a file into one of the project.
pub(crate) fn project_problem(project: &Project, path: &Path, problem: &FileProblem) -> Problem {
    Problem {
        file: project.relative(path).to_owned(),
        line: problem.location.line,
        column: problem.location.column,
        message: problem.message.clone(),
    }
}
