//! Questions about a scanned project: who imports this, what depends on that, where are the circles.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use hr_imports::{How, Location};
use petgraph::Direction;
use petgraph::stable_graph::NodeIndex;
use petgraph::visit::EdgeRef;
use rustc_hash::FxHashMap;

use crate::finder::Kind;
use crate::graph::{Module, Place, ProjectGraph, Use, UseTarget};
use crate::plan::ImportPlan;
use crate::project::Entry;

/// A module and everywhere it is imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// Its dotted name.
    pub name: String,
    /// Whose it is.
    pub kind: Kind,
    /// The strongest way in which it is imported.
    pub how: How,
    /// Whether it exists.
    pub resolved: bool,
    /// Everywhere it is asked for, sorted.
    pub places: Vec<Place>,
}

/// What was found out about a module's usage so far; places are modules by number.
struct Found {
    how: How,
    resolved: bool,
    places: Vec<(usize, Location)>,
}

fn finished((name, kind): (&str, Kind), found: Found, files: &[&Path]) -> Usage {
    let Found { how, resolved, mut places } = found;
    places.sort_unstable();
    places.dedup();
    let places = places
        .into_iter()
        .map(|(number, Location { line, column })| Place { file: files[number].to_owned(), line, column })
        .collect();
    Usage { name: name.to_owned(), kind, how, resolved, places }
}

/// One step of a chain of imports: a module, and where it imports the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The importing module.
    pub importer: String,
    /// The module that is asked for there: the next step's importer, one of its submodules, or the chain's end.
    pub imports: String,
    /// How.
    pub how: How,
    /// Where.
    pub place: Place,
}

/// A module that has to be executed again after an edit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dependent {
    /// Its dotted name.
    pub module: String,
    /// Whether every path to it leads through a lazy import.
    pub lazily: bool,
}

impl ProjectGraph {
    /// Every module that is imported anywhere, by anyone: planned ones in plan order, then the others by name.
    pub fn usages(&self, options: &crate::scan::ScanOptions) -> Vec<Usage> {
        self.usages_by_plan(&self.plan(options))
    }

    /// The same for a plan of this project that is known already.
    pub fn usages_by_plan(&self, plan: &ImportPlan) -> Vec<Usage> {
        let (order, files) = self.modules_by_file();
        let mut found: FxHashMap<(&str, Kind), Found> = FxHashMap::default();
        for (number, index) in (0..).zip(&order) {
            for one in &self.graph[*index].references {
                let (name, kind, resolved) = match one.target {
                    UseTarget::External(id) => {
                        let external = &self.externals[id];
                        (external.name.as_str(), external.kind, external.resolved)
                    }
                    UseTarget::FirstParty(target) => {
                        (self.graph[target].name.as_str(), Kind::FirstParty, true)
                    }
                };
                let usage = found.entry((name, kind)).or_insert(Found {
                    how: How::Typing,
                    resolved: false,
                    places: Vec::new(),
                });
                usage.how = usage.how.min(one.how());
                usage.resolved |= resolved;
                // Files come in order, lines nearly so.
                usage.places.push((number, one.location));
            }
        }
        for (external, _) in &self.preload {
            let unused = Found { how: How::Eager, resolved: external.resolved, places: Vec::new() };
            found.entry((&external.name, external.kind)).or_insert(unused).how = How::Eager;
        }
        let mut ordered = Vec::with_capacity(found.len());
        for planned in &plan.modules {
            if let Some((key, usage)) = found.remove_entry(&(planned.name.as_str(), planned.kind)) {
                ordered.push(finished(key, usage, &files));
            }
        }
        let mut rest: Vec<_> = found.into_iter().collect();
        rest.sort_unstable_by_key(|(key, _)| *key);
        ordered.extend(rest.into_iter().map(|(key, usage)| finished(key, usage, &files)));
        for (external, place) in &self.preload {
            if let Some(usage) = ordered.iter_mut().find(|usage| usage.name == external.name) {
                usage.places.push(place.clone());
                usage.places.sort_unstable();
            }
        }
        ordered
    }

