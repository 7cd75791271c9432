//! What a directory offers to an import, read once.

use std::ffi::OsString;
use std::fs::FileType;
use std::path::Path;

use rustc_hash::FxHashMap;

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
}

impl Listing {
    /// Reads a directory. One that cannot be read offers nothing: Python could not import from it either.
    pub(crate) fn read(directory: &Path, version: (u8, u8)) -> Self {
        let mut listing = Self::default();
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let Ok(mut kind) = entry.file_type() else { continue };
            if kind.is_symlink() {
                listing.add_link(entry.file_name());
                let Ok(metadata) = std::fs::metadata(entry.path()) else { continue };
                kind = metadata.file_type();
            }
            listing.add(&entry.file_name(), kind, version);
        }
        listing
    }

    pub(crate) fn add_link(&mut self, name: OsString) {
        self.links.push(name);
    }

    pub(crate) fn links(&self) -> &[OsString] {
        &self.links
    }

    pub(crate) fn add(&mut self, name: &OsString, kind: FileType, version: (u8, u8)) {
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
