//! From a path to everything that decides which file it leads to.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use nix::sys::inotify::{AddWatchFlags, WatchDescriptor};

use super::{ENTRIES, MOVED, Name, Part, WRITTEN, Watching};

/// How many symbolic links may follow one another, as in the kernel (`MAXSYMLINKS`).
const MOST_LINKS: u32 = 40;

/// Watches files and the ways to them, for one registration.
pub(super) struct Route<'a> {
    watching: &'a mut Watching,
    registration: u64,
    watches: Vec<WatchDescriptor>,
    /// Ways that were gone before, and whether all of each is watched.
    ways: HashMap<PathBuf, bool>,
}

impl<'a> Route<'a> {
    pub(super) fn new(watching: &'a mut Watching, registration: u64) -> Self {
        Self { watching, registration, watches: Vec::new(), ways: HashMap::new() }
    }

    /// Every watch that was set.
    pub(super) fn watches(self) -> Vec<WatchDescriptor> {
        self.watches
    }

    /// Watches a file. `false` if not everything that it depends on can be watched.
    pub(super) fn watch(&mut self, file: &Name) -> bool {
        let path = Path::new(file);
        path.is_absolute() && self.file(path, &Part::File(Rc::clone(file)), 0)
    }

    /// Watches what a directory holds; of one that does not exist, where it would appear. `false` if that cannot be.
    pub(super) fn watch_entries(&mut self, directory: &Name) -> bool {
        let path = Path::new(directory);
        let Some(existing) = path.ancestors().find(|path| path.exists()) else { return false };
        let part = Part::Entries(Rc::clone(directory));
        if !existing.is_dir() {
            return existing.is_absolute() && self.file(existing, &part, 0);
        }
        // Through its links, if there are any: `way` has watched those.
        existing.is_absolute()
            && self.way(existing, 0)
            && existing.canonicalize().is_ok_and(|real| self.add(&real, MOVED | ENTRIES, &part))
            // It may have been made meanwhile.
            && (existing == path || !path.exists())
    }

    fn file(&mut self, path: &Path, part: &Part, links: u32) -> bool {
        let (Some(directory), Ok(metadata)) = (path.parent(), fs::symlink_metadata(path)) else {
            return false;
        };
        if !self.way(directory, links) || !self.watching.file_systems.tell(metadata.dev(), path) {
            return false;
        }
        if metadata.is_dir() {
            return self.way(path, links);
        }
        if !self.add(path, WRITTEN, part) {
            return false;
        }
        // Read after it is watched: if it is replaced, that is an event.
        match followed(path, links) {
            Err(()) => false,
            Ok(None) => !metadata.is_symlink(),
            Ok(Some(target)) => self.file(&target, part, links + 1),
        }
    }

    /// Watches a directory, or a link to one, and what leads there.
    fn way(&mut self, path: &Path, links: u32) -> bool {
        if let Some(watched) = self.ways.get(path) {
            return *watched;
        }
        let watched = self.way_anew(path, links);
        self.ways.insert(path.to_owned(), watched);
        watched
    }

    fn way_anew(&mut self, path: &Path, links: u32) -> bool {
        if path.parent().is_some_and(|parent| !self.way(parent, links)) {
            return false;
        }
        let Ok(metadata) = fs::symlink_metadata(path) else { return false };
        if !self.watching.file_systems.tell(metadata.dev(), path) || !self.add(path, MOVED, &Part::Way) {
            return false;
        }
        match followed(path, links) {
            Err(()) => false,
            Ok(None) => metadata.is_dir(),
            Ok(Some(target)) => self.way(&target, links + 1),
        }
    }

    fn add(&mut self, path: &Path, events: AddWatchFlags, part: &Part) -> bool {
        let watch = self.watching.add(path, events, self.registration, part);
        self.watches.extend(watch);
        watch.is_some()
    }
}

/// Where a link leads: `Ok(None)` if it is none, an error if that cannot be told.
fn followed(path: &Path, links: u32) -> Result<Option<PathBuf>, ()> {
    match fs::read_link(path) {
        Ok(_) if links >= MOST_LINKS => Err(()),
        Ok(target) => Ok(Some(path.parent().unwrap_or(path).join(target))),
        // Not a link.
        Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => Ok(None),
        Err(_) => Err(()),
    }
}
