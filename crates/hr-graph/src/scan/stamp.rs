//! Telling whether a file has changed without reading it.

use std::fs::Metadata;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// What the file system says of a file without its being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Size in bytes.
    pub size: u64,
    /// Time of the last modification, in nanoseconds since 1970.
    pub mtime_ns: i128,
    /// Number of the inode; 0 where there are none.
    pub inode: u64,
    /// Time of the last change of content or attributes, in nanoseconds since 1970. Unlike that of the last
    /// modification no program can set it. 0 where there is none.
    pub ctime_ns: i128,
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        let mtime_ns = metadata.modified().map_or(0, nanoseconds);
        #[cfg(unix)]
        let (inode, ctime_ns) = {
            use std::os::unix::fs::MetadataExt;
            (metadata.ino(), i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec()))
        };
        #[cfg(not(unix))]
        let (inode, ctime_ns) = (0, 0);
        Self { size: metadata.len(), mtime_ns, inode, ctime_ns }
    }

    /// Whether a file with this stamp, read at `read_ns`, could have changed since without its stamp changing. Times
    /// of change are the kernel's and tick at least every 10 ms; times of modification are rounded to two seconds by
    /// some file systems.
    pub(super) fn is_racy(self, read_ns: i128) -> bool {
        const TICK_NS: i128 = 20_000_000;
        const STEP_NS: i128 = 2_000_000_000;
        if self.ctime_ns == 0 || self.mtime_ns % 1_000_000_000 == 0 {
            self.mtime_ns.max(self.ctime_ns) + STEP_NS > read_ns
        } else {
            self.mtime_ns.max(self.ctime_ns) + TICK_NS > read_ns
        }
    }
}

pub(super) fn nanoseconds(time: SystemTime) -> i128 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i128::try_from(after.as_nanos()).unwrap_or(i128::MAX),
        Err(before) => -i128::try_from(before.duration().as_nanos()).unwrap_or(i128::MAX),
    }
}
