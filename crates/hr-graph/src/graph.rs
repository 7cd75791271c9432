//! The graph of a project's own modules, and what they import from others.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hr_imports::{Context, EnvironmentWrite, FileImports, Fingerprint, How, Location, WorldPatch};
use petgraph::stable_graph::{NodeIndex, StableDiGraph};
use petgraph::visit::{EdgeRef, IntoEdgeReferences};
use rayon::prelude::*;
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::finder::{Finder, Kind};
use crate::project::{Entry, Project};
use crate::resolve::{self, ExternalName, Reference};
use crate::scan::{SourceFile, project_problem};

/// Something in a project that keeps a file from being understood as Python would. Such a file says less than it
/// might; everything else is unaffected.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Relative to the project's root where it lies in it.
    pub file: PathBuf,
    /// Counted from 1.
    pub line: u32,
    /// In characters, counted from 1.
    pub column: u32,
    /// What it is, without the place.
    pub message: String,
}

/// A place in a project.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Relative to the project's root where it lies in it.
    pub file: PathBuf,
    /// Counted from 1.
    pub line: u32,
    /// In characters, counted from 1.
    pub column: u32,
}

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

/// A first-party module.
#[derive(Debug, Clone)]
pub struct Module {
    /// Its dotted name.
    pub name: String,
    /// Its file, absolute.
    pub file: PathBuf,
    /// Whether the file is a package's `__init__`.
    pub is_package: bool,
    /// The package it lies in, if that has a file.
    pub(crate) parent: Option<NodeIndex>,
    pub(crate) references: Vec<Use>,
    pub(crate) found: Option<Arc<FileImports>>,
    pub(crate) hash: u64,
}

impl Module {
    /// For telling versions of the file apart; `None` for one without source.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.found.as_ref().map(|found| found.fingerprint)
    }

    /// The constants it writes to the environment while it is loaded.
    pub fn environment(&self) -> &[EnvironmentWrite] {
        self.found.as_ref().map_or(&[], |found| &found.environment)
    }

    /// The calls in it that patch the standard library.
    pub fn patches(&self) -> &[WorldPatch] {
        self.found.as_ref().map_or(&[], |found| &found.patches)
    }

    /// Whether its file could be parsed as a whole.
    pub fn is_readable(&self) -> bool {
        self.found.as_ref().is_none_or(|found| found.problems.is_empty())
    }
}

/// One module that another one asks for, at one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Use {
    pub(crate) target: UseTarget,
    pub(crate) location: Location,
    pub(crate) context: Context,
    pub(crate) is_call: bool,
}

impl Use {
    pub(crate) fn how(self) -> How {
        self.context.how(self.is_call)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UseTarget {
    FirstParty(NodeIndex),
    External(usize),
}

/// Why one first-party module depends on another: the strongest of its imports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dependency {
    /// How it is imported.
    pub how: How,
    /// Where.
    pub location: Location,
    /// Whether it is imported by calls only (`importlib.import_module`).
    pub by_call: bool,
}

/// An import of something that would be first-party, but does not exist.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unresolved {
    /// The module that asks for it.
    pub importer: String,
    /// What it asks for: an absolute name, or a relative one that leaves its package, as written.
    pub written: String,
    /// Where.
    pub place: Place,
}

/// A scanned project. See the crate's documentation for what it answers.
#[derive(Debug, Clone)]
pub struct ProjectGraph {
    pub(crate) root: PathBuf,
    pub(crate) entry: Entry,
    pub(crate) graph: StableDiGraph<Module, Dependency>,
    pub(crate) by_name: BTreeMap<String, NodeIndex>,
    /// By absolute path. Hashing a `Path` takes it apart; its text will do.
    pub(crate) by_file: FxHashMap<OsString, NodeIndex>,
    pub(crate) externals: Vec<ExternalName>,
    problems: Vec<Problem>,
    unresolved: Vec<Unresolved>,
}

