//! Whether the last scan would be the next one, too: nothing has happened to what decided it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::rc::Rc;
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
    /// Whether all that decided the scan was watched before it began.
    is_watched: bool,
}

#[derive(Debug)]
struct Watched {
    registration: Registration,
    files: BTreeSet<Name>,
    directories: BTreeSet<Name>,
}

impl Watched {
    fn new(watch: &Watch, files: BTreeSet<Name>, directories: BTreeSet<Name>) -> Self {
        let registration = watch.register(files.iter().cloned(), directories.iter().cloned());
        Self { registration, files, directories }
    }
}

impl LastScan {
    /// None yet.
    pub(crate) fn new(watch: Watch) -> Self {
        Self { watch, scan: None, asked: false, watched: None, is_watched: false }
    }

    /// Asks for the scan. `false` if another has to be made; what is watched for it is watched when this returns.
    pub(crate) fn still_holds(&mut self) -> bool {
        let suspects = self.watched.as_mut().map(|watched| watched.registration.suspects());
        let lost =
            |watched: &Watched| suspects == Some(Suspects::Everything) || !watched.registration.is_complete();
        if let Some(Watched { files, directories, .. }) = self.watched.take_if(|watched| lost(watched)) {
            self.watched = Some(Watched::new(&self.watch, files, directories));
        }
        let nothing = matches!(suspects, Some(Suspects::Files(suspects)) if suspects.is_empty());
        let holds = self.is_watched && nothing && self.scan.is_some();
        self.asked = holds;
        if let (Some(scan), true) = (&mut self.scan, holds) {
            // It would have found the same a moment ago.
            scan.writes.at = SystemTime::now();
        }
        if !holds {
            // Until the next one is there, and has had nothing happen to it.
            self.is_watched = false;
        }
        holds
    }

    /// Whether nothing has happened to what decided the scan. Nobody asks for it.
    pub(crate) fn is_current(&mut self) -> bool {
        let (asked, holds) = (self.asked, self.still_holds());
        self.asked = asked;
        holds
    }

    /// Files and directories that decided the scan.
    pub(crate) fn consulted(&self) -> (Vec<Name>, Vec<Name>) {
        let names = |names: &BTreeSet<Name>| names.iter().cloned().collect();
        let watched = self.watched.as_ref();
        watched.map_or_else(Default::default, |watched| (names(&watched.files), names(&watched.directories)))
    }

    /// Takes in a scan, and what decided it.
    pub(crate) fn replace(&mut self, scan: Scan, consulted: Consulted) {
        let names = |paths: Vec<PathBuf>| -> BTreeSet<Name> {
            paths.into_iter().map(|path| Rc::from(path.as_os_str())).collect()
        };
        let (files, directories) = (names(consulted.files), names(consulted.directories));
        let same = |watched: &Watched| files == watched.files && directories == watched.directories;
        self.is_watched = self.watched.as_ref().is_some_and(same);
        if !self.is_watched {
            // From the next scan on. What is watched for both stays so without a gap.
            self.watched = Some(Watched::new(&self.watch, files, directories));
        }
        self.scan = Some(scan);
        self.asked = true;
    }

    /// The scan that was asked for, once.
    pub(crate) fn take_asked(&mut self) -> Option<Scan> {
        let asked = std::mem::take(&mut self.asked);
        self.scan.clone().filter(|_| asked)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A project, and the account of its last scan.
    struct Project {
        root: tempfile::TempDir,
        last: LastScan,
    }

    impl Project {
        /// What a scan does when it is asked for: nothing if the last one still holds.
        fn needs_a_scan(&mut self) -> bool {
            if self.last.still_holds() {
                assert!(self.last.take_asked().is_some());
                return false;
            }
            assert!(self.last.take_asked().is_none(), "there will be another");
            let entries = fs::read_dir(self.root.path()).unwrap().flatten().map(|entry| entry.path());
            let directories = vec![self.root.path().to_owned(), self.root.path().join("missing")];
            self.last.replace(Scan::default(), Consulted { files: entries.collect(), directories });
            assert!(self.last.take_asked().is_some());
            assert!(self.last.take_asked().is_none(), "once");
            true
        }
    }

    #[test]
    fn a_scan_holds_until_something_happens_to_what_decided_it() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        let (one, two, moved, missing) = (at("one.py"), at("two.py"), at("moved.py"), at("missing"));
        fs::write(&one, "").unwrap();
        let mut project = Project { last: LastScan::new(Watch::start()), root };
        let mut scans_after = |happens: &dyn Fn()| {
            happens();
            (0..4).take_while(|_| project.needs_a_scan()).count()
        };
        assert_eq!(scans_after(&|| ()), 2, "what decided the first was not watched before it began");
        assert_eq!(scans_after(&|| ()), 0);
        assert_eq!(scans_after(&|| fs::write(&one, "import json").unwrap()), 1);
        assert_eq!(scans_after(&|| fs::write(&two, "").unwrap()), 2, "there is another file to watch");
        assert_eq!(scans_after(&|| fs::rename(&two, &moved).unwrap()), 2);
        assert_eq!(scans_after(&|| fs::rename(&moved, &one).unwrap()), 2);
        assert_eq!(scans_after(&|| fs::remove_file(&one).unwrap()), 2);
        assert_eq!(scans_after(&|| fs::create_dir(&missing).unwrap()), 2);
        assert_eq!(scans_after(&|| ()), 0);
    }

    #[test]
    fn where_nothing_can_be_watched_every_scan_is_made() {
        let mut project =
            Project { last: LastScan::new(Watch::default()), root: tempfile::tempdir().unwrap() };
        assert!((0..3).all(|_| project.needs_a_scan()));
    }
}
