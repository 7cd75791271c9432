//! What the file system says of a file without its being read.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use hr_forkserver::protocol::FileStamp;

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

/// Tells whether names may have come or gone in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DirectoryState {
    /// It was in this state.
    Settled(FileStamp),
    /// There is none.
    Absent,
    /// It was modified just now: what is done to it next may not change its time.
    Unsettled,
}

impl DirectoryState {
    pub(super) fn of(directory: &Path) -> Self {
        let now = SystemTime::now();
        match stamp_of(directory.as_os_str()) {
            Some(stamp) if is_older_than(stamp, now) => Self::Settled(stamp),
            Some(_) => Self::Unsettled,
            None => Self::Absent,
        }
    }

    pub(super) fn still_holds(self, directory: &Path) -> bool {
        self != Self::Unsettled && Self::of(directory) == self
    }
}
