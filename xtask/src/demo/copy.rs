//! The demo works on copies, never on the checkout.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::fingerprint::{self, Fingerprint};

/// Left behind by tools that ran in the checkout.
const NOT_COPIED: [&str; 3] = ["__pycache__", "build", ".mypy_cache"];

/// Copies a folder with all that lies below it.
pub(crate) fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    let entries = fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot list {}", from.display()))?;
        let name = entry.file_name();
        if NOT_COPIED.iter().any(|skipped| name == *skipped) {
            continue;
        }
        let (source, destination) = (entry.path(), to.join(&name));
        if source.is_dir() {
            copy_tree(&source, &destination)?;
        } else {
            fs::copy(&source, &destination)
                .with_context(|| format!("cannot copy {} to {}", source.display(), destination.display()))?;
        }
    }
    Ok(())
}

/// Copies a folder afresh if it changed since the copy was confirmed, and says whether it did.
pub(crate) fn refresh(from: &Path, to: &Path) -> Result<bool> {
    let mut fingerprint = Fingerprint::default();
    fingerprint.add_tree(from, &NOT_COPIED)?;
    let wanted = fingerprint.finish();
    if fingerprint::is_current(&stamp(to), &wanted) {
        return Ok(false);
    }
    if to.exists() {
        fs::remove_dir_all(to).with_context(|| format!("cannot remove {}", to.display()))?;
    }
    copy_tree(from, to)?;
    fingerprint::store(&pending(to), &wanted)?;
    Ok(true)
}

/// Marks a refreshed copy as used, so that the next call has nothing to do.
pub(crate) fn confirm(copy: &Path) -> Result<()> {
    let pending = pending(copy);
    if pending.exists() {
        fs::rename(&pending, stamp(copy)).with_context(|| format!("cannot rename {}", pending.display()))?;
    }
    Ok(())
}

fn stamp(copy: &Path) -> PathBuf {
    copy.with_extension("stamp")
}

fn pending(copy: &Path) -> PathBuf {
    copy.with_extension("pending")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_renewed_when_its_source_changed_or_it_was_never_confirmed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir_all(from.join("inner/__pycache__")).expect("create");
        fs::write(from.join("inner/a"), "1").expect("write");
        assert!(refresh(&from, &to).expect("copied"));
        assert!(refresh(&from, &to).expect("not confirmed"));
        confirm(&to).expect("confirmed");
        assert!(!refresh(&from, &to).expect("current"));
        fs::write(from.join("inner/a"), "2").expect("write");
        assert!(refresh(&from, &to).expect("changed"));
        assert_eq!(fs::read_to_string(to.join("inner/a")).expect("read"), "2");
        assert!(!to.join("inner/__pycache__").exists());
    }
}
