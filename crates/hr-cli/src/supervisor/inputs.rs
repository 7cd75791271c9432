//! The files that a template has loaded, and whether they are still the same.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use hr_forkserver::protocol::{FileStamp, OpenedFile};

/// How far the time stamp of a file may lie behind the clock: one tick of the kernel's, at the slowest `HZ` of 100.
const CLOCK_TICK: Duration = Duration::from_millis(10);

/// In a second.
const NANOSECONDS: i64 = 1_000_000_000;

/// The state of `file`; none if there is no such file.
pub(super) fn stamp_of(file: &OsStr) -> Option<FileStamp> {
    let metadata = fs::metadata(file).ok()?;
    let nanoseconds = |seconds: i64, rest: i64| seconds.saturating_mul(NANOSECONDS).saturating_add(rest);
    Some(FileStamp {
        size: metadata.size(),
        modified: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
        changed: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        inode: metadata.ino(),
        device: metadata.dev(),
    })
}

/// Whether the file was last written before `moment`, beyond doubt.
pub(super) fn is_older_than(stamp: FileStamp, moment: SystemTime) -> bool {
    let since_epoch = moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let limit = since_epoch.saturating_sub(CLOCK_TICK);
    let limit = i64::try_from(limit.as_nanos()).unwrap_or(i64::MAX);
    stamp.modified < limit && stamp.changed < limit
}

/// What is known of a file that a template has loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// It was in this state from before the template began until after it was loaded.
    Stamp(FileStamp),
    /// There is no such file. Some modules name a file that never was, or one inside an archive.
    Absent,
    /// It was written or removed while the template may have been reading it; nobody can tell what was read.
    Unsettled,
}

impl Known {
    fn of(file: &OsString, began: SystemTime) -> Self {
        let stamp = stamp_of(file);
        // When a file went away is in the time stamp of its directory.
        let witness = stamp.or_else(|| stamp_of(Path::new(file).parent()?.as_os_str()));
        match (stamp, witness.is_none_or(|witness| is_older_than(witness, began))) {
            (_, false) => Self::Unsettled,
            (Some(stamp), true) => Self::Stamp(stamp),
            (None, true) => Self::Absent,
        }
    }

    fn still_holds(self, file: &OsString) -> bool {
        match self {
            Self::Stamp(stamp) => stamp_of(file) == Some(stamp),
            Self::Absent => stamp_of(file).is_none(),
            Self::Unsettled => false,
        }
    }
}

/// What a template has loaded from disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inputs {
    files: BTreeMap<OsString, Known>,
}

impl Inputs {
    /// Adds `files`, loaded by a process that began to import at `began`. Files that are known stay as they are.
    pub(crate) fn add(&mut self, files: Vec<OsString>, began: SystemTime) {
        for file in files {
            self.files.entry(file).or_insert_with_key(|file| Known::of(file, began));
        }
    }

    /// Adds files whose state was seen when they were opened.
    pub(crate) fn add_opened(&mut self, files: Vec<OpenedFile>) {
        for OpenedFile { path, stamp } in files {
            self.files.entry(path).or_insert(stamp.map_or(Known::Absent, Known::Stamp));
        }
    }

    /// Whether `file` is one of them.
    pub(crate) fn contains(&self, file: &OsString) -> bool {
        self.files.contains_key(file)
    }

    /// Whether every file is what was loaded. Costs one `stat` a file.
    pub(crate) fn hold(&self) -> bool {
        self.files.iter().all(|(file, known)| known.still_holds(file))
    }

    /// The files that are not what was loaded.
    pub(crate) fn changed(&self) -> Vec<OsString> {
        let changed = self.files.iter().filter(|(file, known)| !known.still_holds(file));
        changed.map(|(file, _)| file.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_unchanged_until_it_is_written_removed_or_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).into_os_string();
        for name in ["kept", "written", "removed", "replaced", "other"] {
            fs::write(path(name), "1234").unwrap();
        }
        let mut inputs = Inputs::default();
        let later = SystemTime::now() + Duration::from_mins(1);
        inputs.add(["kept", "written", "removed", "replaced"].map(path).to_vec(), later);
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
        let mut inputs = Inputs::default();
        inputs.add(vec![file.clone()], started);
        assert_eq!(inputs.changed(), [file]);
    }

    #[test]
    fn a_file_that_never_was_is_unchanged_until_it_appears() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).into_os_string();
        let files = [path("generated.py"), path("archive.zip/module.py")];
        let mut inputs = Inputs::default();
        inputs.add(files.to_vec(), SystemTime::now() + Duration::from_mins(1));
        assert!(inputs.hold());

        fs::write(path("generated.py"), "").unwrap();
        assert!(!inputs.hold());
        assert_eq!(inputs.changed(), [path("generated.py")]);
    }
}
