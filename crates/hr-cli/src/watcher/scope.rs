//! What counts in each directory.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use super::Wanted;
use super::hidden::{Hidden, gitignoring};
use super::selection::{Match, is_importable, is_passing, never_holds};

/// What counts in one directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Scope {
    /// These entries.
    pub(super) files: BTreeSet<OsString>,
    /// Whatever can be imported.
    pub(super) importable: bool,
    /// Whatever matches the globs.
    pub(super) globs: bool,
}

/// What counts in all of them.
#[derive(Debug, Default)]
pub(super) struct Scopes {
    wanted: Wanted,
    directories: BTreeMap<PathBuf, Scope>,
    /// Directories that appeared in others of which any new entry may count.
    appeared: BTreeSet<PathBuf>,
    hidden: Hidden,
}

impl Scopes {
    /// What counts according to `wanted`. What has appeared in the same directories before still does.
    pub(super) fn renew(&mut self, wanted: &Wanted) {
        *self =
            Self { wanted: wanted.clone(), appeared: std::mem::take(&mut self.appeared), ..Self::default() };
        for file in wanted.files.iter().chain(&wanted.outside) {
            self.file(file);
        }
        for directory in &wanted.directories {
            self.scope(directory).importable = true;
        }
        for start in wanted.globs.starts() {
            self.walk(&wanted.root.join(start));
        }
        for directory in std::mem::take(&mut self.appeared) {
            if directory.is_dir() {
                self.appear(&directory);
            }
        }
    }

    /// The directories, and what counts in them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&PathBuf, &Scope)> {
        self.directories.iter()
    }

    pub(super) fn get(&self, directory: &Path) -> Option<&Scope> {
        self.directories.get(directory)
    }

    /// Something happened to an entry of this name. It may decide what version control leaves out.
    pub(super) fn mind(&self, name: &OsStr) {
        self.hidden.mind(name);
    }

    /// Lets what a new directory holds count as the entries of its parent do. `false` if it already does, or never will.
    pub(super) fn appear(&mut self, directory: &Path) -> bool {
        let (Some(parent), Some(name)) = (directory.parent(), directory.file_name()) else { return false };
        let Some(scope) = self.directories.get(parent) else { return false };
        let importable = scope.importable && is_importable(name, true);
        let inherited = Scope { files: BTreeSet::new(), importable, globs: scope.globs };
        let known = self.directories.get(directory);
        let new =
            known.is_none_or(|known| (importable && !known.importable) || (inherited.globs && !known.globs));
        if !(inherited.importable || inherited.globs)
            || !new
            || never_holds(name)
            || is_environment(directory)
        {
            return false;
        }
        let is_named = self.matches(directory, true) == Match::Named;
        if self.ignores(directory, true) || (!is_named && self.hidden.contains(directory)) {
            return false;
        }
        let scope = self.scope(directory);
        scope.importable |= inherited.importable;
        scope.globs |= inherited.globs;
        self.appeared.insert(directory.to_owned());
        true
    }

    /// Whether it counts if something happens to this entry of `directory`.
    pub(super) fn counts(&self, directory: &Path, name: &OsStr, is_directory: bool) -> bool {
        let Some(scope) = self.directories.get(directory) else { return false };
        let path = directory.join(name);
        if scope.files.contains(name) {
            return !self.ignores(&path, is_directory);
        }
        if is_passing(name) || (is_directory && never_holds(name)) || self.ignores(&path, is_directory) {
            return false;
        }
        (scope.importable && is_importable(name, is_directory))
            || (scope.globs
                && match self.matches(&path, is_directory) {
                    Match::Named => true,
                    Match::Pattern => !self.hidden.contains(&path),
                    Match::Not => false,
                })
    }

    /// The entries of `directory` at the moment, with whether they are directories. Links are followed.
    pub(super) fn entries(directory: &Path) -> impl Iterator<Item = (PathBuf, bool)> {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        entries.map(|entry| {
            let path = entry.path();
            let is_directory = path.is_dir();
            (path, is_directory)
        })
    }

    /// What counts in `directory`, whether it is there or not, and `directory` itself if its entries count.
    pub(super) fn all(&self, directory: &Path) -> BTreeSet<PathBuf> {
        self.all_and_directories(directory).0
    }

    /// The same, and the directories there in which something could count.
    pub(super) fn all_and_directories(&self, directory: &Path) -> (BTreeSet<PathBuf>, BTreeSet<PathBuf>) {
        let Some(scope) = self.directories.get(directory) else { return Default::default() };
        let mut all: BTreeSet<_> = scope.files.iter().map(|name| directory.join(name)).collect();
        let mut directories = BTreeSet::new();
        all.retain(|path| !self.ignores(path, false));
        if scope.importable && !self.ignores(directory, true) {
            all.insert(directory.to_owned());
        }
        if scope.importable || scope.globs {
            for (path, is_directory) in Self::entries(directory) {
                if path.file_name().is_some_and(|name| self.counts(directory, name, is_directory)) {
                    all.insert(path.clone());
                }
                if is_directory {
                    directories.insert(path);
                }
            }
        }
        (all, directories)
    }

    fn scope(&mut self, directory: &Path) -> &mut Scope {
        self.directories.entry(directory.to_owned()).or_default()
    }

    fn file(&mut self, file: &Path) {
        if let (Some(directory), Some(name)) = (file.parent(), file.file_name()) {
            self.scope(directory).files.insert(name.to_owned());
        }
    }

    /// Finds the directories in which something can match a glob that names `start`.
    fn walk(&mut self, start: &Path) {
        if !start.is_dir() && *start != self.wanted.root {
            // A file, or something that is still to come.
            if let Some(parent) = start.parent() {
                self.scope(parent).globs = true;
            }
            if start.is_file() {
                return;
            }
        }
        self.scope(start).globs = true;
        let wanted = self.wanted.clone();
        let walk = gitignoring(start)
            .filter_entry(move |entry| {
                let path = entry.path();
                let ignored =
                    path.strip_prefix(&wanted.root).is_ok_and(|path| wanted.globs.ignores(path, true));
                entry.depth() == 0 || !(ignored || never_holds(entry.file_name()) || is_environment(path))
            })
            .build();
        for entry in walk.flatten() {
            if entry.file_type().is_some_and(|kind| kind.is_dir()) {
                self.scope(entry.path()).globs = true;
            }
        }
    }

    fn matches(&self, path: &Path, is_directory: bool) -> Match {
        let Ok(path) = path.strip_prefix(&self.wanted.root) else { return Match::Not };
        self.wanted.globs.matches(path, is_directory)
    }

    fn ignores(&self, path: &Path, is_directory: bool) -> bool {
        path.strip_prefix(&self.wanted.root).is_ok_and(|path| self.wanted.globs.ignores(path, is_directory))
    }
}

/// Whether a directory is a virtual or a conda environment.
fn is_environment(directory: &Path) -> bool {
    directory.join("pyvenv.cfg").exists() || directory.join("conda-meta").exists()
}
