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

use hr_forkserver::protocol::FileStamp;

use super::inputs::{is_older_than, stamp_of};

/// The directories of `sys.path`, and the top-level names a template has loaded from them.
#[derive(Debug)]
pub(crate) struct Resolutions {
    sys_path: Vec<PathBuf>,
    /// The directory of `sys.path` that each name was found in, and whether as a package; none if it was not found.
    names: BTreeMap<String, Option<Found>>,
    /// Each directory as it was when all names were last seen to resolve as they did; `None` if it may have changed
    /// since without its showing.
    seen: RefCell<Vec<Option<FileStamp>>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    directory: usize,
    package: bool,
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
        let names = absent.iter().map(|name| (name.clone(), None)).chain(loaded).collect();
        let seen = RefCell::new(vec![None; sys_path.len()]);
        let mut resolutions = Self { sys_path, names, seen };
        let stamps = resolutions.sys_path.iter().map(|path| stamp_of(path.as_os_str()));
        if stamps.flatten().all(|stamp| is_older_than(stamp, began)) {
            let now = resolutions.resolve();
            resolutions.names.retain(|name, found| now.get(name) == found.as_ref());
        }
        resolutions
    }

    /// Whether it is known where `name` is found.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// The names that would be found elsewhere now.
    pub(crate) fn moved(&self) -> Vec<String> {
        let now = SystemTime::now();
        let settled = |stamp: FileStamp| is_older_than(stamp, now).then_some(stamp);
        let stamps: Vec<_> =
            self.sys_path.iter().map(|path| stamp_of(path.as_os_str()).and_then(settled)).collect();
        // A directory that does not exist has no stamp and is looked at each time; there are few.
        let unchanged =
            stamps.iter().zip(self.seen.borrow().iter()).all(|(now, seen)| now.is_some() && now == seen);
        if unchanged {
            return Vec::new();
        }
        let resolved = self.resolve();
        let moved: Vec<_> = self
            .names
            .iter()
            .filter(|(name, found)| resolved.get(*name) != found.as_ref())
            .map(|(name, _)| name.clone())
            .collect();
        if moved.is_empty() {
            *self.seen.borrow_mut() = stamps;
        }
        moved
    }

    /// Where each name is found now, as CPython's path finder would: the first directory that has it, and there a
    /// package before a module. A directory without `__init__` only counts if nothing else is found.
    fn resolve(&self) -> BTreeMap<String, Found> {
        let mut found = BTreeMap::new();
        for (directory, path) in self.sys_path.iter().enumerate() {
            let Ok(entries) = fs::read_dir(path) else { continue };
            let mut here: BTreeMap<String, bool> = BTreeMap::new();
            for entry in entries.flatten() {
                let file_name = entry.file_name();
                let Some(file_name) = file_name.to_str() else { continue };
                let (stem, suffix) = file_name.split_once('.').unwrap_or((file_name, ""));
                if !self.names.contains_key(stem) {
                    continue;
                }
                let package = suffix.is_empty() && has_init(&entry.path());
                let module = suffix == "py" || suffix == "pyc" || suffix.ends_with("so");
                if package || module {
                    let is_package = here.entry(stem.to_owned()).or_default();
                    *is_package |= package;
                }
            }
            for (name, package) in here {
                found.entry(name).or_insert(Found { directory, package });
            }
        }
        found
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

        fs::write(path("library/accelerator.cpython-312-x86_64-linux-gnu.so"), "").unwrap();
        assert_eq!(resolutions.moved(), ["accelerator", "module", "package"], "it was asked for in vain");
    }
}
