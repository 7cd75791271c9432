//! Which files may have changed since they were last looked at.
//!
//! Before each run the supervisor must know that everything its template has loaded is still what it was. Comparing
//! thousands of files each time costs milliseconds; here the kernel says which of them to look at. An event never
//! decides anything: it makes files *suspect*, and their owner compares them as if there were no events. Files about
//! which the kernel tells nothing, for whatever reason, are always suspect.
//!
//! # Why no event is late
//!
//! Other watchers write a cookie file and wait until its event comes around, to know that they have seen all earlier
//! ones. That is needed where a thread hands events on. Linux puts an event into the queue of the inotify instance
//! within the system call that causes it: `vfs_write` calls `fsnotify_modify` before it returns (`fs/read_write.c`),
//! and rename, unlink, truncate, chmod and the last close do likewise. So once the call has returned, the event is
//! there to be read, and reading the queue until it is empty, at the moment of asking, gives all that has happened
//! before that moment. (Of 25,000 writes, a fifth of them by another process and each followed by a look at the queue,
//! none was missing. On the same machine that look took 2.4 µs, and a cookie through the `notify` crate and back 57 µs.)
//! Nobody waits, and nothing runs in between: events of idle hours stay in the kernel, which merges repeated ones and,
//! should there be too many, says so.
//!
//! What makes no event makes none until the file is closed: stores into shared mappings, and on some kernels writes by
//! `splice`, `io_uring` and `aio`. They are noticed then (`IN_CLOSE_WRITE`), or with the next event of that file.
//!
//! # What is watched
//!
//! - Each file itself, not its directory: an event of a directory tells only of writes through that directory, and
//!   installers make hard links. Nor do the many files that come and go beside it (bytecode, editors' backups) matter.
//! - Each directory and each symbolic link on the way to it, for its being moved, removed or replaced: then another
//!   file may be found by the same path.
//! - The mount table, which can put another file there without an event.
//!
//! Watches are set before files are compared for the first time, so no change falls in between.

mod route;

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::Path;
use std::rc::Rc;

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};

use self::route::Route;
use crate::filesystems::FileSystems;

/// What can change which file a path leads to.
const MOVED: AddWatchFlags = AddWatchFlags::IN_ATTRIB // links to it, and permissions
    .union(AddWatchFlags::IN_MOVE_SELF)
    .union(AddWatchFlags::IN_DELETE_SELF)
    .union(AddWatchFlags::IN_DONT_FOLLOW)
    // A file that is watched already is not watched for less.
    .union(AddWatchFlags::from_bits_retain(libc::IN_MASK_ADD));

/// What can change a file.
const WRITTEN: AddWatchFlags = MOVED.union(AddWatchFlags::IN_MODIFY).union(AddWatchFlags::IN_CLOSE_WRITE);

/// What can change which entries a directory has.
const ENTRIES: AddWatchFlags = AddWatchFlags::IN_CREATE
    .union(AddWatchFlags::IN_DELETE)
    .union(AddWatchFlags::IN_MOVED_FROM)
    .union(AddWatchFlags::IN_MOVED_TO);

/// The part of the user's watches that is left to other programs: one in this many is taken.
const SHARE: usize = 2;

/// Path of a watched file.
pub(crate) type Name = Rc<OsStr>;

/// The supervisor's ear to the file system. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch(Option<Rc<RefCell<Watching>>>);

#[derive(Debug)]
struct Watching {
    inotify: Inotify,
    /// Has a condition when the mount table has changed since it was last asked.
    mounts: File,
    file_systems: FileSystems,
    watched: HashMap<WatchDescriptor, Vec<User>>,
    /// How many watches may be had.
    limit: usize,
    suspects: HashMap<u64, Suspects>,
    registrations: u64,
}

/// Whom an event concerns.
#[derive(Debug)]
struct User {
    registration: u64,
    part: Part,
}

/// What a watched thing is to a registration.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// One of its files.
    File(Name),
    /// One of its directories, for what it holds.
    Entries(Name),
    /// A directory or link that leads to many of its files.
    Way,
}

/// What may have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Suspects {
    /// These files.
    Files(BTreeSet<Name>),
    /// Any file.
    Everything,
}

/// Files, and directories for their entries, that one owner wants to know of. Its watches end with it.
#[derive(Debug)]
pub(crate) struct Registration {
    watch: Watch,
    id: u64,
    watches: Vec<WatchDescriptor>,
    directories: BTreeSet<Name>,
    /// Files of which the kernel tells nothing.
    unwatched: BTreeSet<Name>,
}

impl Watch {
    /// A watch. Where the kernel grants none, everything is always suspect.
    pub(crate) fn start() -> Self {
        let flags = InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK;
        let (Ok(inotify), Ok(mounts)) = (Inotify::init(flags), File::open("/proc/self/mountinfo")) else {
            return Self(None);
        };
        Self(Some(Rc::new(RefCell::new(Watching {
            inotify,
            mounts,
            file_systems: FileSystems::default(),
            watched: HashMap::new(),
            limit: most_watches(),
            suspects: HashMap::new(),
            registrations: 0,
        }))))
    }

    /// Watches `files`, and the entries of `directories`, from now on. They are not suspect yet, so they are to be looked at
    /// after this, once.
    pub(crate) fn register(
        &self,
        files: impl Iterator<Item = Name>,
        directories: impl Iterator<Item = Name>,
    ) -> Registration {
        let (watch, directories): (_, BTreeSet<Name>) = (self.clone(), directories.collect());
        let all = files.chain(directories.iter().cloned()).collect::<Vec<_>>();
        let mut registration =
            Registration { watch, id: 0, watches: Vec::new(), directories, unwatched: BTreeSet::new() };
        if let Some(watching) = &self.0 {
            let mut watching = watching.borrow_mut();
            watching.registrations += 1;
            registration.id = watching.registrations;
            watching.suspects.insert(registration.id, Suspects::Files(BTreeSet::new()));
            registration.look_after(&mut watching, all.iter());
        } else {
            registration.unwatched = all.into_iter().collect();
        }
        registration
    }
}

