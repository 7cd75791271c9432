//! What a paused process has looked at, and whether it would find the same now.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::SystemTime;

use hr_forkserver::protocol::{ListedDirectory, Loaded, OpenedFile};

use crate::supervisor::absences::Absences;
use crate::supervisor::inputs::Inputs;
use crate::supervisor::listings::Listings;
use crate::supervisor::resolution::Resolutions;
use crate::supervisor::watch::Watch;

/// Files, directories and names.
#[derive(Debug)]
pub(super) struct Consumed {
    inputs: Inputs,
    absences: Absences,
    listings: Listings,
    resolutions: Resolutions,
}

impl Consumed {
    /// What a process has `loaded` that began to at `began`, and looks for modules in `sys_path`. What happens to it is heard
    /// from `watch`.
    pub(super) fn new(loaded: Loaded, sys_path: &[OsString], began: SystemTime, watch: &Watch) -> Self {
        let Loaded { files, names, absent, variables: _, opened, listed, profile: _ } = loaded;
        let mut inputs = Inputs::new(files, began, watch);
        let mut absences = Absences::default();
        for file in opened {
            match file.stamp {
                Some(_) => inputs.add_opened(file),
                None => absences.add(Path::new(&file.path)),
            }
        }
        let mut listings = Listings::default();
        listings.add(listed);
        let resolutions = Resolutions::new(sys_path, &names, &absent, began);
        Self { inputs, absences, listings, resolutions }
    }

    /// Takes out of `loaded` what is known here.
    pub(super) fn leave_out_of(&self, loaded: &mut Loaded) {
        let Loaded { files, names, absent, opened, listed, .. } = loaded;
        files.retain(|file| !self.inputs.contains(file));
        opened.retain(|OpenedFile { path, .. }| !self.inputs.contains(path) && !self.absences.contains(path));
        listed.retain(|listed: &ListedDirectory| !self.listings.contains(listed));
        names.retain(|(name, _)| !self.resolutions.contains(name));
        absent.retain(|name| !self.resolutions.contains(name));
    }

    /// Whether this file is part of it, be it that it was not there.
    pub(super) fn contains(&self, file: &OsStr) -> bool {
        self.inputs.contains(file) || self.absences.contains(file)
    }

    /// Whether all of it is what it was.
    pub(super) fn is_current(&self) -> bool {
        self.resolutions.moved().is_empty() && self.changed().is_empty()
    }

    /// Files and directories that are not.
    pub(super) fn changed(&self) -> Vec<OsString> {
        [self.inputs.changed(), self.absences.changed(), self.listings.changed()].concat()
    }

    /// Names that would be found elsewhere.
    pub(super) fn moved(&self) -> BTreeSet<String> {
        self.resolutions.moved().into_iter().collect()
    }

    /// Whether it has been compared since it is watched.
    pub(super) fn is_watched(&self) -> bool {
        self.inputs.is_watched()
    }

    /// Compares all of it, so that it is done when it counts.
    pub(super) fn look(&self) {
        self.is_current();
        // That ends with the first thing that has changed.
        self.inputs.changed();
    }
}
