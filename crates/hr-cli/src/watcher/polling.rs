//! Looking again, where nothing is heard.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use super::scope::Scopes;

/// How often is looked.
pub(super) const INTERVAL: Duration = Duration::from_millis(500);

/// What a file looked like: modification time in seconds and nanoseconds, size, inode.
type Stamp = (i64, i64, u64, u64);

/// Directories that are looked at from time to time, and how they looked.
#[derive(Debug)]
pub(super) struct Polling {
    /// Unarmed unless there is something to look at.
    timer: TimerFd,
    looks: BTreeMap<PathBuf, Look>,
    /// There is something else to be done when it is time to look.
    remind: bool,
    ticks: bool,
}

/// What was different from the look before.
#[derive(Debug, Default)]
pub(super) struct Differences {
    /// What counts and has changed, come or gone.
    pub(super) paths: BTreeSet<PathBuf>,
    /// Directories that have come, whether they count or not.
    pub(super) directories: BTreeSet<PathBuf>,
}

impl Polling {
    /// Looks at nothing yet.
    pub(super) fn start() -> nix::Result<Self> {
        let flags = TimerFlags::TFD_CLOEXEC.union(TimerFlags::TFD_NONBLOCK);
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        Ok(Self { timer, looks: BTreeMap::new(), remind: false, ticks: false })
    }

    /// Looks at these directories, and at no others, from now on. Returns those that were not looked at before. What is
    /// different in the others is still to be told.
    pub(super) fn renew(
        &mut self,
        scopes: &Scopes,
        directories: BTreeSet<PathBuf>,
    ) -> nix::Result<BTreeSet<PathBuf>> {
        let mut before = std::mem::take(&mut self.looks);
        let mut fresh = BTreeSet::new();
        for directory in directories {
            let mut look = Look::at(scopes, &directory);
            match before.remove(&directory) {
                Some(before) => look.keep(before, scopes, &directory),
                None => fresh.extend([directory.clone()]),
            }
            self.looks.insert(directory, look);
        }
        self.tick()?;
        Ok(fresh)
    }

    #[cfg(test)]
    pub(super) fn directories(&self) -> Vec<PathBuf> {
        self.looks.keys().cloned().collect()
    }

    /// How often is looked at the moment.
    #[cfg(test)]
    pub(super) fn interval(&self) -> Option<Expiration> {
        self.timer.get().unwrap()
    }

    /// Lets [`is_due`](Self::is_due) become true even if there is nothing to look at, until it is called again.
    pub(super) fn remind(&mut self, remind: bool) -> nix::Result<()> {
        self.remind = remind;
        self.tick()
    }

    fn tick(&mut self) -> nix::Result<()> {
        let ticks = self.remind || !self.looks.is_empty();
        if ticks && !self.ticks {
            let interval = Expiration::Interval(TimeSpec::from(INTERVAL));
            self.timer.set(interval, TimerSetTimeFlags::empty())?;
        } else if self.ticks && !ticks {
            self.timer.unset()?;
        }
        self.ticks = ticks;
        Ok(())
    }

    /// Looks.
    pub(super) fn look(&mut self, scopes: &Scopes) -> Differences {
        let mut differences = Differences::default();
        for (directory, before) in &mut self.looks {
            let now = Look::at(scopes, directory);
            differences.paths.extend(before.differences(&now).map(Path::to_owned));
            differences.directories.extend(now.directories.difference(&before.directories).cloned());
            *before = now;
        }
        differences
    }

    /// Whether it is time to look.
    pub(super) fn is_due(&self) -> bool {
        let mut count = [0; 8];
        nix::unistd::read(&self.timer, &mut count).is_ok()
    }
}

/// Readable when it is time to look.
impl AsFd for Polling {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.timer.as_fd()
    }
}

/// What a directory held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Look {
    /// What counts, there or not.
    paths: BTreeMap<PathBuf, Option<Stamp>>,
    /// Directories in which something could count.
    directories: BTreeSet<PathBuf>,
}

impl Look {
    fn at(scopes: &Scopes, directory: &Path) -> Self {
        let stamp = |path: PathBuf| {
            let stamp = stamp(&path);
            (path, stamp)
        };
        let (paths, directories) = scopes.all_and_directories(directory);
        Self { paths: paths.into_iter().map(stamp).collect(), directories }
    }

    /// Lets what was there `before` look as it did then, so that its differences are found at the next look.
    fn keep(&mut self, before: Self, scopes: &Scopes, directory: &Path) {
        let counts = |path: &Path| path.file_name().is_some_and(|name| scopes.counts(directory, name, true));
        for (path, stamp) in before.paths {
            if self.paths.contains_key(&path) || counts(&path) {
                self.paths.insert(path, stamp);
            }
        }
        self.directories = before.directories;
    }

    /// Paths that look different in `other`.
    fn differences<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a Path> {
        let seen = |look: &Self, path: &Path| look.paths.get(path).copied().flatten();
        let all = self.paths.keys().chain(other.paths.keys());
        all.filter(move |path| seen(self, path) != seen(other, path)).map(PathBuf::as_path)
    }
}

/// What is at `path` now. Of a directory, only that it is there: what it holds has a look of its own.
fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    if metadata.is_dir() {
        return Some((0, 0, 0, metadata.ino()));
    }
    Some((metadata.mtime(), metadata.mtime_nsec(), metadata.size(), metadata.ino()))
}
