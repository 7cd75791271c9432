//! Operations of version control that change many files, one after the other.

use std::fs;
use std::path::{Path, PathBuf};

/// Where each system keeps a lock while it changes the working copy: its directory there, and the lock below that.
/// (Git: `gitrepository-layout(5)` and `lockfile.h`; Mercurial: `wlock` in `localrepo.py`, a symbolic link that leads
/// nowhere; Sapling: `eden/scm/lib/repolock`, which keeps Mercurial's name for those who look for it; Jujutsu:
/// `start_mutation` in `lib/src/local_working_copy.rs`.) All of them remove it afterwards.
const LOCKS: [(&str, &str); 5] = [
    (".git", "index.lock"),
    (".git", "HEAD.lock"),
    (".hg", "wlock"),
    (".sl", "wlock"),
    (".jj", "working_copy/working_copy.lock"),
];

/// What Git keeps while it applies commits one after the other, each under a lock of its own, and what it adds while the
/// user is to do something about one of them (`sequencer.c`).
const SEQUENCE: (&str, &str) = ("rebase-merge", "REBASE_HEAD");

/// How to see what is done to the working copies to which a directory belongs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Operations {
    locks: Vec<PathBuf>,
    /// What is there during a sequence, and what is there while it waits for the user.
    sequences: Vec<(PathBuf, PathBuf)>,
}

impl Operations {
    /// Those that concern `root`.
    pub(super) fn on(root: &Path) -> Self {
        let mut operations = Self::default();
        for directory in root.ancestors() {
            for (name, lock) in LOCKS {
                let own = directory.join(name);
                let Some(own) = own.is_dir().then(|| own.clone()).or_else(|| linked(&own)) else { continue };
                operations.locks.push(own.join(lock));
                if name == ".git" {
                    let (sequence, pause) = SEQUENCE;
                    operations.sequences.push((own.join(sequence), own.join(pause)));
                }
            }
            if !operations.locks.is_empty() {
                break;
            }
        }
        operations.sequences.dedup();
        operations
    }

    /// Everything that comes or goes when an operation begins or ends.
    pub(super) fn signs(&self) -> impl Iterator<Item = &PathBuf> {
        self.locks.iter().chain(self.sequences.iter().flat_map(|(sequence, pause)| [sequence, pause]))
    }

    /// Whether one is under way.
    pub(super) fn are_under_way(&self) -> bool {
        let is_there = |path: &PathBuf| path.symlink_metadata().is_ok();
        self.locks.iter().any(is_there)
            || self.sequences.iter().any(|(sequence, pause)| is_there(sequence) && !is_there(pause))
    }
}

/// The directory that Git keeps for a linked worktree or a submodule.
fn linked(file: &Path) -> Option<PathBuf> {
    let text = fs::read_to_string(file).ok()?;
    let target = text.strip_prefix("gitdir:")?.trim();
    Some(file.parent()?.join(target))
}
