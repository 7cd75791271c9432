//! From imports as written to modules that exist.

use hr_imports::{Form as ImportForm, Import};

use crate::finder::{Finder, Form, Found, FoundId, Kind, Lookup};
use crate::scan::SourceFile;

/// What one import leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reference {
    /// A module that was found: for one of the project's own, one with a file.
    Found(FoundId),
    /// A module of others that was not found.
    Absent(ExternalName),
    /// Part of the project by its name, but not there.
    Missing(String),
}

/// The name of a module of others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ExternalName {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Whether it was found.
    pub(crate) resolved: bool,
    /// Whether importing it loads anything: a namespace package alone does not.
    pub(crate) loads: bool,
}

/// What all imports of a file lead to, each with the index of its import.
pub(crate) fn file_references(file: &SourceFile, finder: &mut Finder<'_>) -> Vec<(u32, Reference)> {
    let Some(scanned) = &file.scanned else { return Vec::new() };
    let mut found = Vec::with_capacity(scanned.found.imports.len());
    for (index, import) in (0..).zip(&scanned.found.imports) {
        found.extend(references(import, finder).into_iter().map(|reference| (index, reference)));
    }
    found
}

/// The first-party modules that a file leads to: its own packages, what it imports, and the packages of that.
pub(crate) fn first_party(file: &SourceFile, finder: &mut Finder<'_>) -> Vec<FoundId> {
    let mut modules = Vec::new();
    add_line(file.module.rsplit_once('.').map_or("", |(package, _)| package), finder, &mut modules);
    for (_, reference) in &file.references {
        if let Reference::Found(id) = reference {
            let mut current = Some(*id);
            while let Some(id) = current {
                modules.push(id);
                current = finder.get(id).parent;
            }
        }
    }
    modules.retain(|id| finder.get(*id).kind == Kind::FirstParty);
    modules
}

/// A module by name and its packages.
fn add_line(module: &str, finder: &mut Finder<'_>, modules: &mut Vec<FoundId>) {
    let mut parent = None;
    for part in module.split('.') {
        let Some(child) = finder.child(parent, part) else { break };
        modules.push(child);
        parent = Some(child);
    }
}

/// Everything one import leads to, in the order in which Python would load it.
fn references(import: &Import, finder: &mut Finder<'_>) -> Vec<Reference> {
    let module = import.module.as_str();
    if module == "__main__" {
        return Vec::new();
    }
    let Lookup { deepest, complete } = finder.look_up(module);
    let mut references = Vec::new();
    if !complete {
        absent(module, deepest, finder, &mut references);
        return references;
    }
    let Some(id) = deepest else { return references };
    let found = finder.get(id);
    let is_namespace = found.form == Form::Namespace;
    if !is_namespace || matches!(import.form, ImportForm::Module { .. } | ImportForm::Star) {
        let itself = present(id, finder);
        // `from package import submodule` needs the package itself only as the way to the submodule,
        // unless it is someone else's: then it is planned under its own name, too.
        let names_only_submodules = finder.get(id).kind == Kind::FirstParty
            && !import.names().is_empty()
            && matches!(import.form, ImportForm::Names(_))
            && import.names().iter().all(|name| finder.child(Some(id), &name.name).is_some());
        if !names_only_submodules {
            references.extend(itself);
        }
    }
    for name in import.names() {
        match finder.child(Some(id), &name.name) {
            Some(child) => references.extend(present(child, finder)),
            None if is_namespace => {
                absent(&format!("{module}.{}", name.name), deepest, finder, &mut references);
            }
            None => {}
        }
    }
    references
}

fn present(id: FoundId, finder: &Finder<'_>) -> Option<Reference> {
    let found = finder.get(id);
    (found.kind != Kind::FirstParty || found.form != Form::Namespace).then_some(Reference::Found(id))
}

/// A module of others that was found, as the graph knows it.
pub(crate) fn external_of(found: &Found) -> ExternalName {
    ExternalName {
        name: found.name.clone(),
        kind: found.kind,
        resolved: true,
        loads: found.form != Form::Namespace,
    }
}

/// A name that leads nowhere: what exists of it is loaded all the same.
fn absent(name: &str, deepest: Option<FoundId>, finder: &Finder<'_>, references: &mut Vec<Reference>) {
    if let Some(id) = deepest {
        let found = finder.get(id);
        references.extend(present(id, finder).filter(|_| found.form != Form::Namespace));
    }
    references.push(match absent_external(name, deepest, finder) {
        Some(external) => Reference::Absent(external),
        None => Reference::Missing(name.to_owned()),
    });
}

/// What a name that leads nowhere is expected to be, unless it would be the project's own.
fn absent_external(name: &str, deepest: Option<FoundId>, finder: &Finder<'_>) -> Option<ExternalName> {
    let external = |kind, resolved| ExternalName { name: name.to_owned(), kind, resolved, loads: true };
    let Some(id) = deepest else {
        let top = name.split('.').next().unwrap_or(name);
        let kind = if finder.interpreter().is_stdlib(top) { Kind::Stdlib } else { Kind::ThirdParty };
        return Some(external(kind, kind == Kind::Stdlib && !finder.has_stdlib()));
    };
    match finder.get(id).kind {
        Kind::FirstParty => None,
        // `os` puts its path module into `sys.modules` under this name; there is no such file.
        kind => Some(external(kind, name == "os.path")),
    }
}

/// The module of others that a name stands for, found or not; `None` for what is the project's own.
pub(crate) fn external_by_name(name: &str, finder: &mut Finder<'_>) -> Option<ExternalName> {
    let Lookup { deepest, complete } = finder.look_up(name);
    match deepest.map(|id| finder.get(id)) {
        Some(found) if complete => (found.kind != Kind::FirstParty).then(|| external_of(found)),
        _ => absent_external(name, deepest, finder),
    }
}
