//! Operations of version control that change many files, one after the other.

use std::fs;
use std::path::{Path, PathBuf};

/// Where each system keeps a lock while it changes the working copy: its directory there, and the lock below that.
/// (Git: `gitrepository-layout(5)` and `lockfile.h`; Mercurial: `localrepo.wlock`; Jujutsu:
/// `lib/src/local_working_copy.rs`.)
const LOCKS: [(&str, &str); 5] = [
    (".git", "index.lock"),
    (".git", "HEAD.lock"),
    (".hg", "wlock"),
    (".sl", "wlock"),
    (".jj", "working_copy/working_copy.lock"),
];

/// The locks that guard the working copies to which `root` belongs, whether they are held or not.
pub(super) fn locks(root: &Path) -> Vec<PathBuf> {
    let mut locks = Vec::new();
    for directory in root.ancestors() {
        for (name, lock) in LOCKS {
            let own = directory.join(name);
            if own.is_dir() {
                locks.push(own.join(lock));
            } else if let Some(linked) = linked(&own) {
                locks.push(linked.join(lock));
            }
        }
        if !locks.is_empty() {
            break;
        }
    }
    locks
}

/// The directory that Git keeps for a linked worktree or a submodule.
fn linked(file: &Path) -> Option<PathBuf> {
    let text = fs::read_to_string(file).ok()?;
    let target = text.strip_prefix("gitdir:")?.trim();
    Some(file.parent()?.join(target))
}
