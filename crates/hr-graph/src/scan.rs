//! Scans a project: walks it, parses what changed, follows imports to first-party files not seen yet.

use std::cell::Cell;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::Metadata;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use hr_imports::{FileImports, Location, ModuleName, Problem as FileProblem};
use rayon::prelude::*;
use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};

use crate::cache::{Cache, Known};
use crate::finder::Finder;
use crate::graph::{Problem, ProjectGraph};
use crate::interpreter::Interpreter;
use crate::project::{Entry, Project, Seed};
use crate::resolve::{self, Reference};
use crate::walk;

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

/// What the file system says of a file without its being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Size in bytes.
    pub size: u64,
    /// Time of the last modification, in nanoseconds since 1970.
    pub mtime_ns: i128,
    /// Number of the inode; 0 where there are none.
    pub inode: u64,
    /// Time of the last change of content or attributes, in nanoseconds since 1970. Unlike that of the last
    /// modification no program can set it. 0 where there is none.
    pub ctime_ns: i128,
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        let mtime_ns = metadata.modified().map_or(0, nanoseconds);
        #[cfg(unix)]
        let (inode, ctime_ns) = {
            use std::os::unix::fs::MetadataExt;
            (metadata.ino(), i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec()))
        };
        #[cfg(not(unix))]
        let (inode, ctime_ns) = (0, 0);
        Self { size: metadata.len(), mtime_ns, inode, ctime_ns }
    }

    /// Whether a file with this stamp, read at `read_ns`, could have changed since without its stamp changing. Times
    /// of change are the kernel's and tick at least every 10 ms; times of modification are rounded to two seconds by
    /// some file systems.
    pub(crate) fn is_racy(self, read_ns: i128) -> bool {
        const TICK_NS: i128 = 20_000_000;
        const STEP_NS: i128 = 2_000_000_000;
        if self.ctime_ns == 0 || self.mtime_ns % 1_000_000_000 == 0 {
            self.mtime_ns.max(self.ctime_ns) + STEP_NS > read_ns
        } else {
            self.mtime_ns.max(self.ctime_ns) + TICK_NS > read_ns
        }
    }
}

pub(crate) fn nanoseconds(time: SystemTime) -> i128 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i128::try_from(after.as_nanos()).unwrap_or(i128::MAX),
        Err(before) => -i128::try_from(before.duration().as_nanos()).unwrap_or(i128::MAX),
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

/// What decided a scan. As long as nothing happens to any of this, another scan finds the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Consulted {
    /// Files whose content matters, and symbolic links.
    pub files: Vec<PathBuf>,
    /// Directories whose entries matter. Some may not exist.
    pub directories: Vec<PathBuf>,
}

/// Scans a project from scratch, or from the cache that the options name. Never fails: what cannot be read is a
/// problem in the graph.
pub fn scan(project: &Project, interpreter: &Interpreter, options: &ScanOptions) -> ProjectGraph {
    Scanner::new(project.clone(), interpreter.clone(), options.clone()).scan()
}

/// Scans the same project again and again, parsing only what changed.
#[derive(Debug)]
pub struct Scanner {
    project: Project,
    interpreter: Interpreter,
    options: ScanOptions,
    known: Known,
    /// Whether the cache was read.
    is_loaded: bool,
    cache: Option<Cache>,
    /// What decided the last scan, short of the files that are known.
    consulted: Consulted,
}

impl Scanner {
    /// A scanner that begins with what the cache holds, if there is one.
    pub fn new(project: Project, interpreter: Interpreter, options: ScanOptions) -> Self {
        let cache = options.cache_dir.as_ref().map(|directory| Cache::new(directory, &project, &interpreter));
        let (known, consulted) = (Known::default(), Consulted::default());
        Self { project, interpreter, options, known, is_loaded: false, cache, consulted }
    }

