//! What happens to the files of a running program.
//!
//! An event decides nothing: it is a reason to ask the supervisor, which compares what was loaded with what is there. So
//! this room only has to be woken by all that could count, by as little else as possible, and never too late.
//!
//! # How it listens
//!
//! - [`selection`] knows which names and paths can count; [`scope`] says what counts in which directory.
//! - [`plan`] turns this into directories to listen to: each of them, what leads there ([`route`]: directories and links,
//!   whose moving changes where a path leads), where one that does not exist would appear, where links lead.
//! - [`listening`] is inotify. Directories are listened to one by one, never recursively. Reading and opening files does
//!   not even wake it, so that a program which imports a thousand modules costs nothing here.
//! - [`mounts`] tells when paths may lead to other file systems.
//! - [`polling`] looks again every half second, for what cannot be heard: shares that others change, and directories for
//!   which the kernel has no watches left. Otherwise there is no timer and no thread: an idle watcher is a descriptor.
//! - [`settling`] says when something is over, [`version_control`] when not even that is a reason.
//!
//! A directory that appears where entries count is listened to at once, and searched for what came before that. Whatever
//! is in a directory counts as having happened when another directory is found under its path.
//!
//! # Why not the `notify` crate
//!
//! Its inotify backend (8.2) always asks for `IN_OPEN` and `IN_ATTRIB`, thus wakes a thread for each file that the program
//! reads, and keeps one path for each watch, so that of two links to one directory only the last is heard of. On other
//! systems it would take the place of [`listening`].

mod hidden;
mod listening;
mod mounts;
mod plan;
mod polling;
mod route;
mod scope;
mod selection;
mod settling;
mod trouble;
mod version_control;

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::Instant;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::inotify::WatchDescriptor;

use crate::filesystems;

use self::listening::{COMES, Event, Listening, Refusal};
use self::mounts::Mounts;
use self::plan::{Meaning, Plan, deaf, plan};
use self::polling::{Differences, Polling};
use self::scope::Scopes;
pub(crate) use self::selection::{Match, Selection};
pub(crate) use self::settling::{Batch, Settling};
pub(crate) use self::trouble::{Trouble, WatchError};
use self::version_control::Operations;

/// How often a plan is made anew because the file system changes meanwhile. After that, events say so.
const MOST_PLANS: usize = 8;

/// What to listen to. All paths are absolute.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// What globs are relative to.
    pub(crate) root: PathBuf,
    /// The project's sources, `pyproject.toml`, `.gitignore` and the like. They need not exist.
    pub(crate) files: BTreeSet<PathBuf>,
    /// Directories of which modules and packages that appear or go count. They need not exist.
    pub(crate) directories: BTreeSet<PathBuf>,
    /// Files that the program has loaded from elsewhere.
    pub(crate) outside: BTreeSet<PathBuf>,
    /// What else counts below the root, and what does not, even if it is one of the above.
    pub(crate) globs: Selection,
}

/// What has happened since it was last asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Happened {
    /// To these paths, as they were asked for.
    pub(crate) paths: BTreeSet<PathBuf>,
    /// And maybe to others: events were lost.
    pub(crate) everything: bool,
    /// When it was noticed last.
    pub(crate) last: Option<Instant>,
    /// Whether a version-control operation is under way now.
    pub(crate) operation: bool,
    /// What people have not been told yet.
    pub(crate) troubles: Vec<Trouble>,
}

/// Under which watches each directory, and each file that is a link, is listened to.
type Identities = BTreeMap<PathBuf, BTreeSet<WatchDescriptor>>;

/// More has moved than could be followed.
#[derive(Debug)]
struct Behind {
    /// What was found so far.
    identities: Identities,
    /// Directories that are polled since.
    polled: BTreeSet<PathBuf>,
}

/// Listens to files.
#[derive(Debug)]
pub(crate) struct Watcher {
    /// Readable when there is something to be had from one of the three below.
    wake: Epoll,
    /// `None` if the user has no instance left.
    listening: Option<Listening>,
    /// `None` without `/proc`.
    mounts: Option<Mounts>,
    polling: Polling,
    scopes: Scopes,
    operations: Operations,
    identities: Identities,
    /// How often what moves is followed each time.
    rounds: usize,
    /// What is still to be followed.
    behind: Option<Behind>,
    troubles: Vec<Trouble>,
    told: BTreeSet<Trouble>,
    /// Which file systems others change, and their names for people.
    changed_elsewhere: fn(&Path) -> Option<&'static str>,
}

impl Watcher {
    /// A watcher that listens to nothing yet.
    pub(crate) fn start() -> Result<Self, WatchError> {
        Self::limited(Listening::start(usize::MAX))
    }

