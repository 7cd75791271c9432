//! Makes the graph of the files that were scanned.

use std::path::PathBuf;
use std::sync::Arc;

use hr_imports::Location;
use petgraph::stable_graph::{NodeIndex, StableDiGraph};
use rayon::prelude::*;
use rustc_hash::{FxBuildHasher, FxHashMap};

use super::{Module, Place, Problem, ProjectGraph, Unresolved, Use, UseTarget, dependencies};
use crate::finder::{Finder, Kind};
use crate::project::{Preload, Project};
use crate::resolve::{self, ExternalName, Reference};
use crate::scan::{SourceFile, project_problem};

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
            by_name: Arc::default(),
            by_file: Arc::new(FxHashMap::with_capacity_and_hasher(files.len(), FxBuildHasher)),
            externals: Arc::default(),
            settings: project.settings().clone(),
            preload: Vec::new(),
            problems: project.settings_problems().to_vec(),
            unresolved: Vec::new(),
            planned_by: Arc::default(),
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
        this.find_preloaded(finder);
        this.problems.sort();
        this.unresolved.sort();
        this
    }

    fn find_preloaded(&mut self, finder: &mut Finder<'_>) {
        for Preload { module, place } in self.settings.preload.clone() {
            match resolve::external_by_name(&module, finder) {
                Some(external) => self.preload.push((external, place)),
                None => self.problems.push(Problem {
                    file: place.file,
                    line: place.line,
                    column: place.column,
                    message: format!(
                        "tool.hotreload.preload: {module} is the project's own, which no template imports"
                    ),
                }),
            }
        }
    }

    fn add_module(&mut self, project: &Project, file: SourceFile) {
        let found = file.scanned.map(|scanned| Arc::clone(&scanned.found));
        for problem in found.iter().flat_map(|found| &found.problems) {
            self.problems.push(project_problem(project, &file.path, problem));
        }
        let index = self.graph.add_node(Arc::new(Module {
            name: file.module.clone(),
            file: file.path.clone(),
            is_package: file.is_package,
            parent: None,
            references: Vec::new(),
            found,
            hash: file.version,
        }));
        Arc::make_mut(&mut self.by_name).entry(file.module).or_insert(index);
        Arc::make_mut(&mut self.by_file).insert(file.path.into_os_string(), index);
    }

    /// A module of which there is no other holder yet.
    fn module_mut(&mut self, index: NodeIndex) -> &mut Module {
        Arc::make_mut(&mut self.graph[index])
    }

    /// Where several files have one name, that name means the one Python would load.
    fn prefer_what_python_finds(&mut self, finder: &mut Finder<'_>) {
        if self.by_name.len() == self.graph.node_count() {
            return;
        }
        for (name, index) in Arc::make_mut(&mut self.by_name) {
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
            self.module_mut(index).parent = parent;
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
                uses.push(Use {
                    target,
                    import: number,
                    location: import.location,
                    context: import.context,
                    is_call,
                });
            }
            for relative in &found.unresolved {
                let names: Vec<&str> = relative.names.iter().map(|name| name.name.as_str()).collect();
                let written = format!("{} {}", relative.written, names.join(", "));
                self.note_unresolved(project, index, written, relative.location);
            }
            for (target, dependency) in dependencies(index, &uses) {
                self.graph.add_edge(index, target, dependency);
            }
            self.module_mut(index).references = uses;
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
        let externals = Arc::make_mut(&mut self.externals);
        let next = externals.len();
        UseTarget::External(*ids.entry(external).or_insert_with_key(|external| {
            externals.push(external.clone());
            next
        }))
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
