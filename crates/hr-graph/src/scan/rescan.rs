//! Scans again where it is known what happened: only that is looked at.
//!
//! This is a scan as any other, but one that takes the answers of the file system from the last scan where nothing
//! happened. Whatever could make it walk the project another way, it leaves to a scan from the start.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hr_imports::ModuleName;

use super::Scanner;
use super::read::{Trust, read};
use super::seeds::Seeds;
use crate::cache;
use crate::finder::Listings;
use crate::graph::ProjectGraph;
use crate::listing::Listing;

/// What a scan has learnt of the file system, short of the files that are known.
#[derive(Debug)]
pub(super) struct Last {
    pub(super) seeds: Seeds,
    /// Of every directory that had a part in it.
    pub(super) listings: Listings,
    pub(super) settings_file: Option<PathBuf>,
    /// Files so young when they were read that they may have changed since without looking different.
    pub(super) racy: Vec<OsString>,
    pub(super) graph: ProjectGraph,
}

impl Scanner {
    /// The state of the project as it is on disk now, exactly as [`Scanner::scan`] would tell it, provided that
    /// since the last scan began nothing happened to anything it [consulted](Scanner::consulted) but `suspects`, nor to a
    /// directory or link on the way to it. Of a directory only its entries matter.
    ///
    /// Where only source files were edited, this takes a small part of the time: neither are directories walked nor
    /// other files looked at. Otherwise, and the first time, it is a scan.
    pub fn rescan(&mut self, suspects: &[PathBuf]) -> ProjectGraph {
        let edited = self.last.as_ref().and_then(|last| self.edited(last, suspects));
        match edited {
            Some(edited) => self.rescan_files(edited),
            None => self.scan(),
        }
    }

    /// The source files that may have changed, if nothing else has.
    fn edited(&self, last: &Last, suspects: &[PathBuf]) -> Option<Vec<OsString>> {
        if last.settings_file != self.project.settings_file() || !self.project.settings_hold() {
            return None;
        }
        let mut edited = last.racy.clone();
        for suspect in suspects {
            if self.known.contains_key(suspect.as_os_str()) {
                edited.push(suspect.clone().into_os_string());
            } else if let Some(listing) = last.listings.get(suspect.as_os_str()) {
                let now = Listing::read(suspect, self.interpreter.version);
                if !now.has_entries_of(listing) {
                    return None;
                }
            } else if last.settings_file.as_ref() != Some(suspect) {
                return None;
            }
        }
        edited.sort_unstable();
        edited.dedup();
        Some(edited)
    }

    fn rescan_files(&mut self, edited: Vec<OsString>) -> ProjectGraph {
        let target = self.interpreter.target();
        let (mut changed, mut racy) = (Vec::new(), Vec::new());
        for path in edited {
            let is_file = std::fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_file());
            let Some(known) = self.known.get(&path).filter(|_| is_file) else { return self.scan() };
            let name = ModuleName { name: &known.module, is_package: known.is_package };
            let Ok(scanned) = read(Path::new(&path), Some(known), name, &target) else { return self.scan() };
            if scanned.is_racy() {
                racy.push(path.clone());
            }
            if !Arc::ptr_eq(&scanned, known) {
                changed.push((path, scanned));
            }
        }
        for (path, scanned) in &changed {
            self.unsaved.insert(cache::shard_of(path));
            self.known.insert(path.clone(), Arc::clone(scanned));
        }
        let Some(mut last) = self.last.take() else { return self.scan() };
        if let Some(graph) = last.graph.edited(&changed) {
            last.graph = graph.clone();
            last.racy = racy;
            self.last = Some(last);
            return graph;
        }
        let Last { seeds, listings, settings_file, .. } = last;
        self.explore(seeds, listings, settings_file, Trust::Known)
    }
}