    fn limited(listening: nix::Result<Listening>) -> Result<Self, WatchError> {
        let wake = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let polling = Polling::start()?;
        wake.add(&polling, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
        let mut watcher = Self {
            wake,
            listening: listening.ok(),
            mounts: Mounts::start().ok(),
            polling,
            scopes: Scopes::default(),
            operations: Operations::default(),
            identities: BTreeMap::new(),
            rounds: MOST_PLANS,
            behind: None,
            troubles: Vec::new(),
            told: BTreeSet::new(),
            changed_elsewhere: filesystems::changed_elsewhere,
        };
        match &watcher.listening {
            Some(listening) => watcher.wake.add(listening, EpollEvent::new(EpollFlags::EPOLLIN, 1))?,
            None => watcher.trouble(Trouble::instances()),
        }
        if let Some(mounts) = &watcher.mounts {
            watcher.wake.add(mounts, EpollEvent::new(EpollFlags::EPOLLPRI, 2))?;
        }
        Ok(watcher)
    }

    /// Replaces what is listened to, without a gap for what was there before. What is new is to be looked at after this,
    /// once. Returns what people should know.
    pub(crate) fn watch(&mut self, wanted: &Wanted) -> Result<Vec<Trouble>, WatchError> {
        self.scopes.renew(wanted);
        self.operations = Operations::on(&wanted.root);
        let polled = self.renew()?;
        if let Some(behind) = &mut self.behind {
            behind.polled.extend(polled);
        }
        Ok(std::mem::take(&mut self.troubles))
    }

    /// Readable when something has happened, though perhaps nothing that counts.
    pub(crate) fn wake(&self) -> BorrowedFd<'_> {
        self.wake.0.as_fd()
    }

    /// What has happened since this was last asked. Afterwards [`wake`](Self::wake) is not readable until more has, or the
    /// kernel has confirmed that it does not watch any more what is elsewhere now.
    pub(crate) fn take(&mut self) -> Result<Happened, WatchError> {
        let mut happened = Happened::default();
        let mut moved = false;
        let events = self.listening.as_mut().map(Listening::events).unwrap_or_default();
        for event in events {
            match event {
                Event::Overflow => {
                    happened.everything = true;
                    moved = true;
                    self.search_all();
                }
                Event::Moved => moved = true,
                Event::Entry { meanings, name, is_directory, events } => {
                    self.scopes.mind(&name);
                    for meaning in meanings {
                        let came = events.intersects(COMES);
                        moved |= self.entry(&meaning, Path::new(&name), is_directory, came, &mut happened);
                    }
                }
            }
        }
        if self.mounts.as_ref().is_some_and(Mounts::have_changed) {
            // Of a file that another is mounted over, nothing else tells.
            happened.everything = true;
            moved = true;
        }
        // It may have gone off for nothing.
        let is_due = self.polling.is_due();
        if is_due || moved || !happened.paths.is_empty() {
            let Differences { paths, directories } = self.polling.look(&self.scopes);
            happened.paths.extend(paths);
            for directory in directories {
                moved |= self.scopes.appear(&directory);
            }
        }
        self.follow(moved, &mut happened)?;
        happened.operation = self.operations.are_under_way();
        happened.last = (happened.everything || !happened.paths.is_empty()).then(Instant::now);
        happened.troubles = std::mem::take(&mut self.troubles);
        Ok(happened)
    }

    /// Finds what is where paths lead now, if they have `moved`. Somebody who makes directories without end is not followed
    /// for ever: then everything may have happened, and the rest is found when it is time to look again.
    fn follow(&mut self, mut moved: bool, happened: &mut Happened) -> Result<(), WatchError> {
        let mut behind = self.behind.take();
        moved |= behind.is_some();
        for _ in 0..self.rounds {
            if !moved {
                break;
            }
            let now = || Behind { identities: self.identities.clone(), polled: BTreeSet::new() };
            let Behind { identities, mut polled } = behind.take().unwrap_or_else(now);
            polled.extend(self.renew()?);
            moved = self.find(&identities, polled, happened);
        }
        if moved {
            happened.everything = true;
            self.behind = Some(Behind { identities: self.identities.clone(), polled: BTreeSet::new() });
        }
        Ok(self.polling.remind(moved)?)
    }

    /// Something happened to the entry `name`. Whether paths may lead elsewhere since.
    fn entry(
        &mut self,
        meaning: &Meaning,
        name: &Path,
        is_directory: bool,
        came: bool,
        happened: &mut Happened,
    ) -> bool {
        match meaning {
            Meaning::Entries(directory) => {
                let path = directory.join(name);
                // A link to a directory is none to the kernel.
                let is_directory = is_directory || (came && path.is_dir());
                let appeared = came && is_directory && self.scopes.appear(&path);
                let was_link = self.identities.contains_key(&path) && self.scopes.get(&path).is_none();
                let is_link = came && path.is_symlink();
                if self.scopes.counts(directory, name.as_os_str(), is_directory) {
                    happened.paths.insert(path);
                }
                appeared || was_link || is_link
            }
            Meaning::Awaited { name: awaited, .. } => came && name == Path::new(awaited),
            Meaning::Target { name: target, file } if name == Path::new(target) => {
                if let (Some(directory), Some(name)) = (file.parent(), file.file_name())
                    && self.scopes.counts(directory, name, false)
                {
                    happened.paths.insert(file.clone());
                }
                came
            }
            Meaning::Stage | Meaning::Target { .. } | Meaning::Operation(_) => false,
        }
    }

