//! Which changes of files are worth asking the supervisor about, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hr_forkserver::protocol::Watched;
use hr_graph::is_identifier;
use xxhash_rust::xxh3::xxh3_64;

use super::state::Changed;
use crate::watcher::{Batch, Match, Selection, Settling, Wanted, WatchError, Watcher};

/// How long nothing must happen to what is installed until it is looked at: installers take their time, and leave
/// libraries in pieces meanwhile.
const INSTALLING: Duration = Duration::from_secs(1);

/// How long nothing must happen until the supervisor is asked to look ahead: most saves are over by then, and what it finds
/// is still true when the quiet time has passed.
const AHEAD: Duration = Duration::from_millis(2);

/// What a development loop listens to.
pub(super) struct Listening {
    watcher: Watcher,
    settling: Settling,
    wanted: Wanted,
    /// Directories that libraries are installed in.
    installed: Vec<PathBuf>,
    /// What has happened there, and when the last of it did.
    installing: Option<(BTreeSet<PathBuf>, Instant)>,
    /// The last happening after which the supervisor was asked to look ahead.
    ahead_of: Option<Instant>,
    /// What is in files that count by themselves, as far as it was looked at.
    contents: BTreeMap<PathBuf, u64>,
}

impl Listening {
    /// Listens to nothing yet. What matches `globs` below `root` counts by itself, as do the files that are `always` watched;
    /// libraries are installed in directories of `sys_path`.
    pub(super) fn start(
        root: PathBuf,
        globs: Selection,
        always: &[PathBuf],
        sys_path: impl Iterator<Item = PathBuf>,
    ) -> Result<Self, WatchError> {
        let contents = always.iter().map(|file| (file.clone(), content(file))).collect();
        Ok(Self {
            watcher: Watcher::start()?,
            settling: Settling::default(),
            wanted: Wanted { root, globs, outside: always.iter().cloned().collect(), ..Wanted::default() },
            installed: sys_path.filter(|directory| is_installed(directory)).collect(),
            installing: None,
            ahead_of: None,
            contents,
        })
    }

    /// Listens to what decides the template. Returns what cannot be heard of in the ordinary way, for people, and whether
    /// there is something new to listen to, to which anything may have happened before.
    pub(super) fn listen(&mut self, watched: Watched) -> Result<(Vec<String>, bool), WatchError> {
        let Watched { root: _, files, directories } = watched;
        let directories: BTreeSet<_> =
            directories.into_iter().map(PathBuf::from).chain(self.installed.iter().cloned()).collect();
        let files: BTreeSet<_> = files.into_iter().map(PathBuf::from).collect();
        if self.wanted.files == files && self.wanted.directories == directories {
            return Ok((Vec::new(), false));
        }
        let more = !directories.is_subset(&self.wanted.directories) || !files.is_subset(&self.wanted.files);
        (self.wanted.files, self.wanted.directories) = (files, directories);
        let trouble = self.watcher.watch(&self.wanted)?;
        Ok((trouble.iter().map(ToString::to_string).collect(), more))
    }

    /// Listens to files that the program has loaded from elsewhere, too.
    pub(super) fn listen_outside(&mut self, files: Vec<PathBuf>) -> Result<Vec<String>, WatchError> {
        for file in &files {
            // What it held when it was last looked at may be what the program has loaded; what it holds now may be more.
            self.contents.entry(file.clone()).or_insert_with(|| content(file));
        }
        self.wanted.outside.extend(files);
        Ok(self.watcher.watch(&self.wanted)?.iter().map(ToString::to_string).collect())
    }

