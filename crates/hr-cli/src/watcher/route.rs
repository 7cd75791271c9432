//! From the path of a directory to everything that decides where it leads.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// How many symbolic links a path may lead through, as in the kernel (`MAXSYMLINKS`).
const MOST_LINKS: u32 = 40;

/// Where a path leads at the moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Route {
    /// Directories and symbolic links on the way, the end included: if one of them is moved or removed, the path leads
    /// elsewhere. None of these paths leads through a symbolic link.
    pub(super) stages: Vec<PathBuf>,
    pub(super) end: End,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum End {
    /// To this directory.
    Directory(PathBuf),
    /// Nowhere, until this directory has another entry of this name.
    Missing(PathBuf, OsString),
    /// Nowhere at all: it is not absolute, or its links go round in circles.
    #[default]
    Nowhere,
}

impl Route {
    /// Where the absolute path `directory` leads.
    pub(super) fn of(directory: &Path) -> Self {
        let mut stages = Vec::new();
        let end = follow(directory, &mut stages).unwrap_or_default();
        Self { stages, end }
    }
}

fn follow(directory: &Path, stages: &mut Vec<PathBuf>) -> Option<End> {
    let mut at = PathBuf::from("/");
    let mut ahead: VecDeque<OsString> = names(directory).collect();
    let mut links = 0;
    if !directory.is_absolute() {
        return None;
    }
    while let Some(name) = ahead.pop_front() {
        if name == ".." {
            at.pop();
            continue;
        }
        let next = at.join(&name);
        let Ok(metadata) = fs::symlink_metadata(&next) else { return Some(End::Missing(at, name)) };
        if metadata.is_dir() {
            stages.push(next.clone());
            at = next;
        } else if metadata.is_symlink() {
            links += 1;
            let Ok(target) = fs::read_link(&next) else { return Some(End::Missing(at, name)) };
            if links > MOST_LINKS {
                return None;
            }
            stages.push(next);
            if target.is_absolute() {
                at = PathBuf::from("/");
            }
            names(&target).rev().for_each(|name| ahead.push_front(name));
        } else {
            return Some(End::Missing(at, name));
        }
    }
    Some(End::Directory(at))
}

fn names(path: &Path) -> impl DoubleEndedIterator<Item = OsString> {
    let name = |part: Component<'_>| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsStr::new("..").to_owned()),
        _ => None,
    };
    path.components().filter_map(name)
}