    /// Listens to what must be listened to as the file system is now. Returns what is to be looked at instead, and was not
    /// before.
    fn renew(&mut self) -> Result<BTreeSet<PathBuf>, WatchError> {
        let mut polled = BTreeSet::new();
        let mut current = plan(&self.scopes, &self.operations);
        if let Some(listening) = &mut self.listening {
            let mut exhausted = false;
            for _ in 0..MOST_PLANS {
                let refused = listening.listen(&current);
                polled = unheard(&self.scopes, &current, &refused);
                exhausted = refused.values().any(|refusal| *refusal == Refusal::Exhausted);
                // Whatever has changed before its watch was there, is different now; what changes later makes an event.
                let next = plan(&self.scopes, &self.operations);
                if next == current {
                    break;
                }
                current = next;
            }
            self.identities = listening.identities();
            if exhausted {
                self.trouble(Trouble::watches());
            }
        } else {
            polled = self.scopes.iter().map(|(directory, _)| directory.clone()).collect();
        }
        self.mind_remote(&current, &mut polled);
        Ok(self.polling.renew(&self.scopes, polled)?)
    }

    /// Adds what others may change to what is polled: directories that are elsewhere, that would appear there, and that hold
    /// links which lead there.
    fn mind_remote(&mut self, plan: &Plan, polled: &mut BTreeSet<PathBuf>) {
        let mut remote: BTreeMap<&'static str, BTreeSet<PathBuf>> = BTreeMap::new();
        for (path, meanings) in plan {
            let deaf = deaf(meanings);
            if !deaf.is_empty()
                && let Some(name) = (self.changed_elsewhere)(path)
            {
                remote.entry(name).or_default().extend(deaf);
            }
        }
        for (file_system, directories) in remote {
            let told = |trouble: &Trouble| matches!(trouble, Trouble::NoEvents { file_system: name, .. } if *name == file_system);
            // The first of them is the outermost.
            if let Some(directory) = directories.first().cloned()
                && !self.told.iter().any(told)
            {
                self.trouble(Trouble::NoEvents { directory, file_system });
            }
            polled.extend(directories);
        }
    }

    /// Finds what is in directories that are others than `before`, and in those that are `polled` since. Whether there are
    /// more to listen to.
    fn find(&mut self, before: &Identities, polled: BTreeSet<PathBuf>, happened: &mut Happened) -> bool {
        let is_other = |path: &&PathBuf| before.get(*path) != self.identities.get(*path);
        let mut paths: BTreeSet<_> =
            before.keys().chain(self.identities.keys()).filter(is_other).cloned().collect();
        paths.extend(polled);
        let mut appeared = false;
        for path in paths {
            if self.scopes.get(&path).is_some() {
                happened.paths.extend(self.scopes.all(&path));
                appeared |= self.search(&path);
            } else if let (Some(directory), Some(name)) = (path.parent(), path.file_name())
                && self.scopes.counts(directory, name, false)
            {
                happened.paths.insert(path);
            }
        }
        appeared
    }

    /// Finds directories whose appearance was not heard, at whatever depth. Whether there are any.
    fn search(&mut self, directory: &Path) -> bool {
        let mut appeared = false;
        let mut ahead = vec![directory.to_owned()];
        while let Some(directory) = ahead.pop() {
            for (path, is_directory) in Scopes::entries(&directory) {
                // Links could lead back here.
                if is_directory && !path.is_symlink() && self.scopes.appear(&path) {
                    appeared = true;
                    ahead.push(path);
                }
            }
        }
        appeared
    }

    fn search_all(&mut self) {
        let directories: Vec<_> = self.scopes.iter().map(|(directory, _)| directory.clone()).collect();
        for directory in directories {
            self.search(&directory);
        }
    }

    fn trouble(&mut self, trouble: Trouble) {
        if self.told.insert(trouble.clone()) {
            self.troubles.push(trouble);
        }
    }
}

/// Directories of which something would not be heard.
fn unheard(scopes: &Scopes, plan: &Plan, refused: &BTreeMap<PathBuf, Refusal>) -> BTreeSet<PathBuf> {
    let mut unheard = BTreeSet::new();
    for (path, refusal) in refused {
        let Some(meanings) = plan.get(path) else { continue };
        // Directories through which one may go but not look are common, and rarely moved.
        if meanings.contains(&Meaning::Stage) && *refusal == Refusal::Exhausted {
            unheard.extend(scopes.iter().map(|(directory, _)| directory.clone()));
        }
        unheard.extend(deaf(meanings));
    }
    unheard
}

#[cfg(test)]
mod tests;