    /// Readable when something has happened.
    pub(super) fn wake(&self) -> BorrowedFd<'_> {
        self.watcher.wake()
    }

    /// Takes in what has happened. Returns what cannot be heard of any more in the ordinary way, for people.
    pub(super) fn take(&mut self, now: Instant) -> Result<Vec<String>, WatchError> {
        let mut happened = self.watcher.take()?;
        let trouble = std::mem::take(&mut happened.troubles);
        let is_installed = |path: &PathBuf| {
            let below =
                |directory: &PathBuf| path.starts_with(directory) && !self.wanted.files.contains(path);
            self.installed.iter().any(below)
        };
        let (installed, own): (BTreeSet<_>, BTreeSet<_>) =
            std::mem::take(&mut happened.paths).into_iter().partition(is_installed);
        if !installed.is_empty() {
            let (paths, last) = self.installing.get_or_insert_with(|| (BTreeSet::new(), now));
            paths.extend(installed);
            *last = now;
        }
        happened.paths = own;
        self.settling.hear(happened, now);
        Ok(trouble.iter().map(ToString::to_string).collect())
    }

    /// Whether something has happened that will be told of once it is at rest.
    pub(super) fn is_gathering(&self) -> bool {
        self.settling.deadline().is_some()
    }

    /// When [`Listening::is_stirring`] and [`Listening::settled`] are to be asked.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let installing = self.installing.as_ref().map(|(_, last)| *last + INSTALLING);
        let ahead = self.stirring().map(|last| last + AHEAD);
        self.settling.deadline().into_iter().chain(installing).chain(ahead).min()
    }

    /// When that happened after which it is worth looking ahead, once.
    fn stirring(&self) -> Option<Instant> {
        self.settling.gathering().filter(|last| self.ahead_of.is_none_or(|told| told < *last))
    }

    /// Whether something has happened that is most likely over. Says so once.
    pub(super) fn is_stirring(&mut self, now: Instant) -> bool {
        let over = self.stirring().filter(|last| *last + AHEAD <= now);
        self.ahead_of = over.or(self.ahead_of);
        over.is_some()
    }

    /// What has changed and is at rest.
    pub(super) fn settled(&mut self, now: Instant) -> Option<Changed> {
        if let Some((paths, last)) = self.installing.take_if(|(_, last)| *last + INSTALLING <= now) {
            return Some(Changed { files: paths, at: Some(last), ..Changed::default() });
        }
        let last = self.settling.last();
        let Batch { paths, everything } = self.settling.settled(now)?;
        let mut watched = BTreeSet::new();
        let mut files: BTreeSet<_> = paths
            .into_iter()
            .filter(|path| {
                let counts = self.counts_by_itself(path);
                let changed = counts && self.has_changed(path);
                if changed {
                    watched.insert(path.clone());
                }
                // Whatever else it is, the supervisor knows.
                changed || !counts || self.wanted.files.contains(path)
            })
            .collect();
        if !files.iter().all(|path| path.is_dir()) {
            // Whatever is in a new directory is there as well, and says more.
            files.retain(|path| !path.is_dir());
        }
        let decisive = !watched.is_empty();
        (everything || !files.is_empty()).then_some(Changed { files, decisive, watched, at: last })
    }

    fn counts_by_itself(&self, path: &Path) -> bool {
        let matches = |path: &Path| self.wanted.globs.matches(path, false) != Match::Not;
        self.wanted.outside.contains(path)
            || path.strip_prefix(&self.wanted.root).is_ok_and(matches)
            || self.is_module_without_statement(path)
    }

    /// Whether it is a module of the project that no `import` statement can name, such as Django's `0001_initial`. Nobody
    /// who reads statements knows of those, nor whether the program has imported them.
    fn is_module_without_statement(&self, path: &Path) -> bool {
        let name = path.file_name().and_then(|name| name.to_str());
        // A name with a dot is that of a module in a package, and editors put such files beside those they save.
        name.and_then(|name| name.strip_suffix(".py"))
            .is_some_and(|stem| !stem.is_empty() && !stem.contains('.') && !is_identifier(stem))
            && path.parent().is_some_and(|parent| self.wanted.directories.contains(parent))
            && !self.wanted.files.contains(path)
    }

    fn has_changed(&mut self, path: &Path) -> bool {
        let now = content(path);
        self.contents.insert(path.to_owned(), now) != Some(now)
    }
}

/// Whether what lies in a directory of `sys.path` was put there by an installer.
fn is_installed(directory: &Path) -> bool {
    directory.file_name().is_some_and(|name| name == "site-packages" || name == "dist-packages")
}

/// What tells one content of a file from another; one that cannot be read has none.
fn content(file: &Path) -> u64 {
    fs::read(file).map_or(0, |bytes| xxh3_64(&bytes))
}