impl Registration {
    /// What may have changed since this was last asked. Of single files, watches are fresh when this returns.
    pub(crate) fn suspects(&mut self) -> Suspects {
        let mut suspects = self.unwatched.clone();
        let Some(watching) = self.watch.0.clone() else { return Suspects::Files(suspects) };
        let mut watching = watching.borrow_mut();
        watching.take_events();
        match watching.suspects.get_mut(&self.id) {
            Some(Suspects::Files(files)) => {
                let files = std::mem::take(files);
                // There may be another file under that name by now.
                self.look_after(&mut watching, files.iter());
                suspects.extend(files);
                Suspects::Files(suspects)
            }
            Some(Suspects::Everything) | None => Suspects::Everything,
        }
    }

    /// Watches more, from now on. None of it is suspect yet.
    pub(crate) fn extend(&mut self, files: &[Name], directories: &[Name]) {
        self.directories.extend(directories.iter().cloned());
        let all = files.iter().chain(directories);
        match self.watch.0.clone() {
            Some(watching) => self.look_after(&mut watching.borrow_mut(), all),
            None => self.unwatched.extend(all.cloned()),
        }
    }

    /// Whether the kernel tells of all that is registered.
    pub(crate) fn is_complete(&self) -> bool {
        self.unwatched.is_empty()
    }

    /// Watches `names`, or takes note that this cannot be.
    fn look_after<'a>(&mut self, watching: &mut Watching, names: impl Iterator<Item = &'a Name>) {
        let mut route = Route::new(watching, self.id);
        for name in names {
            let entries = self.directories.contains(name);
            let watched = if entries { route.watch_entries(name) } else { route.watch(name) };
            if !watched {
                self.unwatched.insert(Rc::clone(name));
            }
        }
        self.watches.extend(route.watches());
    }

    /// Lets `files` stay suspect.
    pub(crate) fn suspect(&mut self, files: impl Iterator<Item = Name>) {
        let Some(watching) = &self.watch.0 else { return };
        if let Some(Suspects::Files(suspects)) = watching.borrow_mut().suspects.get_mut(&self.id) {
            suspects.extend(files);
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let Some(watching) = &self.watch.0 else { return };
        let mut watching = watching.borrow_mut();
        watching.suspects.remove(&self.id);
        for watch in self.watches.drain(..) {
            watching.release(watch, self.id);
        }
    }
}

impl Watching {
    /// Reads all events that have happened by now.
    fn take_events(&mut self) {
        let mut sources = [
            PollFd::new(self.inotify.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.mounts.as_fd(), PollFlags::POLLPRI),
        ];
        match poll(&mut sources, PollTimeout::ZERO) {
            Ok(0) => return,
            Ok(_) => {}
            Err(_) => return self.everything(),
        }
        let mounted = sources[1].any().unwrap_or(true);
        if mounted {
            self.file_systems = FileSystems::default();
            self.everything();
        }
        loop {
            match self.inotify.read_events() {
                Ok(events) => events.iter().for_each(|event| self.take(event)),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return,
                Err(_) => return self.everything(),
            }
        }
    }

    fn take(&mut self, event: &InotifyEvent) {
        if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
            return self.everything();
        }
        // Otherwise something happened to the directory itself, or it is none.
        let within = event.name.is_some();
        for User { registration, part } in self.watched.get(&event.wd).into_iter().flatten() {
            let Some(suspects) = self.suspects.get_mut(registration) else { continue };
            match (part, suspects) {
                (Part::Way, suspects) if !within => *suspects = Suspects::Everything,
                (Part::File(file), Suspects::Files(files)) if !within => {
                    files.insert(Rc::clone(file));
                }
                (Part::Entries(directory), Suspects::Files(files)) if event.mask.intersects(ENTRIES) => {
                    files.insert(Rc::clone(directory));
                }
                _ => {}
            }
        }
        if event.mask.contains(AddWatchFlags::IN_IGNORED) {
            // The kernel has given this watch up, with what it stood for.
            self.watched.remove(&event.wd);
        }
    }

    fn everything(&mut self) {
        self.suspects.values_mut().for_each(|suspects| *suspects = Suspects::Everything);
    }

    /// Watches what is at `path` for `events`. `None` if that cannot be.
    fn add(
        &mut self,
        path: &Path,
        events: AddWatchFlags,
        registration: u64,
        part: &Part,
    ) -> Option<WatchDescriptor> {
        if self.watched.len() >= self.limit {
            return None;
        }
        let watch = self.inotify.add_watch(path, events).ok()?;
        let users = self.watched.entry(watch).or_default();
        if !users.iter().any(|user| user.registration == registration && user.part == *part) {
            users.push(User { registration, part: part.clone() });
        }
        Some(watch)
    }

    fn release(&mut self, watch: WatchDescriptor, registration: u64) {
        let Some(users) = self.watched.get_mut(&watch) else { return };
        users.retain(|user| user.registration != registration);
        if users.is_empty() {
            self.watched.remove(&watch);
            // It fails if the kernel has given it up and the event is still to be read.
            let _ = self.inotify.rm_watch(watch);
        }
    }
}

/// How many watches this process may take, in all fairness: the limit is one for all programs of a user.
fn most_watches() -> usize {
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_user_watches").unwrap_or_default();
    limit.trim().parse::<usize>().map_or(usize::MAX, |limit| limit / SHARE)
}

#[cfg(test)]
mod tests;
