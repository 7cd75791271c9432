//! The graph of a project's own modules, and what they import from others.

mod build;
mod edit;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hr_imports::{Context, EnvironmentWrite, FileImports, Fingerprint, How, Location, WorldPatch};
use petgraph::stable_graph::{NodeIndex, StableDiGraph};
use petgraph::visit::{EdgeRef, IntoEdgeReferences};
use rustc_hash::FxHashMap;

use crate::finder::Kind;
use crate::project::{Entry, Settings};
use crate::resolve::ExternalName;

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

    /// What it writes to the environment while it is loaded, in source order.
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
    /// Index of the import among those of its file.
    pub(crate) import: u32,
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

/// What a module with these references depends on, in the order in which it asks for it.
fn dependencies(module: NodeIndex, references: &[Use]) -> impl Iterator<Item = (NodeIndex, Dependency)> {
    let mut found: Vec<(NodeIndex, Dependency)> = Vec::new();
    let mut positions: FxHashMap<NodeIndex, usize> = FxHashMap::default();
    for one in references {
        let UseTarget::FirstParty(target) = one.target else { continue };
        if target == module {
            continue;
        }
        let dependency = Dependency { how: one.how(), location: one.location, by_call: one.is_call };
        match positions.get(&target) {
            None => {
                positions.insert(target, found.len());
                found.push((target, dependency));
            }
            Some(position) => {
                let known = &mut found[*position].1;
                let by_call = known.by_call && dependency.by_call;
                if dependency.how < known.how {
                    *known = dependency;
                }
                known.by_call = by_call;
            }
        }
    }
    found.into_iter()
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
///
/// Clones share what is large.
#[derive(Debug, Clone)]
pub struct ProjectGraph {
    pub(crate) root: PathBuf,
    pub(crate) entry: Entry,
    pub(crate) graph: StableDiGraph<Arc<Module>, Dependency>,
    pub(crate) by_name: Arc<BTreeMap<String, NodeIndex>>,
    /// By absolute path. Hashing a `Path` takes it apart; its text will do.
    pub(crate) by_file: Arc<FxHashMap<OsString, NodeIndex>>,
    pub(crate) externals: Arc<Vec<ExternalName>>,
    pub(crate) settings: Settings,
    /// What the settings want to be imported in any case, and where they say so.
    pub(crate) preload: Vec<(ExternalName, Place)>,
    problems: Vec<Problem>,
    unresolved: Vec<Unresolved>,
    /// Shared by graphs of which all that plans are made of is the same.
    planned_by: Arc<()>,
}

impl ProjectGraph {
    /// Whether plans of this graph are those of another one, with the same options. Where that is so is known where only files
    /// were edited since the other one was scanned, and in none of them an import or a write to the environment; otherwise this
    /// may say `false` though they are.
    #[must_use]
    pub fn has_plan_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.planned_by, &other.planned_by)
    }

    /// Whether its modules are those of another one, by the same names and in the same files. Like [`Self::has_plan_of`], this
    /// may say `false` though they are.
    #[must_use]
    pub fn has_modules_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.by_name, &other.by_name) && Arc::ptr_eq(&self.by_file, &other.by_file)
    }

    /// What the project said of itself in `[tool.hotreload]` when it was scanned.
    pub fn settings(&self) -> &Settings {
        &self.settings
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
        self.graph.node_weights().map(Arc::as_ref)
    }

    /// A first-party module by name.
    pub fn module(&self, name: &str) -> Option<&Module> {
        self.by_name.get(name).map(|index| &*self.graph[*index])
    }

    /// A first-party module by its file, absolute or relative to the root.
    pub fn module_of_file(&self, file: &Path) -> Option<&Module> {
        self.index_of_file(file).map(|index| &*self.graph[index])
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
            .map(|edge| (&*self.graph[edge.source()], &*self.graph[edge.target()], *edge.weight()))
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