impl ProjectGraph {
    pub(crate) fn build(
        project: &Project,
        finder: &mut Finder<'_>,
        mut files: Vec<SourceFile>,
        unreadable: &[(PathBuf, hr_imports::Problem)],
    ) -> Self {
        files.par_sort_unstable_by(|one, other| {
            one.module.cmp(&other.module).then_with(|| one.path.as_os_str().cmp(other.path.as_os_str()))
        });
        drop_compiled_twins(&mut files);
        let mut this = Self {
            root: project.root().to_owned(),
            entry: project.entry().clone(),
            graph: StableDiGraph::with_capacity(files.len(), files.len() * 4),
            by_name: BTreeMap::new(),
            by_file: FxHashMap::with_capacity_and_hasher(files.len(), FxBuildHasher),
            externals: Vec::new(),
            problems: Vec::new(),
            unresolved: Vec::new(),
        };
        for (path, problem) in unreadable {
            this.problems.push(project_problem(project, path, problem));
        }
        let references = files.iter_mut().map(|file| std::mem::take(&mut file.references)).collect();
        for file in files {
            this.add_module(project, file);
        }
        this.prefer_what_python_finds(finder);
        this.find_parents();
        this.connect(project, finder, references);
        this.problems.sort();
        this.unresolved.sort();
        this
    }

    fn add_module(&mut self, project: &Project, file: SourceFile) {
        let found = file.scanned.map(|scanned| Arc::clone(&scanned.found));
        for problem in found.iter().flat_map(|found| &found.problems) {
            self.problems.push(project_problem(project, &file.path, problem));
        }
        let index = self.graph.add_node(Module {
            name: file.module.clone(),
            file: file.path.clone(),
            is_package: file.is_package,
            parent: None,
            references: Vec::new(),
            found,
            hash: file.version,
        });
        self.by_name.entry(file.module).or_insert(index);
        self.by_file.insert(file.path.into_os_string(), index);
    }

    /// Where several files have one name, that name means the one Python would load.
    fn prefer_what_python_finds(&mut self, finder: &mut Finder<'_>) {
        if self.by_name.len() == self.graph.node_count() {
            return;
        }
        for (name, index) in &mut self.by_name {
            let lookup = finder.look_up(name);
            if let Some(id) = lookup.deepest.filter(|_| lookup.complete)
                && let Some(file) = &finder.get(id).file
                && let Some(found) = self.by_file.get(file.as_os_str())
            {
                *index = *found;
            }
        }
    }

    fn find_parents(&mut self) {
        let indices: Vec<NodeIndex> = self.graph.node_indices().collect();
        for index in indices {
            let name = &self.graph[index].name;
            // A namespace package has no file; what it lies in may have one.
            let parent =
                name.rmatch_indices('.').find_map(|(dot, _)| self.by_name.get(&name[..dot]).copied());
            self.graph[index].parent = parent;
        }
    }

    fn connect(&mut self, project: &Project, finder: &Finder<'_>, references: Vec<Vec<(u32, Reference)>>) {
        let mut external_ids: FxHashMap<ExternalName, usize> = FxHashMap::default();
        let mut targets = self.targets(finder);
        let indices: Vec<NodeIndex> = self.graph.node_indices().collect();
        for (index, references) in indices.into_iter().zip(references) {
            let Some(found) = self.graph[index].found.clone() else { continue };
            let mut uses = Vec::with_capacity(references.len());
            for (number, reference) in references {
                let import = &found.imports[number as usize];
                let target = match reference {
                    Reference::Found(id) => {
                        let target = match targets[id as usize] {
                            None if finder.get(id).kind != Kind::FirstParty => {
                                Some(self.external(&mut external_ids, resolve::external_of(finder.get(id))))
                            }
                            known => known,
                        };
                        targets[id as usize] = target;
                        let Some(target) = target else { continue };
                        target
                    }
                    Reference::Absent(external) => self.external(&mut external_ids, external),
                    Reference::Missing(written) => {
                        self.note_unresolved(project, index, written, import.location);
                        continue;
                    }
                };
                let is_call = import.is_call();
                uses.push(Use { target, location: import.location, context: import.context, is_call });
            }
            for relative in &found.unresolved {
                let names: Vec<&str> = relative.names.iter().map(|name| name.name.as_str()).collect();
                let written = format!("{} {}", relative.written, names.join(", "));
                self.note_unresolved(project, index, written, relative.location);
            }
            self.add_edges(index, &uses);
            self.graph[index].references = uses;
        }
    }

    /// The target that each module found so far is, as far as it is one of ours.
    fn targets(&self, finder: &Finder<'_>) -> Vec<Option<UseTarget>> {
        finder
            .all()
            .map(|found| {
                let file = found.file.as_ref().filter(|_| found.kind == Kind::FirstParty)?;
                self.by_file.get(file.as_os_str()).copied().map(UseTarget::FirstParty)
            })
            .collect()
    }