    /// All modules in the order of their files as they are reported, and those files.
    fn modules_by_file(&self) -> (Vec<NodeIndex>, Vec<&Path>) {
        let mut order: Vec<(&Path, NodeIndex)> =
            self.graph.node_indices().map(|index| (self.relative(&self.graph[index].file), index)).collect();
        order.sort_unstable_by(|one, other| one.0.as_os_str().cmp(other.0.as_os_str()));
        order.into_iter().map(|(file, index)| (index, file)).unzip()
    }

    /// The chains of imports that lead from the entry to a module, one for each module that imports it directly, the
    /// shortest first. A submodule counts as its package. Imports for type checkers lead nowhere.
    pub fn chains_to(&self, module: &str) -> Vec<Vec<Step>> {
        let inside = format!("{module}.");
        let is_target = |name: &str| name == module || name.starts_with(&inside);
        let paths = self.shortest_paths();
        let mut chains = Vec::new();
        for index in self.graph.node_indices() {
            let importer = &self.graph[index];
            if is_target(&importer.name) {
                continue;
            }
            let direct = importer
                .references
                .iter()
                .find(|one| one.context.is_reachable() && is_target(self.name_of(one.target)));
            if let Some(one) = direct {
                let mut chain = self.chain(index, &paths);
                chain.push(self.step(index, *one));
                chains.push(chain);
            }
        }
        chains.sort_by(|one, other| {
            let key = |chain: &Vec<Step>| {
                (chain.len(), chain.iter().map(|step| step.place.clone()).collect::<Vec<_>>())
            };
            key(one).cmp(&key(other))
        });
        chains
    }

    /// The modules that have executed a file by the time they are loaded, except for its own: after an edit of the
    /// file, they have to be executed again. Sorted.
    pub fn dependents(&self, file: &Path) -> Option<Vec<Dependent>> {
        let start = self.index_of_file(file)?;
        let eager = self.dependents_through(start, |how| how < How::Lazy);
        let all = self.dependents_through(start, |how| how < How::Typing);
        let mut found: Vec<Dependent> = all
            .into_iter()
            .map(|index| Dependent {
                module: self.graph[index].name.clone(),
                lazily: !eager.contains(&index),
            })
            .collect();
        found.sort();
        Some(found)
    }

    /// Circles among modules that import each other while they are loaded: each sorted, and all of them.
    pub fn cycles(&self) -> Vec<Vec<&Module>> {
        let eager = self
            .graph
            .filter_map(|index, _| Some(index), |_, dependency| (dependency.how < How::Lazy).then_some(()));
        // Not the algorithm of Tarjan: that recurses, as deep as the longest chain of imports.
        let mut cycles: Vec<Vec<&Module>> = petgraph::algo::kosaraju_scc(&eager)
            .into_iter()
            .filter(|component| component.len() > 1)
            .map(|component| {
                let mut modules: Vec<&Module> =
                    component.into_iter().map(|index| &*self.graph[eager[index]]).collect();
                modules.sort_by(|one, other| one.name.cmp(&other.name));
                modules
            })
            .collect();
        cycles.sort_by(|one, other| one[0].name.cmp(&other[0].name));
        cycles
    }

    /// The modules within `depth` steps of one, in either direction, itself included; sorted by name.
    pub fn neighbourhood(&self, module: &str, depth: usize) -> Option<Vec<&Module>> {
        let start = *self.by_name.get(module)?;
        let mut seen = BTreeSet::from([start]);
        for direction in [Direction::Outgoing, Direction::Incoming] {
            let mut reached = BTreeSet::from([start]);
            let mut frontier = vec![start];
            for _ in 0..depth {
                let mut next = Vec::new();
                for index in frontier {
                    for neighbour in self.graph.neighbors_directed(index, direction) {
                        if reached.insert(neighbour) {
                            next.push(neighbour);
                        }
                    }
                }
                if next.is_empty() {
                    break;
                }
                frontier = next;
            }
            seen.extend(reached);
        }
        let mut modules: Vec<&Module> = seen.into_iter().map(|index| &*self.graph[index]).collect();
        modules.sort_by(|one, other| one.name.cmp(&other.name));
        Some(modules)
    }

