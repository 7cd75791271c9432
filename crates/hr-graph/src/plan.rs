//! What a template imports, and in which order.

use std::collections::VecDeque;

use hr_imports::{Context, How, Location};
use petgraph::stable_graph::NodeIndex;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::finder::Kind;
use crate::graph::{Place, ProjectGraph, Use, UseTarget};
use crate::project::{Entry, covers};
use crate::resolve::ExternalName;
use crate::scan::ScanOptions;

/// Modules of others in the order in which Python would reach them from the entry, depth first; then those that the
/// project's settings ask for; then those that are reached only lazily.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImportPlan {
    /// In import order; no name twice, no first-party module.
    pub modules: Vec<PlannedModule>,
    /// What the project's own modules write to the environment on the way, in the order in which Python would come by.
    pub writes: Vec<PlannedWrite>,
}

/// One module to import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedModule {
    /// Its dotted name; never a bare namespace package.
    pub name: String,
    /// Third-party or stdlib.
    pub kind: Kind,
    /// How it is reached from the entry.
    pub how: How,
    /// The first place that asks for it.
    pub location: Place,
    /// Whether it was found on `sys.path`. What was not found may still exist: some packages make modules up.
    pub resolved: bool,
}

/// A variable that a module of the project sets while it is loaded. What is planned after it may have been written to
/// read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedWrite {
    /// How many of the planned modules are imported before: the index of the first one that comes after it.
    pub before: usize,
    /// The variable.
    pub key: String,
    /// What it is set to; `None` for what is computed at run time.
    pub value: Option<String>,
    /// Whether an existing value survives (`os.environ.setdefault`).
    pub only_if_unset: bool,
    /// Where.
    pub location: Place,
    /// Whether every run that loads the entry comes by: not below a condition or in a `try` statement, nor in a module that
    /// only some runs load.
    pub certain: bool,
}

impl ProjectGraph {
    /// The import plan from the project's entry. What the project's settings exclude is left out, and so are modules
    /// that are reached only lazily, should the settings or the options say so.
    pub fn plan(&self, options: &ScanOptions) -> ImportPlan {
        let mut walk = Walk::new(self, options);
        for entry in self.entry_modules() {
            walk.load(entry, false, self.is_always_loaded(entry));
        }
        for (external, place) in &self.preload {
            walk.add(external, How::Eager, || place.clone());
        }
        if options.lazy && self.settings.lazy {
            while let Some((importer, one)) = walk.postponed.pop_front() {
                match one.target {
                    UseTarget::FirstParty(next) => walk.load(next, true, false),
                    UseTarget::External(_) => walk.plan(importer, one, true),
                }
            }
        }
        ImportPlan { modules: walk.planned, writes: walk.writes }
    }

    /// Whether every run loads this module, which is one of the entries.
    fn is_always_loaded(&self, entry: NodeIndex) -> bool {
        match &self.entry {
            Entry::Script(_) | Entry::Module(_) => true,
            // A package is loaded for any of its modules.
            Entry::Package(name) => self.graph[entry].name == *name,
            Entry::All => false,
        }
    }

    /// The modules at which execution can begin, in order.
    pub(crate) fn entry_modules(&self) -> Vec<NodeIndex> {
        match &self.entry {
            Entry::Script(file) => self.by_file.get(file.as_os_str()).copied().into_iter().collect(),
            Entry::Module(name) => {
                let main = format!("{name}.__main__");
                [name, &main].into_iter().filter_map(|name| self.by_name.get(name).copied()).collect()
            }
            Entry::Package(name) => {
                let inside = format!("{name}.");
                self.ordered(|module| module == name || module.starts_with(&inside))
            }
            Entry::All => self.ordered(|_| true),
        }
    }

    /// Selected modules as entries: `__init__` before `__main__` before the rest, tests last.
    fn ordered(&self, selected: impl Fn(&str) -> bool) -> Vec<NodeIndex> {
        let mut chosen: Vec<NodeIndex> =
            self.graph.node_indices().filter(|index| selected(&self.graph[*index].name)).collect();
        chosen.sort_by_cached_key(|index| {
            let name = &self.graph[*index].name;
            let top = name.split('.').next().unwrap_or(name);
            let is_main = name.ends_with("__main__");
            (is_test(name), top.to_owned(), name != top, !is_main, name.clone())
        });
        chosen
    }

    /// The packages a module lies in, outermost first, and the module itself.
    pub(crate) fn with_parents(&self, index: NodeIndex) -> Vec<NodeIndex> {
        let mut line = vec![index];
        while let Some(parent) = line.last().and_then(|module| self.graph[*module].parent) {
            line.push(parent);
        }
        line.reverse();
        line
    }

    pub(crate) fn is_entry(&self, index: NodeIndex) -> bool {
        let module = &self.graph[index];
        match &self.entry {
            Entry::Script(file) => module.file == *file,
            Entry::Module(name) => module.name == *name,
            Entry::Package(_) | Entry::All => true,
        }
    }
}

