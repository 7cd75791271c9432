//! The files that a template has loaded, and whether they are still the same.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::rc::Rc;
use std::time::SystemTime;

use hr_forkserver::content_of;
use hr_forkserver::protocol::{Content, FileStamp, OpenedFile};

use super::stamp::{is_older_than, stamp_of};
use super::watch::{Name, Registration, Suspects, Watch};

/// What is known of a file that a template has loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// It was in this state from before the template began until after it was loaded.
    Stamp(FileStamp),
    /// It was in this state, and had this in it. Many programs write what they have read, at their end, and it may be the same.
    Content(FileStamp, Content),
    /// There is no such file. Some modules name a file that never was, or one inside an archive.
    Absent,
    /// It was written or removed while the template may have been reading it; nobody can tell what was read.
    Unsettled,
}

impl Known {
    fn of(file: &OsStr, began: SystemTime) -> Self {
        let stamp = stamp_of(file);
        // When a file went away is in the time stamp of its directory.
        let witness = stamp.or_else(|| stamp_of(Path::new(file).parent()?.as_os_str()));
        match (stamp, witness.is_none_or(|witness| is_older_than(witness, began))) {
            (_, false) => Self::Unsettled,
            (Some(stamp), true) => Self::Stamp(stamp),
            (None, true) => Self::Absent,
        }
    }

    fn still_holds(self, file: &OsStr) -> bool {
        match self {
            Self::Stamp(stamp) => stamp_of(file) == Some(stamp),
            Self::Content(stamp, content) => {
                stamp_of(file) == Some(stamp) || content_of(Path::new(file)) == Some(content)
            }
            Self::Absent => stamp_of(file).is_none(),
            Self::Unsettled => false,
        }
    }
}

/// What a template has loaded from disk.
#[derive(Debug)]
pub(crate) struct Inputs {
    files: BTreeMap<Name, Known>,
    watch: Watch,
    /// From the first time that all files were compared.
    registration: RefCell<Option<Registration>>,
}

impl Inputs {
    /// `files`, loaded by a process that began to import at `began`. What happens to them is heard from `watch`.
    pub(crate) fn new(files: Vec<OsString>, began: SystemTime, watch: &Watch) -> Self {
        let mut inputs =
            Self { files: BTreeMap::new(), watch: watch.clone(), registration: RefCell::default() };
        for file in files {
            inputs.add(&file, began);
        }
        inputs
    }

    /// Adds a file whose state was seen when it was opened.
    pub(crate) fn add_opened(&mut self, OpenedFile { path, stamp, content }: OpenedFile) {
        let known = match (stamp, content) {
            (None, _) => Known::Absent,
            (Some(stamp), None) => Known::Stamp(stamp),
            (Some(stamp), Some(content)) => Known::Content(stamp, content),
        };
        self.files.entry(Rc::from(path)).or_insert(known);
    }

    /// Whether `file` is one of them.
    pub(crate) fn contains(&self, file: &OsStr) -> bool {
        self.files.contains_key(file)
    }

    /// Whether all of them have been compared since they are watched.
    pub(crate) fn is_watched(&self) -> bool {
        self.registration.borrow().is_some()
    }

    fn add(&mut self, file: &OsStr, began: SystemTime) {
        let known = Known::of(file, began);
        self.files.entry(Rc::from(file)).or_insert(known);
        // A file within an archive changes with it.
        if known == Known::Absent
            && let Some(archive) = Path::new(file).ancestors().skip(1).find(|path| path.exists())
            && archive.is_file()
        {
            self.add(archive.as_os_str(), began);
        }
    }

