//! Lists the source files below a directory: honours `.gitignore`, skips environments and caches.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ignore::{DirEntry, WalkBuilder, WalkState};

use crate::project::{is_environment, is_identifier};

/// All files below `directory` that may be first-party modules, sorted.
///
/// Symlinks to directories are followed as long as they stay below `boundary`; loops end.
pub(crate) fn walk(directory: &Path, boundary: &Path) -> Vec<PathBuf> {
    let installed = directory.components().any(|part| part.as_os_str() == "site-packages");
    let boundary = boundary.canonicalize().unwrap_or_else(|_| boundary.to_owned());
    let mut builder = WalkBuilder::new(directory);
    builder
        .standard_filters(false)
        .hidden(true)
        .git_ignore(!installed)
        .git_exclude(!installed)
        .ignore(false)
        .require_git(false)
        .parents(false)
        .follow_links(true)
        .threads(rayon::current_num_threads())
        .filter_entry(move |entry| may_hold_modules(entry, &boundary));
    let found = Mutex::new(Vec::new());
    builder.build_parallel().run(|| {
        let mut batch = Batch { files: Vec::new(), all: &found };
        Box::new(move |entry| {
            // What cannot be read is not there: Python could not import it either.
            if let Ok(entry) = entry
                && entry.file_type().is_some_and(|kind| kind.is_file())
                && is_module_file(entry.file_name())
            {
                batch.files.push(entry.into_path());
            }
            WalkState::Continue
        })
    });
    let mut files = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    files.sort();
    files
}

/// One thread's findings, handed over when the thread is done.
struct Batch<'a> {
    files: Vec<PathBuf>,
    all: &'a Mutex<Vec<PathBuf>>,
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).append(&mut self.files);
    }
}

fn may_hold_modules(entry: &DirEntry, boundary: &Path) -> bool {
    if entry.depth() == 0 || !entry.file_type().is_some_and(|kind| kind.is_dir()) {
        return true;
    }
    let Some(name) = entry.file_name().to_str() else { return false };
    if matches!(name, "__pycache__" | "node_modules" | "site-packages" | "dist-packages" | "__pypackages__") {
        return false;
    }
    if is_environment(entry.path()) {
        return false;
    }
    // `libs/my-lib/src` is reached through a directory that no import can name.
    !entry.path_is_symlink()
        || (is_identifier(name)
            && entry.path().canonicalize().is_ok_and(|real| {
                real.starts_with(boundary)
                    && !entry.path().parent().is_some_and(|parent| parent.starts_with(&real))
            }))
}

fn is_module_file(name: &OsStr) -> bool {
    let suffix = Path::new(name).extension().and_then(OsStr::to_str);
    matches!(suffix, Some("py" | "pyc" | "so" | "pyd"))
}