    /// The state of the project as it is on disk now.
    pub fn scan(&mut self) -> ProjectGraph {
        self.project.read_settings();
        let mut finder = Finder::new(&self.project, &self.interpreter);
        let (project, interpreter) = (&self.project, &self.interpreter);
        let ((seeds, rules), cached) = rayon::join(
            || seed_files(project, interpreter, &mut finder),
            || self.cache.as_ref().filter(|_| !self.is_loaded).map(Cache::load),
        );
        self.known.extend(cached.into_iter().flatten());
        self.is_loaded = true;
        let mut following = Following::new(project, finder, seeds);
        let mut read = Vec::new();
        loop {
            let batch = following.next_batch();
            if batch.is_empty() && read.is_empty() {
                break;
            }
            // One thread follows imports while the others read on.
            let (outcomes, ()) =
                rayon::join(|| read_all(batch, &self.known, interpreter), || following.follow_all(read));
            read = outcomes;
        }
        let Following { mut finder, files, problems, .. } = following;
        let now: Known = files
            .iter()
            .filter_map(|file| Some((file.path.clone().into_os_string(), file.scanned.clone()?)))
            .collect();
        let unknown = files.iter().filter(|file| file.scanned.is_none()).map(|file| file.path.clone());
        let mut others: Vec<_> = unknown.chain(problems.iter().map(|(path, _)| path.clone())).collect();
        others.extend(rules);
        let (graph, ()) = rayon::join(
            || ProjectGraph::build(project, &mut finder, files, &problems),
            || {
                if let Some(cache) = &self.cache {
                    cache.store(&self.known, &now);
                }
            },
        );
        self.known = now;
        self.consulted = finder.consulted();
        self.consulted.files.extend(others);
        self.consulted.directories.push(self.project.root().to_owned());
        self.consulted.files.extend(self.project.settings_file());
        graph
    }

    /// What decided the last scan.
    pub fn consulted(&self) -> Consulted {
        let mut consulted = self.consulted.clone();
        consulted.files.extend(self.known.keys().map(PathBuf::from));
        consulted
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

/// What reading a file came to.
type Outcome = Result<SourceFile, (PathBuf, FileProblem)>;

/// How many files are read at once, at most: enough to keep all threads busy, few enough that following their imports
/// does not begin late.
const BATCH: usize = 256;

/// Follows imports from file to file.
struct Following<'a> {
    project: &'a Project,
    finder: Finder<'a>,
    /// Files to be read.
    pending: VecDeque<SourceFile>,
    /// Every file that was or is to be read.
    requested: FxHashSet<OsString>,
    /// By number, the modules that were met.
    seen: Vec<bool>,
    files: Vec<SourceFile>,
    problems: Vec<(PathBuf, FileProblem)>,
}

impl<'a> Following<'a> {
    fn new(project: &'a Project, finder: Finder<'a>, seeds: Vec<SourceFile>) -> Self {
        let requested = seeds.iter().map(|file| file.path.clone().into_os_string()).collect();
        Self {
            project,
            finder,
            pending: seeds.into(),
            requested,
            seen: Vec::new(),
            files: Vec::new(),
            problems: Vec::new(),
        }
    }

    fn next_batch(&mut self) -> Vec<SourceFile> {
        self.pending.drain(..self.pending.len().min(BATCH)).collect()
    }

    fn follow_all(&mut self, outcomes: Vec<Outcome>) {
        for outcome in outcomes {
            match outcome {
                Ok(file) => self.follow(file),
                Err(problem) => self.problems.push(problem),
            }
        }
    }

