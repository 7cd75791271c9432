//! Telling whether anything changed since the last call. A fingerprint is compared with the one stored beside what
//! was made from the same inputs; it only saves work, so a fast hash is enough.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;

use anyhow::{Context, Result};

/// A digest of file contents and words, in the order in which they were added.
#[derive(Default)]
pub(crate) struct Fingerprint(DefaultHasher);

impl Fingerprint {
    pub(crate) fn add_text(&mut self, text: &str) {
        text.hash(&mut self.0);
    }

    /// Adds one file's contents.
    pub(crate) fn add_file(&mut self, path: &Path) -> Result<()> {
        let contents = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        contents.hash(&mut self.0);
        Ok(())
    }

    /// Adds the names and contents of all files below a folder, except in folders that `skip` names.
    pub(crate) fn add_tree(&mut self, folder: &Path, skip: &[&str]) -> Result<()> {
        let mut entries = fs::read_dir(folder)
            .and_then(Iterator::collect::<std::io::Result<Vec<_>>>)
            .with_context(|| format!("cannot list {}", folder.display()))?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if skip.contains(&name.as_ref()) {
                continue;
            }
            self.add_text(&name);
            let path = entry.path();
            if path.is_dir() {
                self.add_tree(&path, skip)?;
            } else {
                self.add_file(&path)?;
            }
        }
        Ok(())
    }

    /// The digest as text.
    pub(crate) fn finish(&self) -> String {
        format!("{:016x}", self.0.finish())
    }
}

/// A stored fingerprint.
pub(crate) fn is_current(stamp: &Path, fingerprint: &str) -> bool {
    fs::read_to_string(stamp).is_ok_and(|stored| stored == fingerprint)
}

/// Stores a fingerprint once the work it stands for is done.
pub(crate) fn store(stamp: &Path, fingerprint: &str) -> Result<()> {
    fs::write(stamp, fingerprint).with_context(|| format!("cannot write {}", stamp.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(folder: &Path) -> String {
        let mut fingerprint = Fingerprint::default();
        fingerprint.add_tree(folder, &["target"]).expect("folder is readable");
        fingerprint.finish()
    }

    #[test]
    fn a_tree_is_known_by_names_and_contents_but_not_by_what_is_skipped() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("a"), "1").expect("write");
        let before = digest(folder.path());
        fs::create_dir(folder.path().join("target")).expect("create");
        fs::write(folder.path().join("target/b"), "1").expect("write");
        assert_eq!(digest(folder.path()), before);
        fs::write(folder.path().join("a"), "2").expect("write");
        assert_ne!(digest(folder.path()), before);
        fs::write(folder.path().join("a"), "1").expect("write");
        assert_eq!(digest(folder.path()), before);
        fs::rename(folder.path().join("a"), folder.path().join("c")).expect("rename");
        assert_ne!(digest(folder.path()), before);
    }
}
