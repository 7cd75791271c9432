//! Where the names that a template has loaded would be found now.
//!
//! A file that appears can change what a name means without any loaded file changing: a `colorsys.py` in the project
//! hides the standard library's, a package takes precedence over the module beside it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::stamp::{DirectoryState, is_older_than, stamp_of};

/// The directories of `sys.path`, and the top-level names a template has loaded from them.
#[derive(Debug)]
pub(crate) struct Resolutions {
    /// The directory of `sys.path` that each name was found in, and whether as a package; none if it was not found.
    names: BTreeMap<String, Option<Found>>,
    /// What each directory of `sys.path` has of these names.
    listings: RefCell<Vec<Listing>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    directory: usize,
    package: bool,
}

/// One directory of `sys.path`, as it was when it was last read.
#[derive(Debug)]
struct Listing {
    directory: PathBuf,
    state: DirectoryState,
    /// The names that can be imported from it, and whether each is a package.
    names: BTreeMap<String, bool>,
    /// Directories in it that would be packages if they had an `__init__`.
    portions: Vec<(PathBuf, DirectoryState)>,
}

impl Resolutions {
    /// Takes note of `names`, each with the file it was found as, and of `absent` ones, in a search of `sys_path`.
    ///
    /// Names that a search of directories does not find there (frozen, or of a finder of their own) are left out, unless
    /// it may be that they have moved since the template `began` to import.
    pub(crate) fn new(
        sys_path: &[OsString],
        names: &[(String, OsString)],
        absent: &[String],
        began: SystemTime,
    ) -> Self {
        let sys_path: Vec<PathBuf> = sys_path.iter().map(PathBuf::from).collect();
        let loaded = names.iter().filter_map(|(name, file)| {
            let file = Path::new(file);
            let directory = sys_path.iter().position(|directory| {
                file.parent() == Some(directory) || file.parent() == Some(&directory.join(name))
            })?;
            let package = file.parent() != Some(&sys_path[directory]);
            Some((name.clone(), Some(Found { directory, package })))
        });
        let absent = absent.iter().map(|name| (name.clone(), None));
        let mut names: BTreeMap<String, Option<Found>> = absent.chain(loaded).collect();
        let stamps: Vec<_> = sys_path.iter().filter_map(|path| stamp_of(path.as_os_str())).collect();
        let listings: Vec<_> =
            sys_path.into_iter().map(|directory| Listing::read(directory, &names)).collect();
        if stamps.iter().all(|stamp| is_older_than(*stamp, began)) {
            names.retain(|name, found| find(&listings, name) == *found);
        }
        Self { names, listings: RefCell::new(listings) }
    }

    /// Whether it is known where `name` is found.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// The names that would be found elsewhere now. Costs one `stat` a directory, and a look into those that have changed.
    pub(crate) fn moved(&self) -> Vec<String> {
        let mut listings = self.listings.borrow_mut();
        for listing in listings.iter_mut().filter(|listing| !listing.still_holds()) {
            *listing = Listing::read(std::mem::take(&mut listing.directory), &self.names);
        }
        let moved = self.names.iter().filter(|(name, found)| find(&listings, name) != **found);
        moved.map(|(name, _)| name.clone()).collect()
    }
}

/// Where `name` is found, as CPython's path finder would: in the first directory that has it. A directory without
/// `__init__` only counts if nothing else is found.
fn find(listings: &[Listing], name: &str) -> Option<Found> {
    listings.iter().enumerate().find_map(|(directory, listing)| {
        listing.names.get(name).map(|package| Found { directory, package: *package })
    })
}

