//! What a directory offers to an import, read once.

use std::ffi::OsString;
use std::fs::FileType;
use std::path::Path;

use rustc_hash::FxHashMap;
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// What a directory offers under one name.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Offer(u8);

impl Offer {
    pub(crate) const NOTHING: Self = Self(0);
    pub(crate) const DIRECTORY: Self = Self(1);
    pub(crate) const SOURCE: Self = Self(2);
    pub(crate) const BYTECODE: Self = Self(4);
    pub(crate) const EXTENSION: Self = Self(8);
    /// Anything but a directory.
    pub(crate) const FILE: Self = Self(2 | 4 | 8);

    pub(crate) fn has(self, what: Self) -> bool {
        self.0 & what.0 != 0
    }
}

/// The modules and subdirectories of a directory, by name.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    offers: FxHashMap<Box<str>, Offer>,
    /// Names of symbolic links: what they offer is decided elsewhere.
    links: Vec<OsString>,
    /// The sum of a hash of each entry that can matter to a scan, so that their order does not.
    entries: u128,
}

/// Names of entries that matter to a scan, though they are no modules.
const DECIDING: [&str; 5] = [".gitignore", "pyvenv.cfg", "conda-meta", "bin", "pyproject.toml"];

impl Listing {
    /// Reads a directory. One that cannot be read offers nothing: Python could not import from it either.
    pub(crate) fn read(directory: &Path, version: (u8, u8)) -> Self {
        let mut listing = Self::default();
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            listing.add(directory, &entry.file_name(), kind, version);
        }
        listing
    }

    /// Whether a directory that was read at two times had the same entries, as far as they can matter to a scan.
    pub(crate) fn has_entries_of(&self, other: &Self) -> bool {
        self.entries == other.entries
    }

    pub(crate) fn links(&self) -> &[OsString] {
        &self.links
    }

    /// Takes in an entry of `directory`. Returns what it is in the end: `None` for a link that leads nowhere.
    pub(crate) fn add(
        &mut self,
        directory: &Path,
        name: &OsString,
        kind: FileType,
        version: (u8, u8),
    ) -> Option<FileType> {
        let is_link = kind.is_symlink();
        let kind = if is_link {
            self.links.push(name.clone());
            std::fs::metadata(directory.join(name)).ok().map(|metadata| metadata.file_type())
        } else {
            Some(kind)
        };
        self.note(name, is_link, kind, version);
        if let Some(kind) = kind {
            self.offer_as(name, kind, version);
        }
        kind
    }

    fn note(&mut self, name: &OsString, is_link: bool, kind: Option<FileType>, version: (u8, u8)) {
        let is_directory = kind.is_some_and(|kind| kind.is_dir());
        let matters = is_link
            || is_directory
            || name
                .to_str()
                .is_some_and(|name| DECIDING.contains(&name) || module_file(name, version).is_some());
        if matters {
            let traits = [is_link, kind.is_some(), is_directory, kind.is_some_and(|kind| kind.is_file())];
            let seed = traits.into_iter().fold(0, |bits, bit| bits << 1 | u64::from(bit));
            self.entries = self.entries.wrapping_add(xxh3_128_with_seed(name.as_encoded_bytes(), seed));
        }
    }

    fn offer_as(&mut self, name: &OsString, kind: FileType, version: (u8, u8)) {
        let Some(name) = name.to_str() else { return };
        let (stem, what) = if kind.is_dir() {
            (name, Offer::DIRECTORY)
        } else if let Some((stem, what)) = module_file(name, version) {
            (stem, what)
        } else {
            return;
        };
        match self.offers.get_mut(stem) {
            Some(offer) => offer.0 |= what.0,
            None => {
                self.offers.insert(stem.into(), what);
            }
        }
    }

    pub(crate) fn offer(&self, name: &str) -> Offer {
        self.offers.get(name).copied().unwrap_or_default()
    }

    pub(crate) fn holds_modules(&self) -> bool {
        self.offers.values().any(|offer| offer.has(Offer::FILE))
    }

    pub(crate) fn directories(&self) -> impl Iterator<Item = &str> {
        self.offers.iter().filter(|(_, offer)| offer.has(Offer::DIRECTORY)).map(|(name, _)| &**name)
    }
}

/// The module a file name stands for, and what kind of file it is.
pub(crate) fn module_file(name: &str, version: (u8, u8)) -> Option<(&str, Offer)> {
    if let Some(stem) = name.strip_suffix(".py") {
        return Some((stem, Offer::SOURCE));
    }
    if let Some(stem) = name.strip_suffix(".pyc") {
        return Some((stem, Offer::BYTECODE));
    }
    let (stem, tag) = match name.strip_suffix(".so").or_else(|| name.strip_suffix(".pyd"))?.split_once('.') {
        Some((stem, tag)) => (stem, tag),
        None => (name.rsplit_once('.')?.0, ""),
    };
    extension_tag_fits(tag, version).then_some((stem, Offer::EXTENSION))
}

/// Whether this version loads extension modules with that tag (PEP 3149; `importlib.machinery.EXTENSION_SUFFIXES`).
fn extension_tag_fits(tag: &str, (major, minor): (u8, u8)) -> bool {
    if tag.is_empty() || tag.starts_with("abi3") {
        return true;
    }
    let digits = format!("{major}{minor}");
    ["cpython-", "cp"].iter().any(|prefix| {
        tag.strip_prefix(prefix)
            .and_then(|rest| rest.strip_prefix(&digits))
            .is_some_and(|rest| !rest.starts_with(|letter: char| letter.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extension_modules_are_told_by_their_tags() {
        let so = |name| module_file(name, (3, 12)).map(|(stem, _)| stem);
        assert_eq!(so("a.cpython-312-x86_64-linux-gnu.so"), Some("a"));
        assert_eq!(so("a.abi3.so"), Some("a"));
        assert_eq!(so("a.so"), Some("a"));
        assert_eq!(so("a.cp312-win_amd64.pyd"), Some("a"));
        assert_eq!(so("a.cpython-311-x86_64-linux-gnu.so"), None);
        assert_eq!(so("a.cpython-3120-x86_64-linux-gnu.so"), None);
        assert_eq!(so("a.pyi"), None);
    }
}
