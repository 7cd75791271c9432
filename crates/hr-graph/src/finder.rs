//! Finds modules on `sys.path`, as `importlib.machinery.PathFinder` would, reading each directory once.
//!
//! Source: <https://docs.python.org/3/reference/import.html#the-path-based-finder> and, for what wins where several
//! things have the same name, `FileFinder.find_spec` in `Lib/importlib/_bootstrap_external.py`.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::interpreter::Interpreter;
use crate::listing::{Listing, Offer, module_file};
use crate::project::Project;
use crate::scan::Consulted;

/// Whose a module is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The project's own.
    FirstParty,
    /// Everything else that is importable.
    ThirdParty,
    /// Of the standard library, by its name.
    Stdlib,
}

impl Kind {
    /// The word used in output: `first-party`, `third-party` or `stdlib`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FirstParty => "first-party",
            Self::ThirdParty => "third-party",
            Self::Stdlib => "stdlib",
        }
    }
}

/// What a module was found as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A directory with an `__init__`.
    Package,
    /// A file.
    Module,
    /// Directories without an `__init__` (PEP 420).
    Namespace,
    /// In the interpreter itself.
    Builtin,
}

/// A module that was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) name: String,
    /// The package it was found in.
    pub(crate) parent: Option<FoundId>,
    pub(crate) form: Form,
    pub(crate) kind: Kind,
    /// The file that is executed, for a package its `__init__`.
    pub(crate) file: Option<PathBuf>,
    /// Where submodules are looked for.
    locations: Vec<PathBuf>,
}

impl Found {
    pub(crate) fn has_children(&self) -> bool {
        !self.locations.is_empty()
    }
}

/// Index of a module in the finder.
pub(crate) type FoundId = u32;

/// What directories offer, by their paths.
pub(crate) type Listings = FxHashMap<OsString, Arc<Listing>>;

/// See the module's documentation.
pub(crate) struct Finder<'a> {
    interpreter: &'a Interpreter,
    project: &'a Project,
    search_path: Vec<PathBuf>,
    has_stdlib: bool,
    /// Of the directories that were asked for.
    listings: Listings,
    /// Of others, as they were read for an earlier scan and still are.
    kept: Listings,
    found: Vec<Found>,
    /// Dotted names that were followed already.
    looked_up: FxHashMap<Box<str>, Lookup>,
    top_level: Children,
    /// Of each module found.
    children: Vec<Children>,
}

/// What was looked for in a package, or at the top, and what was found.
type Children = FxHashMap<Box<str>, Option<FoundId>>;

/// How far a dotted name leads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lookup {
    /// The deepest module that exists.
    pub(crate) deepest: Option<FoundId>,
    /// Whether that is the one asked for.
    pub(crate) complete: bool,
}

impl<'a> Finder<'a> {
    /// A finder that reads no directory of which it is told what it offers.
    pub(crate) fn new(project: &'a Project, interpreter: &'a Interpreter, kept: Listings) -> Self {
        let search_path = project.search_path(interpreter);
        let has_stdlib = search_path.iter().any(|directory| Interpreter::is_stdlib_directory(directory));
        Self {
            interpreter,
            project,
            search_path,
            has_stdlib,
            listings: Listings::default(),
            kept,
            found: Vec::new(),
            looked_up: FxHashMap::default(),
            top_level: Children::default(),
            children: Vec::new(),
        }
    }

    /// Takes over what is known of directories already, as if they had been asked for.
    pub(crate) fn add_listings(&mut self, listings: &[(OsString, Arc<Listing>)]) {
        self.listings.extend(listings.iter().cloned());
    }

    /// The directories that were read or searched, and the links in them.
    pub(crate) fn consulted(&self) -> Consulted {
        let mut consulted = Consulted::default();
        for (directory, listing) in &self.listings {
            consulted.files.extend(listing.links().iter().map(|link| Path::new(directory).join(link)));
        }
        consulted.directories.extend(self.listings.keys().map(PathBuf::from));
        consulted.directories.extend(self.search_path.iter().cloned());
        consulted
    }

    /// What the directories offer that were asked for.
    pub(crate) fn into_listings(self) -> Listings {
        self.listings
    }

    /// How many modules were found so far: one more than the highest number.
    pub(crate) fn len(&self) -> usize {
        self.found.len()
    }

    pub(crate) fn get(&self, id: FoundId) -> &Found {
        &self.found[id as usize]
    }

