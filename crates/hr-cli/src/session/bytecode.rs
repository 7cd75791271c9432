//! Bytecode that a fresh interpreter would take for that of the current source, and that is of an earlier one.
//!
//! Python compares the time of a source, in whole seconds, and its size with what the bytecode says. After two saves within
//! a second it can be wrong. Runs know better; processes that a program starts afresh (`multiprocessing`'s spawn) do not.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Where Python keeps bytecode, beside the source.
const CACHE: &str = "__pycache__";

/// Length of the header: a magic number, flags, then time and size of the source, four bytes each
/// (`importlib._bootstrap_external._code_to_timestamp_pyc`).
const HEADER: usize = 16;

/// Removes bytecode of `source` that is older than that and does not look it. What cannot be removed stays.
pub(super) fn remove_outdated(source: &Path) {
    let (Some(directory), Some(stem)) = (source.parent(), source.file_stem()) else { return };
    let Ok(written) = fs::metadata(source) else { return };
    let beginning = format!("{}.", stem.to_string_lossy());
    for entry in fs::read_dir(directory.join(CACHE)).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_of_source = name.starts_with(&beginning) && name.ends_with(".pyc");
        let is_older = entry.metadata().is_ok_and(|bytecode| {
            (bytecode.mtime(), bytecode.mtime_nsec()) <= (written.ctime(), written.ctime_nsec())
        });
        if is_of_source && is_older && seems_current(&entry.path(), written.mtime(), written.size()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Whether an interpreter would use the bytecode for a source of this time and size.
fn seems_current(bytecode: &Path, modified: i64, size: u64) -> bool {
    let Ok(bytes) = fs::read(bytecode) else { return false };
    let Some(header) = bytes.get(..HEADER) else { return false };
    let [_, flags, time, length] = [0, 4, 8, 12].map(|at| &header[at..at + 4]);
    // As Python has it: the lowest four bytes.
    flags == [0; 4] && time == &modified.to_le_bytes()[..4] && length == &size.to_le_bytes()[..4]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A source of `text`, and bytecode that says it is of such a one.
    fn compiled(root: &Path, name: &str, text: &str) -> [std::path::PathBuf; 2] {
        let source = root.join(format!("{name}.py"));
        fs::write(&source, text).unwrap();
        let modified = fs::metadata(&source).unwrap().mtime();
        let header = [&[1, 2, 3, 4], &[0; 4], &modified.to_le_bytes()[..4], &text.len().to_le_bytes()[..4]];
        fs::create_dir_all(root.join(CACHE)).unwrap();
        let bytecode = root.join(CACHE).join(format!("{name}.cpython-313.pyc"));
        fs::write(&bytecode, header.concat()).unwrap();
        [source, bytecode]
    }

    #[test]
    fn bytecode_from_before_a_save_within_the_same_second_is_removed() {
        let root = tempfile::tempdir().unwrap();
        let [source, bytecode] = compiled(root.path(), "prices", "PRICE = 10\n");
        let [_, other] = compiled(root.path(), "prices2", "PRICE = 10\n");
        let time = fs::metadata(&source).unwrap().modified().unwrap();
        fs::write(&source, "PRICE = 20\n").unwrap();
        fs::File::options().write(true).open(&source).unwrap().set_modified(time).unwrap();
        remove_outdated(&source);
        assert!(!bytecode.exists() && other.exists());
    }

    #[test]
    fn bytecode_that_python_can_tell_stays() {
        let root = tempfile::tempdir().unwrap();
        let [source, bytecode] = compiled(root.path(), "prices", "PRICE = 10\n");
        fs::write(&source, "PRICE = 1000\n").unwrap();
        remove_outdated(&source);
        assert!(bytecode.exists(), "another size");
        remove_outdated(&root.path().join("nothing.py"));
    }
}
