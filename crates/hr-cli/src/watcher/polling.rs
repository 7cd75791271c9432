//! Looking again, where nothing is heard.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often is looked.
pub(super) const INTERVAL: Duration = Duration::from_millis(500);

/// What a file looked like: modification time in seconds and nanoseconds, size, inode.
pub(super) type Stamp = (i64, i64, u64, u64);

/// What a directory held that counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Look(pub(super) BTreeMap<PathBuf, Option<Stamp>>);

impl Look {
    /// Paths that look different in `other`.
    pub(super) fn differences<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a Path> {
        let seen = |look: &Self, path: &Path| look.0.get(path).copied().flatten();
        let all = self.0.keys().chain(other.0.keys());
        all.filter(move |path| seen(self, path) != seen(other, path)).map(PathBuf::as_path)
    }
}

/// What is at `path` now. Of a directory, only that it is there: what it holds has a look of its own.
pub(super) fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    if metadata.is_dir() {
        return Some((0, 0, 0, metadata.ino()));
    }
    Some((metadata.mtime(), metadata.mtime_nsec(), metadata.size(), metadata.ino()))
}