    /// All modules found so far, in the order of their numbers.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Found> {
        self.found.iter()
    }

    /// Whether the standard library's files were among the directories searched.
    pub(crate) fn has_stdlib(&self) -> bool {
        self.has_stdlib
    }

    pub(crate) fn interpreter(&self) -> &'a Interpreter {
        self.interpreter
    }

    /// Follows a dotted name from the top.
    pub(crate) fn look_up(&mut self, dotted: &str) -> Lookup {
        if let Some(known) = self.looked_up.get(dotted) {
            return *known;
        }
        let mut lookup = Lookup { deepest: None, complete: true };
        for part in dotted.split('.') {
            let Some(id) = self.child(lookup.deepest, part) else {
                lookup.complete = false;
                break;
            };
            lookup.deepest = Some(id);
        }
        self.looked_up.insert(dotted.into(), lookup);
        lookup
    }

    /// The submodule of a module, or a top-level module.
    pub(crate) fn child(&mut self, parent: Option<FoundId>, name: &str) -> Option<FoundId> {
        if let Some(parent) = parent
            && !self.get(parent).has_children()
        {
            return None;
        }
        let siblings = match parent {
            None => &self.top_level,
            Some(parent) => &self.children[parent as usize],
        };
        if let Some(known) = siblings.get(name) {
            return *known;
        }
        let found = self.search(parent, name).map(|found| {
            self.found.push(found);
            self.children.push(Children::default());
            FoundId::try_from(self.found.len() - 1).unwrap_or(FoundId::MAX)
        });
        let siblings = match parent {
            None => &mut self.top_level,
            Some(parent) => &mut self.children[parent as usize],
        };
        siblings.insert(name.into(), found);
        found
    }

    fn search(&mut self, parent: Option<FoundId>, name: &str) -> Option<Found> {
        let (full, directories, inherited) = match parent {
            None => {
                if self.interpreter.is_loaded_at_startup(name) {
                    return Some(self.startup_module(name));
                }
                (name.to_owned(), self.search_path.clone(), None)
            }
            Some(id) => {
                let parent = self.get(id);
                let kind = (parent.kind == Kind::Stdlib).then_some(Kind::Stdlib);
                (format!("{}.{name}", parent.name), parent.locations.clone(), kind)
            }
        };
        let kind_of = |this: &Self, file: &Path| {
            inherited.unwrap_or_else(|| {
                if this.project.is_first_party(file) {
                    Kind::FirstParty
                } else if this.interpreter.is_stdlib(full.split('.').next().unwrap_or(&full)) {
                    Kind::Stdlib
                } else {
                    Kind::ThirdParty
                }
            })
        };
        let mut portions = Vec::new();
        for directory in directories {
            let offer = self.listing(&directory).offer(name);
            if offer == Offer::NOTHING {
                continue;
            }
            if offer.has(Offer::DIRECTORY) {
                let package = directory.join(name);
                let init = self.listing(&package).offer("__init__");
                if let Some(file) = self.file(&package, "__init__", init) {
                    let kind = kind_of(self, &file);
                    let locations = vec![package];
                    return Some(Found {
                        name: full,
                        parent,
                        form: Form::Package,
                        kind,
                        file: Some(file),
                        locations,
                    });
                }
            }
            if let Some(file) = self.file(&directory, name, offer) {
                let kind = kind_of(self, &file);
                return Some(Found {
                    name: full,
                    parent,
                    form: Form::Module,
                    kind,
                    file: Some(file),
                    locations: Vec::new(),
                });
            }
            if offer.has(Offer::DIRECTORY) {
                let portion = directory.join(name);
                if self.holds_modules(&portion, 0) {
                    portions.push(portion);
                }
            }
        }
        let first = portions.first()?;
        let kind = kind_of(self, first);
        Some(Found { name: full, parent, form: Form::Namespace, kind, file: None, locations: portions })
    }

    /// A module that is loaded before any program runs; what lies on `sys.path` under its name is never seen.
    fn startup_module(&self, name: &str) -> Found {
        let locations: Vec<PathBuf> = self
            .search_path
            .iter()
            .filter(|directory| Interpreter::is_stdlib_directory(directory))
            .map(|directory| directory.join(name))
            .filter(|package| package.is_dir())
            .collect();
        Found {
            name: name.to_owned(),
            parent: None,
            form: Form::Builtin,
            kind: Kind::Stdlib,
            file: None,
            locations,
        }
    }

    /// The file that Python would load for a name. Source is preferred here to an extension module of the same
    /// name, though Python prefers the latter: it was compiled from the former and imports the same.
    fn file(&self, directory: &Path, name: &str, offer: Offer) -> Option<PathBuf> {
        if offer.has(Offer::SOURCE) {
            Some(directory.join(format!("{name}.py")))
        } else if offer.has(Offer::EXTENSION) {
            extension_file(directory, name, self.interpreter.version)
        } else if offer.has(Offer::BYTECODE) {
            Some(directory.join(format!("{name}.pyc")))
        } else {
            None
        }
    }

    /// Whether something importable lies in a directory without `__init__`. Any directory on the path is a namespace
    /// package for Python, but one without modules is one by accident.
    fn holds_modules(&mut self, directory: &Path, depth: u8) -> bool {
        let listing = self.listing(directory);
        listing.holds_modules()
            || depth < 8
                && listing
                    .directories()
                    .filter(|name| *name != "__pycache__" && *name != "node_modules")
                    .any(|name| self.holds_modules(&directory.join(name), depth + 1))
    }

    fn listing(&mut self, directory: &Path) -> Arc<Listing> {
        if let Some(listing) = self.listings.get(directory.as_os_str()) {
            return Arc::clone(listing);
        }
        let kept = self.kept.remove(directory.as_os_str());
        let listing = kept.unwrap_or_else(|| Arc::new(Listing::read(directory, self.interpreter.version)));
        self.listings.insert(directory.as_os_str().to_owned(), Arc::clone(&listing));
        listing
    }
}

fn extension_file(directory: &Path, name: &str, version: (u8, u8)) -> Option<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory)
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.file_name().and_then(OsStr::to_str).and_then(|file| module_file(file, version))
                == Some((name, Offer::EXTENSION))
        })
        .collect();
    files.sort();
    files.into_iter().next()
}
