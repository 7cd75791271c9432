//! Files that imports have looked for in vain, and whether they are still not there.
//!
//! There are many of them in few directories, so it is the directories that are asked.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::stamp::DirectoryState;

/// What was not there.
#[derive(Debug, Default)]
pub(crate) struct Absences {
    directories: BTreeMap<PathBuf, Missing>,
}

#[derive(Debug)]
struct Missing {
    names: BTreeSet<OsString>,
    /// The directory when it last had none of these names.
    seen: Cell<DirectoryState>,
}

impl Absences {
    /// Adds a file.
    pub(crate) fn add(&mut self, file: &Path) {
        let (Some(directory), Some(name)) = (file.parent(), file.file_name()) else { return };
        let missing = self.directories.entry(directory.to_owned()).or_insert_with(|| Missing {
            names: BTreeSet::new(),
            seen: Cell::new(DirectoryState::Unsettled),
        });
        missing.names.insert(name.to_owned());
    }

    /// Whether this file is one of them.
    pub(crate) fn contains(&self, file: &OsStr) -> bool {
        let file = Path::new(file);
        let (Some(directory), Some(name)) = (file.parent(), file.file_name()) else { return false };
        self.directories.get(directory).is_some_and(|missing| missing.names.contains(name))
    }

    /// The files that are there now.
    pub(crate) fn changed(&self) -> Vec<OsString> {
        let mut appeared = Vec::new();
        for (directory, missing) in &self.directories {
            if missing.seen.get().still_holds(directory) {
                continue;
            }
            // What happens from here on changes it, or it is not settled.
            let state = DirectoryState::of(directory);
            let files = missing.names.iter().map(|name| directory.join(name));
            let before = appeared.len();
            appeared.extend(files.filter(|file| file.exists()).map(PathBuf::into_os_string));
            if appeared.len() == before {
                missing.seen.set(state);
            }
        }
        appeared
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_absent_until_it_appears_with_or_without_its_directory() {
        let root = tempfile::tempdir().unwrap();
        let files = [root.path().join("speedups.so"), root.path().join("later/settings.ini")];
        let mut absences = Absences::default();
        for file in &files {
            absences.add(file);
        }
        assert_eq!(absences.changed(), Vec::<OsString>::new());
        assert!(absences.contains(files[0].as_os_str()));

        fs::write(root.path().join("other.so"), "").unwrap();
        assert_eq!(absences.changed(), Vec::<OsString>::new());

        fs::create_dir(root.path().join("later")).unwrap();
        fs::write(&files[1], "").unwrap();
        assert_eq!(absences.changed(), [files[1].as_os_str()]);
        fs::write(&files[0], "").unwrap();
        assert_eq!(absences.changed(), [files[0].as_os_str(), files[1].as_os_str()]);
    }
}
