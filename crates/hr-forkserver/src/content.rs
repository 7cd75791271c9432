//! What is in a file, in short: whether it is the same as before, whenever it was written.

use std::fs::{self, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use hr_protocol::Content;
use nix::libc;
use xxhash_rust::xxh3::xxh3_64;

/// Up to how many bytes are read. Programs keep what they know from one start to the next in files that are smaller.
const MOST: u64 = 1 << 16;

/// What is in `file`. None if it is large, cannot be read, or is no ordinary file: to read that may change it, or take for
/// ever.
///
/// # Example
///
/// ```
/// let file = tempfile::NamedTempFile::new()?;
/// std::fs::write(&file, "{}")?;
/// let before = hr_forkserver::content_of(file.path());
/// std::fs::write(&file, "{}")?;
/// assert!(before.is_some() && before == hr_forkserver::content_of(file.path()));
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use]
pub fn content_of(file: &Path) -> Option<Content> {
    let is_small = |metadata: &fs::Metadata| metadata.is_file() && metadata.len() <= MOST;
    fs::metadata(file).ok().filter(is_small)?;
    // By now it may be another one.
    let mut file =
        OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(file).ok()?;
    file.metadata().ok().filter(is_small)?;
    let mut bytes = Vec::new();
    file.by_ref().take(MOST + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= MOST).then(|| Content(xxh3_64(&bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_small_ordinary_files_have_a_content() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("small"), vec![b'x'; 1 << 16]).unwrap();
        fs::write(path("other"), vec![b'y'; 1 << 16]).unwrap();
        fs::write(path("large"), vec![b'x'; (1 << 16) + 1]).unwrap();
        nix::unistd::mkfifo(&path("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(content_of(&path("small")).is_some());
        assert_ne!(content_of(&path("small")), content_of(&path("other")));
        for other in [path("large"), path("pipe"), path("missing"), directory.path().to_owned()] {
            assert_eq!(content_of(&other), None, "{}", other.display());
        }
    }
}
