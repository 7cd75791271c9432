//! Whether the last scan would be the next one, too, and what the next one has to look at.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

use hr_graph::Consulted;

use super::scan::Scan;
use super::watch::{Name, Registration, Suspects, Watch};

/// The last scan, and what it was decided by.
#[derive(Debug)]
pub(crate) struct LastScan {
    watch: Watch,
    scan: Option<Scan>,
    /// Whether somebody waits for it.
    asked: bool,
    watched: Option<Watched>,
    /// What has happened that no scan was told of yet.
    suspects: Suspects,
    /// How many scans were asked for and are not there.
    under_way: usize,
}

/// What decided a scan, with an ear to it.
#[derive(Debug)]
struct Watched {
    registration: Registration,
    consulted: Arc<Consulted>,
    /// How many paths are watched: also some that decided earlier scans.
    registered: usize,
}

/// What a scan is to look at. Nothing else that decided the last one has changed, provided that this was decided by what
/// was watched.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) suspects: Vec<PathBuf>,
    pub(crate) watched: Arc<Consulted>,
}

impl Watched {
    fn new(watch: &Watch, consulted: Arc<Consulted>) -> Self {
        let registration = watch.register(names(&consulted.files), names(&consulted.directories));
        let registered = consulted.files.len() + consulted.directories.len();
        Self { registration, consulted, registered }
    }

    /// What may have changed since this was last asked.
    fn suspects(&mut self) -> Suspects {
        let suspects = self.registration.suspects();
        if !self.registration.is_complete() {
            return Suspects::Everything;
        }
        match suspects {
            Suspects::Everything => Suspects::Everything,
            Suspects::Files(mut suspects) => {
                suspects.retain(|name| {
                    contains(&self.consulted.files, name) || contains(&self.consulted.directories, name)
                });
                Suspects::Files(suspects)
            }
        }
    }

    /// Watches what decided the next scan. What decided both is watched without a gap; the rest of it is returned: it
    /// may have changed by now. `None` if there is so little of both that watching anew is better.
    fn follow(&mut self, consulted: &Arc<Consulted>) -> Option<Vec<Name>> {
        let added = |now: &[PathBuf], before: &[PathBuf]| -> Vec<Name> {
            names(now).filter(|name| !contains(before, name)).collect()
        };
        let files = added(&consulted.files, &self.consulted.files);
        let directories = added(&consulted.directories, &self.consulted.directories);
        self.registered += files.len() + directories.len();
        if self.registered > 2 * (consulted.files.len() + consulted.directories.len()) {
            return None;
        }
        self.registration.extend(&files, &directories);
        self.consulted = Arc::clone(consulted);
        Some(files.into_iter().chain(directories).collect())
    }
}

fn names(paths: &[PathBuf]) -> impl Iterator<Item = Name> {
    paths.iter().map(|path| Rc::from(path.as_os_str()))
}

/// Whether a path is among others, which are sorted.
fn contains(paths: &[PathBuf], name: &OsStr) -> bool {
    paths.binary_search_by(|path| path.as_os_str().cmp(name)).is_ok()
}

impl LastScan {
    /// None yet.
    pub(crate) fn new(watch: Watch) -> Self {
        let suspects = Suspects::Everything;
        Self { watch, scan: None, asked: false, watched: None, suspects, under_way: 0 }
    }

    /// Takes note of what has happened by now. What is watched is watched completely when this returns, if that can be.
    fn hear(&mut self) {
        let Some(watched) = &mut self.watched else { return self.suspects = Suspects::Everything };
        match (watched.suspects(), &mut self.suspects) {
            (Suspects::Files(more), Suspects::Files(suspects)) => suspects.extend(more),
            (Suspects::Files(_), Suspects::Everything) => {}
            (Suspects::Everything, suspects) => {
                *suspects = Suspects::Everything;
                let consulted = Arc::clone(&watched.consulted);
                self.watched = None;
                self.watched = Some(Watched::new(&self.watch, consulted));
            }
        }
    }

    /// Whether nothing has happened to what decided the scan. Nobody asks for it.
    pub(crate) fn is_current(&mut self) -> bool {
        self.hear();
        let nothing = matches!(&self.suspects, Suspects::Files(suspects) if suspects.is_empty());
        nothing && self.under_way == 0 && self.scan.is_some()
    }

    /// Asks for the scan. `false` if another has to be [begun](Self::begin).
    pub(crate) fn still_holds(&mut self) -> bool {
        self.asked = self.is_current();
        if let (Some(scan), true) = (&mut self.scan, self.asked) {
            // It would have found the same a moment ago.
            scan.writes.at = SystemTime::now();
        }
        self.asked
    }

    /// Takes note that another scan will be made. What that is to look at, as of when it was last asked whether it is
    /// needed: `None` for everything.
    pub(crate) fn begin(&mut self) -> Option<Told> {
        self.under_way += 1;
        let suspects = std::mem::replace(&mut self.suspects, Suspects::Files(BTreeSet::new()));
        match (suspects, &self.watched) {
            (Suspects::Files(suspects), Some(watched)) => Some(Told {
                suspects: suspects.iter().map(|name| Path::new(name).to_owned()).collect(),
                watched: Arc::clone(&watched.consulted),
            }),
            _ => None,
        }
    }

    /// Files and directories that decided the scan.
    pub(crate) fn consulted(&self) -> Arc<Consulted> {
        self.watched.as_ref().map(|watched| Arc::clone(&watched.consulted)).unwrap_or_default()
    }

    /// Takes in a scan, and what decided it.
    pub(crate) fn replace(&mut self, scan: Scan, consulted: Arc<Consulted>) {
        self.under_way = self.under_way.saturating_sub(1);
        self.watch_for(consulted);
        self.scan = Some(scan);
        self.asked = true;
    }

    fn watch_for(&mut self, consulted: Arc<Consulted>) {
        if let Some(watched) = &self.watched
            && Arc::ptr_eq(&watched.consulted, &consulted)
        {
            return;
        }
        self.hear();
        let followed = self.watched.as_mut().and_then(|watched| watched.follow(&consulted));
        match (followed, &mut self.suspects) {
            (Some(_), Suspects::Everything) => {}
            (Some(added), Suspects::Files(suspects)) => suspects.extend(added),
            (None, suspects) => {
                // All of it may have changed since the scan began.
                *suspects = Suspects::Everything;
                self.watched = Some(Watched::new(&self.watch, consulted));
            }
        }
    }

    /// The scan that was asked for, once.
    pub(crate) fn take_asked(&mut self) -> Option<Scan> {
        let asked = std::mem::take(&mut self.asked);
        self.scan.clone().filter(|_| asked)
    }
}

#[cfg(test)]
mod tests;
