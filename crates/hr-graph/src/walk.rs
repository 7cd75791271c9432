//! Lists the source files below a directory: honours `.gitignore`, skips environments and caches.

use std::fs::FileType;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ignore::gitignore::Gitignore;
use rayon::prelude::*;

use crate::listing::{Listing, Offer, module_file};
use crate::project::is_identifier;

/// What lies below a directory.
#[derive(Default)]
pub(crate) struct Walked {
    /// All files that may be modules, sorted.
    pub(crate) files: Vec<PathBuf>,
    /// Every directory that was read.
    pub(crate) listings: Vec<(PathBuf, Listing)>,
    /// Every `.gitignore` that was read.
    pub(crate) rules: Vec<PathBuf>,
    /// Every directory that was left out for being a virtual environment.
    pub(crate) environments: Vec<PathBuf>,
}

/// Walks a directory. Symlinks to directories are followed as long as they stay below `boundary`; loops end.
pub(crate) fn walk(directory: &Path, boundary: &Path, version: (u8, u8)) -> Walked {
    let installed = directory.components().any(|part| part.as_os_str() == "site-packages");
    let boundary = boundary.canonicalize().unwrap_or_else(|_| boundary.to_owned());
    let walk = Walk { boundary, honours_gitignore: !installed, version };
    let mut walked = walk.directory(directory, None, true);
    walked.files.par_sort_unstable_by(|one, other| one.as_os_str().cmp(other.as_os_str()));
    walked
}

struct Walk {
    boundary: PathBuf,
    honours_gitignore: bool,
    version: (u8, u8),
}

/// The `.gitignore` files from a directory up to the root of the walk.
struct Ignored {
    rules: Gitignore,
    above: Option<Arc<Ignored>>,
}

impl Ignored {
    /// The innermost file that says anything about a path decides.
    fn covers(&self, path: &Path, is_directory: bool) -> bool {
        let verdict = self.rules.matched(path, is_directory);
        if verdict.is_none() {
            self.above.as_ref().is_some_and(|above| above.covers(path, is_directory))
        } else {
            verdict.is_ignore()
        }
    }
}

impl Walk {
    fn directory(&self, directory: &Path, ignored: Option<&Arc<Ignored>>, is_top: bool) -> Walked {
        let entries: Vec<_> = std::fs::read_dir(directory)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| (entry.file_name(), entry.file_type()))
            .collect();
        let has = |name: &str| entries.iter().any(|(entry, _)| entry == name);
        // Virtual environments are recognised as `is_environment` does it, without asking the file system again.
        if !is_top && (has("pyvenv.cfg") || (has("conda-meta") && has("bin"))) {
            return Walked { environments: vec![directory.to_owned()], ..Walked::default() };
        }
        let own_rules = has(".gitignore");
        let rules = (own_rules && self.honours_gitignore).then(|| {
            let rules = Gitignore::new(directory.join(".gitignore")).0;
            Arc::new(Ignored { rules, above: ignored.cloned() })
        });
        let ignored = rules.as_ref().or(ignored);
        let mut walked = Walked::default();
        walked.rules.extend(rules.is_some().then(|| directory.join(".gitignore")));
        let mut listing = Listing::default();
        let mut below = Vec::new();
        for (name, kind) in entries {
            let Ok(kind) = kind else { continue };
            let is_link = kind.is_symlink();
            let Some(kind) = listing.add(directory, &name, kind, self.version) else { continue };
            if !name.to_str().is_some_and(|name| self.is_candidate(name, kind)) {
                continue;
            }
            let path = directory.join(&name);
            if ignored.is_some_and(|ignored| ignored.covers(&path, kind.is_dir())) {
                continue;
            }
            if kind.is_dir() {
                if !is_link || self.may_follow(&path) {
                    below.push(path);
                }
            } else {
                walked.files.push(path);
            }
        }
        walked.listings.push((directory.to_owned(), listing));
        let parts: Vec<Walked> =
            below.into_par_iter().map(|directory| self.directory(&directory, ignored, false)).collect();
        for mut part in parts {
            walked.files.append(&mut part.files);
            walked.listings.append(&mut part.listings);
            walked.rules.append(&mut part.rules);
            walked.environments.append(&mut part.environments);
        }
        walked
    }

    fn is_candidate(&self, name: &str, kind: FileType) -> bool {
        if kind.is_dir() {
            !name.starts_with('.')
                && !matches!(
                    name,
                    "__pycache__" | "node_modules" | "site-packages" | "dist-packages" | "__pypackages__"
                )
        } else {
            kind.is_file() && module_file(name, self.version).is_some_and(|(_, what)| what != Offer::NOTHING)
        }
    }

    /// Whether a link to a directory leads to modules of the project, and not back to where it lies.
    fn may_follow(&self, link: &Path) -> bool {
        link.file_name().and_then(|name| name.to_str()).is_some_and(is_identifier)
            && link.canonicalize().is_ok_and(|real| {
                real.starts_with(&self.boundary)
                    && !link
                        .parent()
                        .and_then(|parent| parent.canonicalize().ok())
                        .is_some_and(|parent| parent.starts_with(&real))
            })
    }
}
