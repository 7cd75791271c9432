//! The directories that imports have listed, and whether they would find the same there now.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use hr_forkserver::protocol::ListedDirectory;

use super::stamp::DirectoryState;

/// What imports put there themselves.
const BYTECODE: &[u8] = b"__pycache__";

/// Ends of the names under which distributions are installed.
const DISTRIBUTIONS: [&[u8]; 2] = [b".dist-info", b".egg-info"];

/// What templates have found in directories.
#[derive(Debug, Default)]
pub(crate) struct Listings {
    directories: BTreeMap<(OsString, bool), Listing>,
}

#[derive(Debug)]
struct Listing {
    names: Option<Vec<OsString>>,
    /// The directory when it was last seen to hold these.
    seen: Cell<DirectoryState>,
}

impl Listings {
    /// Adds directories. Those that are known stay as they are.
    pub(crate) fn add(&mut self, listed: Vec<ListedDirectory>) {
        for ListedDirectory { path, only_distributions, names } in listed {
            let names = names.map(|names| relevant(names, only_distributions));
            self.directories
                .entry((path, only_distributions))
                .or_insert(Listing { names, seen: Cell::new(DirectoryState::Unsettled) });
        }
    }

    /// Whether this directory is one of them.
    pub(crate) fn contains(&self, listed: &ListedDirectory) -> bool {
        self.directories.contains_key(&(listed.path.clone(), listed.only_distributions))
    }

    /// The directories in which something else is found now.
    pub(crate) fn changed(&self) -> Vec<OsString> {
        let changed = self.directories.iter().filter(|((path, only), listing)| !listing.holds(path, *only));
        changed.map(|((path, _), _)| path.clone()).collect()
    }
}

impl Listing {
    fn holds(&self, path: &OsStr, only_distributions: bool) -> bool {
        let directory = Path::new(path);
        if self.seen.get().still_holds(directory) {
            return true;
        }
        // What happens from here on changes it, or it is not settled.
        let state = DirectoryState::of(directory);
        let names = list(path).map(|names| relevant(names, only_distributions));
        let holds = names == self.names;
        if holds {
            self.seen.set(state);
        }
        holds
    }
}

fn list(path: &OsStr) -> Option<Vec<OsString>> {
    let entries = fs::read_dir(path).ok()?;
    Some(entries.flatten().map(|entry| entry.file_name()).collect())
}

fn relevant(mut names: Vec<OsString>, only_distributions: bool) -> Vec<OsString> {
    names.retain(|name| {
        let name = name.as_bytes();
        name != BYTECODE && (!only_distributions || DISTRIBUTIONS.iter().any(|end| name.ends_with(end)))
    });
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_counts_as_changed_while_it_holds_something_else() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().as_os_str().to_owned();
        fs::write(root.path().join("data.json"), "").unwrap();
        fs::create_dir(root.path().join("library-1.0.dist-info")).unwrap();
        let listed = |only_distributions| ListedDirectory {
            path: path.clone(),
            only_distributions,
            names: list(&path),
        };
        let (mut all, mut distributions) = (Listings::default(), Listings::default());
        all.add(vec![listed(false)]);
        distributions.add(vec![listed(true)]);
        assert_eq!((all.changed(), distributions.changed()), (vec![], vec![]));

        fs::create_dir(root.path().join("__pycache__")).unwrap();
        assert_eq!((all.changed(), distributions.changed()), (vec![], vec![]));

        fs::write(root.path().join("more.json"), "").unwrap();
        assert_eq!((all.changed(), distributions.changed()), (vec![path.clone()], vec![]));
        fs::remove_file(root.path().join("more.json")).unwrap();
        assert_eq!((all.changed(), distributions.changed()), (vec![], vec![]));

        fs::rename(root.path().join("library-1.0.dist-info"), root.path().join("library-1.1.dist-info"))
            .unwrap();
        assert_eq!((all.changed(), distributions.changed()), (vec![path.clone()], vec![path.clone()]));

        drop(root);
        assert_eq!(all.changed(), [path], "it is gone");
    }
}