/// Whether a module is a test, by the conventions of the common runners.
fn is_test(name: &str) -> bool {
    name.split('.').any(|part| {
        matches!(part, "test" | "tests" | "testing" | "conftest")
            || part.starts_with("test_")
            || part.ends_with("_test")
    })
}

/// A depth-first walk in the order of execution.
struct Walk<'g> {
    graph: &'g ProjectGraph,
    options: &'g ScanOptions,
    loaded: FxHashSet<NodeIndex>,
    positions: FxHashMap<&'g str, usize>,
    planned: Vec<PlannedModule>,
    writes: Vec<PlannedWrite>,
    postponed: VecDeque<(NodeIndex, Use)>,
}

/// A module on its way through execution.
#[derive(Clone, Copy)]
struct Visit {
    module: NodeIndex,
    /// How many of its imports are done.
    imports: usize,
    /// How many of its writes to the environment are done.
    writes: usize,
    /// Whether every run comes by.
    certain: bool,
}

impl<'g> Walk<'g> {
    fn new(graph: &'g ProjectGraph, options: &'g ScanOptions) -> Self {
        Self {
            graph,
            options,
            loaded: FxHashSet::default(),
            positions: FxHashMap::default(),
            planned: Vec::new(),
            writes: Vec::new(),
            postponed: VecDeque::new(),
        }
    }

    /// Executes a module and all that it loads. The stack is explicit: import chains may be long.
    fn load(&mut self, module: NodeIndex, lazily: bool, certain: bool) {
        let mut stack: Vec<Visit> = Vec::new();
        self.push(&mut stack, module, certain);
        while let Some(mut visit) = stack.pop() {
            let current = visit.module;
            if visit.imports == 0 && !self.loaded.insert(current) {
                continue;
            }
            let next = self.graph.graph[current].references.get(visit.imports);
            if !lazily {
                self.note_writes(&mut visit, next.map(|one| one.location));
            }
            let Some(one) = next else { continue };
            stack.push(Visit { imports: visit.imports + 1, ..visit });
            if !self.runs(current, one.context, one.is_call) {
                if one.context.is_reachable() {
                    self.postponed.push_back((current, *one));
                }
                continue;
            }
            match one.target {
                UseTarget::FirstParty(next) => self.push(&mut stack, next, visit.is_certain(one.context)),
                UseTarget::External(_) => self.plan(current, *one, lazily),
            }
        }
    }

    /// Puts a module onto the stack, and the packages above it on top, outermost last: they are executed first.
    fn push(&self, stack: &mut Vec<Visit>, module: NodeIndex, certain: bool) {
        let mut current = Some(module);
        while let Some(module) = current {
            if !self.loaded.contains(&module) {
                stack.push(Visit { module, imports: 0, writes: 0, certain });
            }
            current = self.graph.graph[module].parent;
        }
    }

    /// Notes what a module writes before a place in it, or up to its end.
    fn note_writes(&mut self, visit: &mut Visit, limit: Option<Location>) {
        let module = &self.graph.graph[visit.module];
        let due = module.environment()[visit.writes..]
            .iter()
            .take_while(|write| limit.is_none_or(|limit| write.location < limit));
        for write in due {
            visit.writes += 1;
            if self.runs(visit.module, write.context, false) {
                self.writes.push(PlannedWrite {
                    before: self.planned.len(),
                    key: write.key.clone(),
                    value: write.value.clone(),
                    only_if_unset: write.only_if_unset,
                    location: self.graph.place(module, write.location),
                    certain: visit.is_certain(write.context),
                });
            }
        }
    }

    fn runs(&self, importer: NodeIndex, context: Context, is_call: bool) -> bool {
        context.runs_at_load(is_call) && (!context.main_only || self.graph.is_entry(importer))
    }

    fn plan(&mut self, importer: NodeIndex, one: Use, lazily: bool) {
        let UseTarget::External(id) = one.target else { return };
        let how = if lazily { How::Lazy } else { one.how() };
        let graph = self.graph;
        self.add(&graph.externals[id], how, || graph.place(&graph.graph[importer], one.location));
    }

    fn add(&mut self, external: &'g ExternalName, how: How, place: impl FnOnce() -> Place) {
        if !external.loads || self.is_ignored(&external.name) {
            return;
        }
        if let Some(position) = self.positions.get(external.name.as_str()) {
            let planned = &mut self.planned[*position];
            planned.how = planned.how.min(how);
            return;
        }
        self.positions.insert(&external.name, self.planned.len());
        self.planned.push(PlannedModule {
            name: external.name.clone(),
            kind: external.kind,
            how,
            location: place(),
            resolved: external.resolved,
        });
    }

    fn is_ignored(&self, name: &str) -> bool {
        covers(&self.options.ignored_modules, name) || self.graph.settings.excludes(name)
    }
}

impl Visit {
    /// Whether every run comes by a place in the module.
    fn is_certain(self, context: Context) -> bool {
        self.certain && !context.uncertain && !context.main_only
    }
}