    /// The files that are not what was loaded. The first time, all are compared; from then on those that something may
    /// have happened to.
    pub(crate) fn changed(&self) -> Vec<OsString> {
        let mut registration = self.registration.borrow_mut();
        let suspects = registration.as_mut().map_or(Suspects::Everything, Registration::suspects);
        let changed: Vec<Name> = match suspects {
            Suspects::Files(suspects) => {
                let known = suspects.iter().filter_map(|file| self.files.get_key_value(file));
                known
                    .filter(|(file, known)| !known.still_holds(file))
                    .map(|(file, _)| Rc::clone(file))
                    .collect()
            }
            Suspects::Everything => {
                *registration = Some(self.watch.register(self.files.keys().cloned(), std::iter::empty()));
                let differ = self.files.iter().filter(|(file, known)| !known.still_holds(file));
                differ.map(|(file, _)| Rc::clone(file)).collect()
            }
        };
        if let Some(registration) = registration.as_mut() {
            registration.suspect(changed.iter().cloned());
        }
        changed.iter().map(|file| OsString::from(&**file)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_file_is_unchanged_until_it_is_written_removed_or_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).into_os_string();
        for name in ["kept", "written", "removed", "replaced", "other"] {
            fs::write(path(name), "1234").unwrap();
        }
        let later = SystemTime::now() + Duration::from_mins(1);
        let files = ["kept", "written", "removed", "replaced"].map(path).to_vec();
        let inputs = Inputs::new(files, later, &Watch::start());
        assert_eq!(inputs.changed(), Vec::<OsString>::new());

        fs::write(path("written"), "12345").unwrap();
        fs::remove_file(path("removed")).unwrap();
        fs::rename(path("other"), path("replaced")).unwrap();
        assert_eq!(inputs.changed(), ["removed", "replaced", "written"].map(path));
    }

    #[test]
    fn a_file_written_while_it_may_have_been_read_counts_as_changed() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("module.py").into_os_string();
        let started = SystemTime::now();
        fs::write(&file, "").unwrap();
        let inputs = Inputs::new(vec![file.clone()], started, &Watch::default());
        assert_eq!(inputs.changed(), [file]);
    }

    #[test]
    fn a_file_that_never_was_is_unchanged_until_it_appears() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).into_os_string();
        let files = [path("generated.py"), path("archive.zip/module.py")];
        let later = SystemTime::now() + Duration::from_mins(1);
        let inputs = Inputs::new(files.to_vec(), later, &Watch::start());
        assert_eq!(inputs.changed(), Vec::<OsString>::new());

        fs::write(path("generated.py"), "").unwrap();
        assert_eq!(inputs.changed(), [path("generated.py")]);
    }

    #[test]
    fn a_file_that_was_opened_is_what_it_was_as_long_as_the_same_is_in_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cache.json");
        fs::write(&path, "{}").unwrap();
        let opened =
            |content| OpenedFile { path: path.clone().into(), stamp: stamp_of(path.as_os_str()), content };
        let [mut by_content, mut by_stamp] =
            [(); 2].map(|()| Inputs::new(Vec::new(), SystemTime::now(), &Watch::start()));
        by_content.add_opened(opened(content_of(&path)));
        by_stamp.add_opened(opened(None));
        assert_eq!((by_content.changed(), by_stamp.changed()), (vec![], vec![]));

        let other = directory.path().join("other");
        fs::write(&other, "{}").unwrap();
        fs::rename(&other, &path).unwrap();
        assert_eq!((by_content.changed(), by_stamp.changed()), (vec![], vec![path.clone().into_os_string()]));

        fs::write(&path, "[]").unwrap();
        assert_eq!(by_content.changed(), [path.clone().into_os_string()]);
        fs::write(&path, "{}").unwrap();
        assert_eq!(by_content.changed(), Vec::<OsString>::new());
    }

    #[test]
    fn a_file_in_an_archive_changes_with_the_archive() {
        let directory = tempfile::tempdir().unwrap();
        let archive = directory.path().join("archive.zip");
        fs::write(&archive, "").unwrap();
        let later = SystemTime::now() + Duration::from_mins(1);
        let file = archive.join("package/module.py").into_os_string();
        let inputs = Inputs::new(vec![file], later, &Watch::start());
        assert_eq!(inputs.changed(), Vec::<OsString>::new());

        fs::write(&archive, "PK").unwrap();
        assert_eq!(inputs.changed(), [archive.into_os_string()]);
    }
}