impl Listing {
    /// Looks for `wanted` in `directory`. A package comes before a module of the same name.
    fn read(directory: PathBuf, wanted: &BTreeMap<String, Option<Found>>) -> Self {
        // What is done to it from now on changes the state, or the state is not settled.
        let state = DirectoryState::of(&directory);
        let (mut names, mut portions) = (BTreeMap::new(), Vec::new());
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            let file_name = entry.file_name();
            let Some(file_name) = file_name.to_str() else { continue };
            let (stem, suffix) = file_name.split_once('.').unwrap_or((file_name, ""));
            if !wanted.contains_key(stem) {
                continue;
            }
            let module = suffix == "py" || suffix == "pyc" || suffix.ends_with("so");
            if module {
                names.entry(stem.to_owned()).or_default();
            } else if suffix.is_empty() {
                let path = entry.path();
                let state = DirectoryState::of(&path);
                if has_init(&path) {
                    names.insert(stem.to_owned(), true);
                } else {
                    portions.push((path, state));
                }
            }
        }
        Self { directory, state, names, portions }
    }

    fn still_holds(&self) -> bool {
        self.state.still_holds(&self.directory)
            && self.portions.iter().all(|(directory, state)| state.still_holds(directory))
    }
}

fn has_init(directory: &Path) -> bool {
    let Ok(entries) = fs::read_dir(directory) else { return false };
    entries
        .flatten()
        .any(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with("__init__.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_moves_when_something_takes_precedence_over_what_was_loaded() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::create_dir_all(path("library/package")).unwrap();
        fs::create_dir_all(path("project")).unwrap();
        fs::write(path("library/package/__init__.py"), "").unwrap();
        fs::write(path("library/module.py"), "").unwrap();
        let sys_path = ["project", "library"].map(|name| path(name).into_os_string());
        let names = [
            ("package".to_owned(), path("library/package/__init__.py").into_os_string()),
            ("module".to_owned(), path("library/module.py").into_os_string()),
            ("made_up".to_owned(), "/nowhere/made_up.py".into()),
        ];
        let later = SystemTime::now() + std::time::Duration::from_mins(1);
        let absent = ["accelerator".to_owned()];
        let resolutions = Resolutions::new(&sys_path, &names, &absent, later);
        assert_eq!(resolutions.moved(), Vec::<String>::new());

        // Neither of these is found before what was loaded.
        fs::create_dir(path("project/package")).unwrap();
        fs::write(path("library/unrelated.py"), "").unwrap();
        assert_eq!(resolutions.moved(), Vec::<String>::new());

        fs::write(path("project/package/__init__.py"), "").unwrap();
        fs::create_dir(path("library/module")).unwrap();
        fs::write(path("library/module/__init__.py"), "").unwrap();
        assert_eq!(resolutions.moved(), ["module", "package"]);

        fs::remove_dir_all(path("project")).unwrap();
        assert_eq!(resolutions.moved(), ["module"]);

        fs::write(path("library/accelerator.cpython-312-x86_64-linux-gnu.so"), "").unwrap();
        assert_eq!(resolutions.moved(), ["accelerator", "module"], "it was asked for in vain");
    }

    #[test]
    fn a_directory_that_becomes_a_package_long_after_it_was_made_takes_precedence() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::create_dir_all(path("project/package")).unwrap();
        fs::create_dir(path("library")).unwrap();
        fs::write(path("library/package.py"), "").unwrap();
        let sys_path = ["project", "library"].map(|name| path(name).into_os_string());
        let names = [("package".to_owned(), path("library/package.py").into_os_string())];
        let resolutions =
            Resolutions::new(&sys_path, &names, &[], SystemTime::now() + std::time::Duration::from_mins(1));
        // Until the times of these directories can tell.
        while resolutions.listings.borrow().iter().any(|listing| {
            listing.state == DirectoryState::Unsettled
                || listing.portions.iter().any(|(_, state)| *state == DirectoryState::Unsettled)
        }) {
            assert_eq!(resolutions.moved(), Vec::<String>::new());
        }
        fs::write(path("project/package/__init__.py"), "").unwrap();
        assert_eq!(resolutions.moved(), ["package"]);
    }
}