    fn follow(&mut self, mut file: SourceFile) {
        file.references = resolve::file_references(&file, &mut self.finder);
        for id in resolve::first_party(&file, &mut self.finder) {
            if self.seen.len() < self.finder.len() {
                self.seen.resize(self.finder.len(), false);
            }
            if std::mem::replace(&mut self.seen[id as usize], true) {
                continue;
            }
            let Some(path) = &self.finder.get(id).file else { continue };
            if !self.requested.contains(path.as_os_str())
                && let Some((module, is_package)) = self.project.module_name(path)
            {
                self.requested.insert(path.clone().into_os_string());
                self.pending.push_back(SourceFile::new(path.clone(), module, is_package));
            }
        }
        self.files.push(file);
    }
}

/// The files that a scan begins with, and the `.gitignore` files that were asked which these are.
fn seed_files(
    project: &Project,
    interpreter: &Interpreter,
    finder: &mut Finder<'_>,
) -> (Vec<SourceFile>, Vec<PathBuf>) {
    let (mut paths, mut rules) = (Vec::new(), Vec::new());
    for seed in project.seeds() {
        match seed {
            Seed::Tree(directory) => {
                let mut walked = walk::walk(directory, project.root(), interpreter.version);
                paths.append(&mut walked.files);
                rules.append(&mut walked.rules);
                finder.add_listings(walked.listings);
            }
            Seed::File(file) => paths.push(file.clone()),
        }
    }
    let mut known = FxHashSet::default();
    paths.retain(|path| known.insert(path.clone().into_os_string()));
    (paths.into_par_iter().filter_map(|path| source_file(project, path)).collect(), rules)
}

fn source_file(project: &Project, path: PathBuf) -> Option<SourceFile> {
    if !project.is_first_party(&path) {
        return None;
    }
    let named = project.module_name(&path);
    let (module, is_package) = match (named, project.entry()) {
        (Some(named), _) => named,
        // A script may have any name; nothing can import it then.
        (None, Entry::Script(script)) if *script == path => {
            (path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default(), false)
        }
        _ => return None,
    };
    Some(SourceFile::new(path, module, is_package))
}

fn read_all(files: Vec<SourceFile>, known: &Known, interpreter: &Interpreter) -> Vec<Outcome> {
    let target = interpreter.target();
    files
        .into_par_iter()
        .map(|mut file| {
            if has_source(&file.path) {
                let name = ModuleName { name: &file.module, is_package: file.is_package };
                let scanned = read(&file.path, known.get(file.path.as_os_str()), name, &target)
                    .map_err(|error| (file.path.clone(), unreadable(&error)))?;
                file.version = scanned.hash;
                file.scanned = Some(scanned);
            } else if let Ok(metadata) = std::fs::metadata(&file.path) {
                let stamp = Stamp::of(&metadata);
                file.version = xxhash_rust::xxh3::xxh3_64(format!("{stamp:?}").as_bytes());
            }
            Ok(file)
        })
        .collect()
}

/// Whether a file is source: bytecode and extension modules are modules, but say nothing.
fn has_source(path: &Path) -> bool {
    !path.extension().is_some_and(|suffix| suffix == "pyc" || suffix == "so" || suffix == "pyd")
}

fn unreadable(error: &std::io::Error) -> FileProblem {
    FileProblem { location: Location { line: 1, column: 1 }, message: format!("cannot be read: {error}") }
}

/// Memory of more bytes than this is given back.
const LARGEST_SPARE: usize = 4 << 20;

thread_local! {
    /// What the last file was read into: fetching memory for each file takes longer than to read it.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

fn read(
    path: &Path,
    known: Option<&Arc<Scanned>>,
    module: ModuleName<'_>,
    target: &hr_imports::Target,
) -> std::io::Result<Arc<Scanned>> {
    let known = known.filter(|known| known.module == module.name && known.is_package == module.is_package);
    if let Some(known) = known {
        let stamp = Stamp::of(&std::fs::metadata(path)?);
        if known.stamp == stamp && !stamp.is_racy(known.read_ns) {
            return Ok(Arc::clone(known));
        }
    }
    let file = std::fs::File::open(path)?;
    let stamp = Stamp::of(&file.metadata()?);
    let read_ns = nanoseconds(SystemTime::now());
    let mut bytes = SPARE.take();
    bytes.clear();
    // Room for all of it and a byte more, so that the end is met without asking for its size again.
    bytes.try_reserve(usize::try_from(stamp.size).unwrap_or(usize::MAX).saturating_add(1))?;
    file.take(u64::MAX).read_to_end(&mut bytes)?;
    let hash = xxhash_rust::xxh3::xxh3_64(&bytes);
    let found = match known {
        Some(known) if known.hash == hash && known.stamp.size == stamp.size => Arc::clone(&known.found),
        _ => Arc::new(hr_imports::scan_bytes(&bytes, module, target)),
    };
    if bytes.capacity() <= LARGEST_SPARE {
        SPARE.set(bytes);
    }
    let (module, is_package) = (module.name.to_owned(), module.is_package);
    Ok(Arc::new(Scanned { stamp, read_ns, hash, module, is_package, found }))
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