    fn external(&mut self, ids: &mut FxHashMap<ExternalName, usize>, external: ExternalName) -> UseTarget {
        let next = self.externals.len();
        UseTarget::External(*ids.entry(external).or_insert_with_key(|external| {
            self.externals.push(external.clone());
            next
        }))
    }

    fn add_edges(&mut self, source: NodeIndex, uses: &[Use]) {
        for one in uses {
            let UseTarget::FirstParty(target) = one.target else { continue };
            if target == source {
                continue;
            }
            let dependency = Dependency { how: one.how(), location: one.location, by_call: one.is_call };
            match self.graph.find_edge(source, target) {
                None => {
                    self.graph.add_edge(source, target, dependency);
                }
                Some(edge) => {
                    let known = &mut self.graph[edge];
                    let by_call = known.by_call && dependency.by_call;
                    if dependency.how < known.how {
                        *known = dependency;
                    }
                    known.by_call = by_call;
                }
            }
        }
    }

    fn note_unresolved(
        &mut self,
        project: &Project,
        importer: NodeIndex,
        written: String,
        location: Location,
    ) {
        let module = &self.graph[importer];
        let file = project.relative(&module.file).to_owned();
        let place = Place { file, line: location.line, column: location.column };
        self.unresolved.push(Unresolved { importer: module.name.clone(), written, place });
    }

    /// What is wrong with files of the project, sorted.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Imports within the project that lead nowhere, sorted.
    pub fn unresolved(&self) -> &[Unresolved] {
        &self.unresolved
    }

    /// The dotted names of all first-party modules, sorted.
    pub fn first_party(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// All first-party modules, sorted by name and file.
    pub fn modules(&self) -> impl Iterator<Item = &Module> {
        self.graph.node_weights()
    }

    /// A first-party module by name.
    pub fn module(&self, name: &str) -> Option<&Module> {
        self.by_name.get(name).map(|index| &self.graph[*index])
    }

    /// A first-party module by its file, absolute or relative to the root.
    pub fn module_of_file(&self, file: &Path) -> Option<&Module> {
        self.index_of_file(file).map(|index| &self.graph[index])
    }

    pub(crate) fn index_of_file(&self, file: &Path) -> Option<NodeIndex> {
        self.by_file
            .get(file.as_os_str())
            .or_else(|| self.by_file.get(self.root.join(file).as_os_str()))
            .copied()
    }

    /// All dependencies between first-party modules, sorted by the names of both.
    pub fn dependencies(&self) -> Vec<(&Module, &Module, Dependency)> {
        let mut all: Vec<_> = self
            .graph
            .edge_references()
            .map(|edge| (&self.graph[edge.source()], &self.graph[edge.target()], *edge.weight()))
            .collect();
        all.sort_by(|one, other| (&one.0.name, &one.1.name).cmp(&(&other.0.name, &other.1.name)));
        all
    }

    /// The modules of others that one first-party module imports anywhere, sorted.
    pub fn externals_of(&self, module: &str) -> Vec<String> {
        let uses = self.module(module).map_or(&[][..], |module| &module.references);
        let mut names: Vec<String> = uses
            .iter()
            .filter_map(|one| match one.target {
                UseTarget::External(id) => Some(self.externals[id].name.clone()),
                UseTarget::FirstParty(_) => None,
            })
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The directory to which reported files are relative.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path as it is reported.
    pub fn relative<'p>(&self, path: &'p Path) -> &'p Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }

    pub(crate) fn place(&self, module: &Module, location: Location) -> Place {
        Place { file: self.relative(&module.file).to_owned(), line: location.line, column: location.column }
    }

    /// All modules of others that are imported anywhere, sorted by name: also under `TYPE_CHECKING` and in branches
    /// that the interpreter never enters.
    pub fn externals(&self) -> Vec<(&str, Kind)> {
        let mut all: Vec<_> =
            self.externals.iter().map(|external| (external.name.as_str(), external.kind)).collect();
        all.sort_unstable();
        all
    }
}

/// Where a module has both source and something compiled from it, the source speaks for both.
fn drop_compiled_twins(files: &mut Vec<SourceFile>) {
    files.dedup_by(|later, earlier| {
        let twins = later.module == earlier.module
            && later.path.parent() == earlier.path.parent()
            && later.is_package == earlier.is_package;
        if twins && earlier.scanned.is_none() && later.scanned.is_some() {
            std::mem::swap(later, earlier);
        }
        twins
    });
}