    fn name_of(&self, target: UseTarget) -> &str {
        match target {
            UseTarget::FirstParty(index) => &self.graph[index].name,
            UseTarget::External(id) => &self.externals[id].name,
        }
    }

    fn step(&self, importer: NodeIndex, one: Use) -> Step {
        let module = &self.graph[importer];
        Step {
            importer: module.name.clone(),
            imports: self.name_of(one.target).to_owned(),
            how: one.how(),
            place: self.place(module, one.location),
        }
    }

    /// The way back to the entry from every module that can be reached.
    fn shortest_paths(&self) -> BTreeMap<NodeIndex, Option<(NodeIndex, Use)>> {
        let mut paths = BTreeMap::new();
        let is_root =
            |index: NodeIndex| self.graph.neighbors_directed(index, Direction::Incoming).next().is_none();
        let roots: Vec<NodeIndex> = self.graph.node_indices().filter(|index| is_root(*index)).collect();
        let everything: Vec<NodeIndex> = self.graph.node_indices().collect();
        // What the entry does not reach begins at modules that no one imports, what is left in circles anywhere.
        for sources in [self.main_entries(), roots, everything] {
            let mut queue = VecDeque::new();
            for source in sources {
                if let std::collections::btree_map::Entry::Vacant(vacant) = paths.entry(source) {
                    vacant.insert(None);
                    queue.push_back(source);
                }
                self.search(&mut queue, &mut paths);
            }
        }
        paths
    }

    fn search(
        &self,
        queue: &mut VecDeque<NodeIndex>,
        paths: &mut BTreeMap<NodeIndex, Option<(NodeIndex, Use)>>,
    ) {
        while let Some(current) = queue.pop_front() {
            for one in self.graph[current].references.iter().filter(|one| one.context.is_reachable()) {
                let UseTarget::FirstParty(target) = one.target else { continue };
                for next in self.with_parents(target) {
                    paths.entry(next).or_insert_with(|| {
                        queue.push_back(next);
                        Some((current, *one))
                    });
                }
            }
        }
    }

    fn main_entries(&self) -> Vec<NodeIndex> {
        match &self.entry {
            Entry::Script(_) | Entry::Module(_) => self.entry_modules(),
            Entry::Package(_) | Entry::All => self
                .entry_modules()
                .into_iter()
                .filter(|index| {
                    let name = &self.graph[*index].name;
                    !name.contains('.') || name.ends_with(".__main__")
                })
                .collect(),
        }
    }

    fn chain(&self, end: NodeIndex, paths: &BTreeMap<NodeIndex, Option<(NodeIndex, Use)>>) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut current = end;
        while let Some(Some((importer, one))) = paths.get(&current) {
            steps.push(self.step(*importer, *one));
            current = *importer;
        }
        steps.reverse();
        steps
    }

    fn dependents_through(&self, start: NodeIndex, counts: impl Fn(How) -> bool) -> BTreeSet<NodeIndex> {
        let mut seen = BTreeSet::from([start]);
        let mut queue = VecDeque::from([start]);
        while let Some(current) = queue.pop_front() {
            let importers = self
                .graph
                .edges_directed(current, Direction::Incoming)
                .filter(|edge| counts(edge.weight().how))
                .map(|edge| edge.source());
            let module = &self.graph[current];
            // Whoever loads a submodule has loaded its package.
            let inside = format!("{}.", module.name);
            let submodules: Vec<NodeIndex> = if module.is_package {
                self.by_name
                    .range(inside.clone()..)
                    .take_while(|(name, _)| name.starts_with(&inside))
                    .map(|(_, index)| *index)
                    .collect()
            } else {
                Vec::new()
            };
            for next in importers.chain(submodules) {
                if seen.insert(next) {
                    queue.push_back(next);
                }
            }
        }
        seen.remove(&start);
        seen
    }
}
