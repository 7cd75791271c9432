//! The directories that imports have listed, and whether they would find the same there now.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use hr_forkserver::protocol::{Listed, ListedDirectory};
use hr_graph::is_identifier;

use super::stamp::DirectoryState;

/// What imports put there themselves.
const BYTECODE: &[u8] = b"__pycache__";

/// Ends of the names under which distributions are installed.
const DISTRIBUTIONS: [&[u8]; 2] = [b".dist-info", b".egg-info"];

/// Ends of the names of files that modules are loaded from.
const MODULES: [&[u8]; 3] = [b".py", b".pyc", b".so"];

/// What templates have found in directories.
#[derive(Debug, Default)]
pub(crate) struct Listings {
    directories: BTreeMap<(OsString, Listed), Listing>,
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
        for ListedDirectory { path, listed, names } in listed {
            let names = names.map(|names| relevant(names, listed));
            self.directories
                .entry((path, listed))
                .or_insert(Listing { names, seen: Cell::new(DirectoryState::Unsettled) });
        }
    }

    /// Whether this directory is one of them.
    pub(crate) fn contains(&self, listed: &ListedDirectory) -> bool {
        self.directories.contains_key(&(listed.path.clone(), listed.listed))
    }

    /// The directories in which something else is found now.
    pub(crate) fn changed(&self) -> Vec<OsString> {
        let changed =
            self.directories.iter().filter(|((path, listed), listing)| !listing.holds(path, *listed));
        changed.map(|((path, _), _)| path.clone()).collect()
    }
}

impl Listing {
    fn holds(&self, path: &OsStr, listed: Listed) -> bool {
        let directory = Path::new(path);
        if self.seen.get().still_holds(directory) {
            return true;
        }
        // What happens from here on changes it, or it is not settled.
        let state = DirectoryState::of(directory);
        let names = list(path).map(|names| relevant(names, listed));
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

fn relevant(mut names: Vec<OsString>, listed: Listed) -> Vec<OsString> {
    names.retain(|name| {
        let name = name.as_bytes();
        name != BYTECODE
            && match listed {
                Listed::Everything => true,
                Listed::Distributions => DISTRIBUTIONS.iter().any(|end| name.ends_with(end)),
                Listed::Modules => is_module(name),
            }
    });
    names.sort_unstable();
    names
}

/// Whether an import may find this entry: not what editors put beside the files they save. A file may have any name: no
/// statement imports `0001_initial`, but `importlib.import_module` does.
fn is_module(name: &[u8]) -> bool {
    let mut parts = name.splitn(2, |byte| *byte == b'.');
    let stem = parts.next().unwrap_or_default();
    if parts.next().is_some() {
        return !stem.is_empty() && stem[0] != b'#' && MODULES.iter().any(|end| name.ends_with(end));
    }
    std::str::from_utf8(stem).is_ok_and(is_identifier)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_directory_that_modules_are_in_only_those_count() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("module.py"), "").unwrap();
        let mut modules = Listings::default();
        let path = root.path().as_os_str().to_owned();
        modules.add(vec![ListedDirectory {
            names: list(&path),
            path: path.clone(),
            listed: Listed::Modules,
        }]);
        for other in [
            ".module.py.swp",
            "4913",
            "module.py~",
            "module.py.tmp",
            ".#module.py",
            "#module.py#",
            "data.json",
        ] {
            fs::write(root.path().join(other), "").unwrap();
            assert_eq!(modules.changed(), Vec::<OsString>::new(), "{other}");
        }
        for module in ["more.py", "0002_more.py", "module.cpython-313-x86_64-linux-gnu.so", "größe.py"] {
            fs::write(root.path().join(module), "").unwrap();
            assert_eq!(modules.changed(), std::slice::from_ref(&path), "{module}");
            fs::remove_file(root.path().join(module)).unwrap();
        }
        fs::create_dir(root.path().join("package")).unwrap();
        assert_eq!(modules.changed(), [path]);
    }

    #[test]
    fn a_directory_counts_as_changed_while_it_holds_something_else() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().as_os_str().to_owned();
        fs::write(root.path().join("data.json"), "").unwrap();
        fs::create_dir(root.path().join("library-1.0.dist-info")).unwrap();
        let listed = |listed| ListedDirectory { path: path.clone(), listed, names: list(&path) };
        let (mut all, mut distributions) = (Listings::default(), Listings::default());
        all.add(vec![listed(Listed::Everything)]);
        distributions.add(vec![listed(Listed::Distributions)]);
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
