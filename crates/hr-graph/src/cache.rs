//! Keeps scanned files from one process to the next.
//!
//! The cache is disposable: what is corrupt, truncated, of another version or of another project counts as empty,
//! and failing to write it is no error. It lies in several files, each replaced as a whole, so that a changed file
//! costs little and processes may share the directory: the last one to write a file wins.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};
use xxhash_rust::xxh3::xxh3_64;

use crate::interpreter::Interpreter;
use crate::project::Project;
use crate::scan::Scanned;

/// To be raised whenever what is stored, or what a scan finds in the same file, changes.
const FORMAT: u32 = 5;
const MAGIC: &[u8; 8] = b"hr-scan\0";
const HEADER: usize = MAGIC.len() + 4 + 8;
/// How many files the cache of one project is spread over.
const SHARDS: u64 = 64;

/// The cached files of one project, for one interpreter.
#[derive(Debug)]
pub(crate) struct Cache {
    directory: PathBuf,
    root: PathBuf,
}

/// What is known of files, by their paths.
pub(crate) type Known = FxHashMap<OsString, Arc<Scanned>>;

impl Cache {
    pub(crate) fn new(directory: &Path, project: &Project, interpreter: &Interpreter) -> Self {
        let root = project.root().to_owned();
        let identity = format!(
            "{FORMAT} {} {} {}.{} {}",
            env!("CARGO_PKG_VERSION"),
            interpreter.platform,
            interpreter.version.0,
            interpreter.version.1,
            root.display()
        );
        let directory =
            directory.join(format!("scan-v{FORMAT}")).join(format!("{:016x}", xxh3_64(identity.as_bytes())));
        Self { directory, root }
    }

    /// Everything that is stored and sound.
    pub(crate) fn load(&self) -> Known {
        let shards: Vec<Vec<(OsString, Arc<Scanned>)>> =
            (0..SHARDS).into_par_iter().map(|shard| self.load_shard(shard)).collect();
        shards.into_iter().flatten().collect()
    }

    /// Stores what is known of the files `now`, as far as it lies in `changed` shards. What was known of `others` stays as
    /// long as the files do.
    pub(crate) fn store(&self, changed: &FxHashSet<u64>, now: &Known, others: &Known) {
        if changed.is_empty() || std::fs::create_dir_all(&self.directory).is_err() {
            return;
        }
        let mut entries: HashMap<u64, Vec<(&OsString, &Arc<Scanned>)>> = HashMap::new();
        for entry in now {
            let shard = shard_of(entry.0);
            if changed.contains(&shard) {
                entries.entry(shard).or_default().push(entry);
            }
        }
        for entry in others {
            let shard = shard_of(entry.0);
            if changed.contains(&shard) && !now.contains_key(entry.0) && Path::new(entry.0).exists() {
                entries.entry(shard).or_default().push(entry);
            }
        }
        entries.into_par_iter().for_each(|(shard, entries)| {
            // A cache that cannot be written is a slower start, nothing else.
            let _ = self.store_shard(shard, &entries);
        });
    }

    fn file(&self, shard: u64) -> PathBuf {
        self.directory.join(format!("{shard:02x}.bin"))
    }

    fn load_shard(&self, shard: u64) -> Vec<(OsString, Arc<Scanned>)> {
        let bytes = std::fs::read(self.file(shard)).unwrap_or_default();
        let stored: Vec<(String, Scanned)> = payload(&bytes)
            .and_then(|payload| match postcard::take_from_bytes(payload) {
                Ok((stored, [])) => Some(stored),
                _ => None,
            })
            .unwrap_or_default();
        stored
            .into_iter()
            .map(|(path, scanned)| (self.root.join(path).into_os_string(), Arc::new(scanned)))
            .collect()
    }

    fn store_shard(&self, shard: u64, entries: &[(&OsString, &Arc<Scanned>)]) -> std::io::Result<()> {
        let mut stored: Vec<(&str, &Scanned)> = entries
            .iter()
            .filter_map(|(path, scanned)| {
                let path = Path::new(path);
                Some((path.strip_prefix(&self.root).unwrap_or(path).to_str()?, scanned.as_ref()))
            })
            .collect();
        stored.sort_unstable_by_key(|(path, _)| *path);
        let payload = postcard::to_stdvec(&stored).map_err(std::io::Error::other)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.directory)?;
        file.write_all(MAGIC)?;
        file.write_all(&FORMAT.to_le_bytes())?;
        file.write_all(&xxh3_64(&payload).to_le_bytes())?;
        file.write_all(&payload)?;
        // Where a rename replaces a file, ext4 writes the new one to disk first, which takes milliseconds. Nothing here
        // is worth waiting for: whoever looks between these two lines parses a few files anew.
        let _ = std::fs::remove_file(self.file(shard));
        file.persist(self.file(shard))?;
        Ok(())
    }
}

/// What follows a sound header.
fn payload(bytes: &[u8]) -> Option<&[u8]> {
    let (header, payload) = bytes.split_at_checked(HEADER)?;
    let (magic, rest) = header.split_at(MAGIC.len());
    let (format, checksum) = rest.split_at(4);
    let is_sound =
        magic == MAGIC && format == FORMAT.to_le_bytes() && checksum == xxh3_64(payload).to_le_bytes();
    is_sound.then_some(payload)
}

/// Which part of the cache holds what is known of a file.
pub(crate) fn shard_of(path: &OsStr) -> u64 {
    xxh3_64(path.as_encoded_bytes()) % SHARDS
}
