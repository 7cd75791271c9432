//! The kernel's side of it: inotify watches on directories.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};

use super::Identities;
use super::plan::{Meaning, Plan};

/// Entries come and go.
const NAMES: AddWatchFlags = AddWatchFlags::IN_CREATE
    .union(AddWatchFlags::IN_DELETE)
    .union(AddWatchFlags::IN_MOVED_FROM)
    .union(AddWatchFlags::IN_MOVED_TO);

/// Entries come.
pub(super) const COMES: AddWatchFlags = AddWatchFlags::IN_CREATE.union(AddWatchFlags::IN_MOVED_TO);

/// What entries hold changes. Neither opening nor reading them, nor what only their metadata tells.
const CONTENT: AddWatchFlags = AddWatchFlags::IN_MODIFY.union(AddWatchFlags::IN_CLOSE_WRITE);

/// The directory itself goes.
const GOES: AddWatchFlags = AddWatchFlags::IN_DELETE_SELF.union(AddWatchFlags::IN_MOVE_SELF);

/// How many bunches of events are read at once, so that somebody who writes without end does not keep the reader.
const MOST_READS: usize = 4096;

/// One inotify instance, and what its watches mean.
#[derive(Debug)]
pub(super) struct Listening {
    inotify: Inotify,
    meanings: HashMap<WatchDescriptor, BTreeSet<Meaning>>,
    /// How many watches may be had.
    limit: usize,
}

/// Why something cannot be listened to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There are no watches left.
    Exhausted,
    /// It is not there any more, or not what it was.
    Gone,
    /// Another reason, such as permissions.
    Other,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// To an entry of a directory that is listened to for `meanings`.
    Entry { meanings: BTreeSet<Meaning>, name: OsString, is_directory: bool, events: AddWatchFlags },
    /// A directory on the way was moved or removed.
    Moved,
    /// More than the kernel remembers.
    Overflow,
}

impl Listening {
    /// A new instance, with at most `limit` watches.
    pub(super) fn start(limit: usize) -> nix::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        Ok(Self { inotify, meanings: HashMap::new(), limit })
    }

    /// Listens to what `plan` says, and no longer to anything else. What stays is never left out for a moment. Returns what
    /// is refused.
    pub(super) fn listen(&mut self, plan: &Plan) -> BTreeMap<PathBuf, Refusal> {
        let mut refused = BTreeMap::new();
        let mut meanings: HashMap<_, BTreeSet<Meaning>> = HashMap::new();
        for (path, means) in plan {
            match self.add(path, means, meanings.len()) {
                Ok(watch) => meanings.entry(watch).or_default().extend(means.iter().cloned()),
                Err(refusal) => {
                    refused.insert(path.clone(), refusal);
                }
            }
        }
        for watch in self.meanings.keys().filter(|watch| !meanings.contains_key(watch)) {
            // It fails if the kernel has given it up and the event is still to be read.
            let _ = self.inotify.rm_watch(*watch);
        }
        self.meanings = meanings;
        refused
    }

    fn add(&self, path: &Path, means: &BTreeSet<Meaning>, had: usize) -> Result<WatchDescriptor, Refusal> {
        if had >= self.limit {
            return Err(Refusal::Exhausted);
        }
        // The same directory may be listened to under another path, for more.
        let base = AddWatchFlags::IN_DONT_FOLLOW | AddWatchFlags::from_bits_retain(nix::libc::IN_MASK_ADD);
        let events = means.iter().fold(base, |events, meaning| events | wanted(meaning));
        self.inotify.add_watch(path, events).map_err(|error| match error {
            Errno::ENOSPC | Errno::ENOMEM => Refusal::Exhausted,
            Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP => Refusal::Gone,
            _ => Refusal::Other,
        })
    }

    /// Under which watches each directory, and each file that is a link, is listened to.
    pub(super) fn identities(&self) -> Identities {
        let mut identities: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for (watch, meanings) in &self.meanings {
            for meaning in meanings {
                if let Meaning::Entries(path) | Meaning::Target { file: path, .. } = meaning {
                    identities.entry(path.clone()).or_default().insert(*watch);
                }
            }
        }
        identities
    }

    /// What has happened by now.
    pub(super) fn events(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        for _ in 0..MOST_READS {
            match self.inotify.read_events() {
                Ok(read) => read.into_iter().for_each(|event| events.extend(self.event(event))),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => break,
                Err(_) => {
                    events.push(Event::Overflow);
                    break;
                }
            }
        }
        events
    }

    fn event(&mut self, event: InotifyEvent) -> Option<Event> {
        if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
            return Some(Event::Overflow);
        }
        let meanings = self.meanings.get(&event.wd)?;
        if event.mask.contains(AddWatchFlags::IN_IGNORED) {
            self.meanings.remove(&event.wd);
            return Some(Event::Moved);
        }
        match event.name {
            Some(name) => Some(Event::Entry {
                meanings: meanings.clone(),
                name,
                is_directory: event.mask.contains(AddWatchFlags::IN_ISDIR),
                events: event.mask,
            }),
            None => event.mask.intersects(GOES).then_some(Event::Moved),
        }
    }
}

impl AsFd for Listening {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

/// Which events a meaning needs.
fn wanted(meaning: &Meaning) -> AddWatchFlags {
    match meaning {
        Meaning::Entries(_) | Meaning::Target { .. } => NAMES | CONTENT | GOES,
        Meaning::Stage => GOES,
        Meaning::Awaited { .. } => COMES,
        Meaning::Operation(_) => NAMES,
    }
}
