//! Where a scan begins: what walking the project's directories comes to.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use rayon::prelude::*;
use rustc_hash::FxHashSet;

use super::SourceFile;
use crate::interpreter::Interpreter;
use crate::listing::Listing;
use crate::project::{Entry, Project, Seed};
use crate::walk;

/// The files that a scan begins with, and what decided which these are.
#[derive(Debug)]
pub(super) struct Seeds {
    /// Not read yet.
    pub(super) files: Vec<SourceFile>,
    /// The directories that were walked.
    pub(super) listings: Vec<(OsString, Arc<Listing>)>,
    /// The `.gitignore` files that were asked.
    pub(super) rules: Vec<PathBuf>,
    /// Directories that were left out for being virtual environments.
    pub(super) environments: Vec<PathBuf>,
}

impl Seeds {
    /// Walks the project.
    pub(super) fn find(project: &Project, interpreter: &Interpreter) -> Self {
        let (mut paths, mut listings) = (Vec::new(), Vec::new());
        let (mut rules, mut environments) = (Vec::new(), Vec::new());
        for seed in project.seeds() {
            match seed {
                Seed::Tree(directory) => {
                    let mut walked = walk::walk(directory, project.root(), interpreter.version);
                    paths.append(&mut walked.files);
                    rules.append(&mut walked.rules);
                    environments.append(&mut walked.environments);
                    let walked = walked.listings.into_iter();
                    listings.extend(
                        walked.map(|(directory, listing)| (directory.into_os_string(), Arc::new(listing))),
                    );
                }
                Seed::File(file) => paths.push(file.clone()),
            }
        }
        let mut known = FxHashSet::default();
        paths.retain(|path| known.insert(path.clone().into_os_string()));
        let files = paths.into_par_iter().filter_map(|path| source_file(project, path)).collect();
        Self { files, listings, rules, environments }
    }
}

fn source_file(project: &Project, path: PathBuf) -> Option<SourceFile> {
    if !project.is_first_party(&path) {
        return None;
    }
    let named = project.module_name(&path);
    let (module, is_package) = match (named, project.entry()) {
        (Some(named), _) => named,
        // A script may have any name; nothing can import it then.
        (None, Entry::Script(script)) if *script == path => {
            (path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default(), false)
        }
        _ => return None,
    };
    Some(SourceFile::new(path, module, is_package))
}
