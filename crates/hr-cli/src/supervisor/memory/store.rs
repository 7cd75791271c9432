//! Where memory is kept from one supervisor to the next.
//!
//! It is disposable: what cannot be read counts as empty, and what cannot be written is forgotten. A file is replaced as
//! a whole; of two supervisors that write at once, the later one wins.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::Memory;

/// To be raised whenever what is stored changes.
const FORMAT: u32 = 1;

/// The largest file that is read, in bytes. Nothing that this program writes comes near it.
const LARGEST: u64 = 16 << 20;

/// One project's memory on disk.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    file: PathBuf,
    project: String,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    /// Against files that have another's name.
    project: String,
    memory: Memory,
}

impl Store {
    /// The store below `cache` of the project at `root`, for one interpreter.
    pub(crate) fn new(cache: &Path, root: &Path, executable: &Path) -> Self {
        let project = format!("{} {}", root.display(), executable.display());
        let name = format!("{:016x}.json", xxh3_64(project.as_bytes()));
        Self { file: cache.join(format!("memory-v{FORMAT}")).join(name), project }
    }

    /// What is stored, if it is sound.
    pub(crate) fn load(&self) -> Memory {
        let sound = || {
            let size = fs::metadata(&self.file).ok()?.len();
            let bytes = (size <= LARGEST).then(|| fs::read(&self.file).ok())??;
            let stored: Stored = serde_json::from_slice(&bytes).ok()?;
            (stored.project == self.project).then_some(stored.memory)
        };
        sound().unwrap_or_default()
    }

    /// Stores `memory`.
    pub(crate) fn save(&self, memory: &Memory) -> io::Result<()> {
        let directory = self.file.parent().unwrap_or(Path::new(""));
        fs::create_dir_all(directory)?;
        let stored = Stored { project: self.project.clone(), memory: memory.clone() };
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(&serde_json::to_vec(&stored)?)?;
        file.persist(&self.file)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_comes_back_and_what_is_broken_is_empty() {
        let cache = tempfile::tempdir().unwrap();
        let [ours, other] = ["/project", "/other"]
            .map(|root| Store::new(cache.path(), Path::new(root), Path::new("/python")));
        assert_eq!(ours.load(), Memory::default());
        let mut memory = Memory::default();
        memory.learn(vec!["plugin".to_owned()]);
        ours.save(&memory).unwrap();
        assert_eq!(ours.load(), memory);
        assert_eq!(other.load(), Memory::default());

        fs::copy(&ours.file, &other.file).unwrap();
        assert_eq!(other.load(), Memory::default(), "it is another project's");
        let whole = fs::read(&ours.file).unwrap();
        for length in 0..whole.len() {
            fs::write(&ours.file, &whole[..length]).unwrap();
            assert_eq!(ours.load(), Memory::default());
        }
    }
}
