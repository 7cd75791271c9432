//! What a template imports, and in which order.

use std::collections::VecDeque;

use hr_imports::How;
use petgraph::stable_graph::NodeIndex;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::finder::Kind;
use crate::graph::{Place, ProjectGraph, Use, UseTarget};
use crate::project::Entry;
use crate::scan::ScanOptions;

/// Modules of others in the order in which Python would reach them from the entry, depth first; then those that are
/// reached only lazily.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImportPlan {
    /// In import order; no name twice, no first-party module.
    pub modules: Vec<PlannedModule>,
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

impl ProjectGraph {
    /// The import plan from the project's entry.
    pub fn plan(&self, options: &ScanOptions) -> ImportPlan {
        let mut walk = Walk::new(self, options);
        for entry in self.entry_modules() {
            walk.load(entry, false);
        }
        if options.lazy {
            while let Some((importer, one)) = walk.postponed.pop_front() {
                walk.follow(importer, one, true);
            }
        }
        ImportPlan { modules: walk.planned }
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
    postponed: VecDeque<(NodeIndex, Use)>,
}

impl<'g> Walk<'g> {
    fn new(graph: &'g ProjectGraph, options: &'g ScanOptions) -> Self {
        Self {
            graph,
            options,
            loaded: FxHashSet::default(),
            positions: FxHashMap::default(),
            planned: Vec::new(),
            postponed: VecDeque::new(),
        }
    }

    /// Executes a module and all that it loads. The stack is explicit: import chains may be long.
    fn load(&mut self, module: NodeIndex, lazily: bool) {
        let mut stack: Vec<(NodeIndex, usize)> = Vec::new();
        self.push(&mut stack, module);
        while let Some((current, position)) = stack.pop() {
            if position == 0 && !self.loaded.insert(current) {
                continue;
            }
            let uses = &self.graph.graph[current].references;
            let Some(one) = uses.get(position) else { continue };
            stack.push((current, position + 1));
            if !self.runs(current, *one) {
                if one.context.is_reachable() {
                    self.postponed.push_back((current, *one));
                }
                continue;
            }
            match one.target {
                UseTarget::FirstParty(next) => self.push(&mut stack, next),
                UseTarget::External(_) => self.plan(current, *one, lazily),
            }
        }
    }

    /// Puts a module onto the stack, and the packages above it on top, outermost last: they are executed first.
    fn push(&self, stack: &mut Vec<(NodeIndex, usize)>, module: NodeIndex) {
        let mut current = Some(module);
        while let Some(module) = current {
            if !self.loaded.contains(&module) {
                stack.push((module, 0));
            }
            current = self.graph.graph[module].parent;
        }
    }

    fn runs(&self, importer: NodeIndex, one: Use) -> bool {
        one.context.runs_at_load(one.is_call) && (!one.context.main_only || self.graph.is_entry(importer))
    }

    fn follow(&mut self, importer: NodeIndex, one: Use, lazily: bool) {
        match one.target {
            UseTarget::FirstParty(next) => self.load(next, lazily),
            UseTarget::External(_) => self.plan(importer, one, lazily),
        }
    }

    fn plan(&mut self, importer: NodeIndex, one: Use, lazily: bool) {
        let UseTarget::External(id) = one.target else { return };
        let external = &self.graph.externals[id];
        if !external.loads || self.is_ignored(&external.name) {
            return;
        }
        let how = if lazily { How::Lazy } else { one.how() };
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
            location: self.graph.place(&self.graph.graph[importer], one.location),
            resolved: external.resolved,
        });
    }

    fn is_ignored(&self, name: &str) -> bool {
        self.options.ignored_modules.iter().any(|ignored| {
            name.strip_prefix(ignored.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }
}
