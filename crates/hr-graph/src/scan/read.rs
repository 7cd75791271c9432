//! Reads and parses files, unless they are known.

use std::cell::Cell;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use hr_imports::{Location, ModuleName, Problem as FileProblem};
use rayon::prelude::*;

use super::stamp::nanoseconds;
use super::{Scanned, SourceFile, Stamp};
use crate::cache::Known;
use crate::interpreter::Interpreter;

/// What reading a file came to.
pub(super) type Outcome = Result<SourceFile, (PathBuf, FileProblem)>;

/// How far what is known of files is to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// As long as the files look the same.
    Stamps,
    /// They were looked at already.
    Known,
}

/// Reads files, or takes what is known of them.
pub(super) fn read_all(
    files: Vec<SourceFile>,
    known: &Known,
    trust: Trust,
    interpreter: &Interpreter,
) -> Vec<Outcome> {
    let target = interpreter.target();
    files
        .into_par_iter()
        .map(|mut file| {
            if has_source(&file.path) {
                let name = ModuleName { name: &file.module, is_package: file.is_package };
                let known = known.get(file.path.as_os_str()).filter(|known| known.is_of(name));
                let scanned = match known {
                    Some(known) if trust == Trust::Known => Arc::clone(known),
                    known => read(&file.path, known, name, &target)
                        .map_err(|error| (file.path.clone(), unreadable(&error)))?,
                };
                file.version = scanned.hash;
                file.scanned = Some(scanned);
            } else if let Ok(metadata) = std::fs::metadata(&file.path) {
                let stamp = Stamp::of(&metadata);
                file.version = xxhash_rust::xxh3::xxh3_64(format!("{stamp:?}").as_bytes());
            }
            Ok(file)
        })
        .collect()
}

/// Whether a file is source: bytecode and extension modules are modules, but say nothing.
fn has_source(path: &Path) -> bool {
    !path.extension().is_some_and(|suffix| suffix == "pyc" || suffix == "so" || suffix == "pyd")
}

fn unreadable(error: &std::io::Error) -> FileProblem {
    FileProblem { location: Location { line: 1, column: 1 }, message: format!("cannot be read: {error}") }
}

/// Memory of more bytes than this is given back.
const LARGEST_SPARE: usize = 4 << 20;

thread_local! {
    /// What the last file was read into: fetching memory for each file takes longer than to read it.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Reads a file, unless it looks as it did when it was read last, as the same module.
pub(super) fn read(
    path: &Path,
    known: Option<&Arc<Scanned>>,
    module: ModuleName<'_>,
    target: &hr_imports::Target,
) -> std::io::Result<Arc<Scanned>> {
    if let Some(known) = known {
        let stamp = Stamp::of(&std::fs::metadata(path)?);
        if known.stamp == stamp && !stamp.is_racy(known.read_ns) {
            return Ok(Arc::clone(known));
        }
    }
    let file = std::fs::File::open(path)?;
    let stamp = Stamp::of(&file.metadata()?);
    let read_ns = nanoseconds(SystemTime::now());
    let mut bytes = SPARE.take();
    bytes.clear();
    // Room for all of it and a byte more, so that the end is met without asking for its size again.
    bytes.try_reserve(usize::try_from(stamp.size).unwrap_or(usize::MAX).saturating_add(1))?;
    file.take(u64::MAX).read_to_end(&mut bytes)?;
    let hash = xxhash_rust::xxh3::xxh3_64(&bytes);
    let found = match known {
        Some(known) if known.hash == hash && known.stamp.size == stamp.size => Arc::clone(&known.found),
        _ => Arc::new(hr_imports::scan_bytes(&bytes, module, target)),
    };
    if bytes.capacity() <= LARGEST_SPARE {
        SPARE.set(bytes);
    }
    let (module, is_package) = (module.name.to_owned(), module.is_package);
    Ok(Arc::new(Scanned { stamp, read_ns, hash, module, is_package, found }))
}
