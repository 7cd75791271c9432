//! Which directories to listen to, and what it means if something happens there.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use super::route::{End, Route};
use super::scope::Scopes;
use super::version_control::Operations;

/// What a directory (or a link to one) is listened to for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Meaning {
    /// Its entries are those of this wanted directory.
    Entries(PathBuf),
    /// It is on the way to others, which are elsewhere if it is moved.
    Stage,
    /// The directory `wanted`, or what leads to a file of it, may appear under this name.
    Awaited { name: OsString, wanted: PathBuf },
    /// Its entry `name` is what the link `file` leads to.
    Target { name: OsString, file: PathBuf },
    /// What appears or goes under this name tells that version control is at work.
    Operation(OsString),
}

/// What to listen to, by paths that lead through no links.
pub(super) type Plan = BTreeMap<PathBuf, BTreeSet<Meaning>>;

/// What must be listened to, as the file system is at the moment, to hear of what counts.
pub(super) fn plan(scopes: &Scopes, operations: &Operations) -> Plan {
    let mut plan = Plan::new();
    for (directory, scope) in scopes.iter() {
        let end = go(&mut plan, directory, directory, &Meaning::Entries(directory.clone()));
        let Some(real) = end else { continue };
        for name in &scope.files {
            follow(&mut plan, &real.join(name), &directory.join(name));
        }
    }
    for sign in operations.signs() {
        if let (Some(directory), Some(name)) = (sign.parent(), sign.file_name())
            && let Ok(real) = directory.canonicalize()
        {
            plan.entry(real).or_default().insert(Meaning::Operation(name.to_owned()));
        }
    }
    plan
}

/// Directories of which something could be missed if the directory that is listened to for `meanings` told nothing.
pub(super) fn deaf<'a>(meanings: impl IntoIterator<Item = &'a Meaning>) -> BTreeSet<PathBuf> {
    let directory = |meaning: &'a Meaning| match meaning {
        Meaning::Entries(directory) | Meaning::Awaited { wanted: directory, .. } => Some(directory.clone()),
        Meaning::Target { file, .. } => file.parent().map(Path::to_owned),
        Meaning::Stage | Meaning::Operation(_) => None,
    };
    meanings.into_iter().filter_map(directory).collect()
}

/// Adds the way to `directory`, and its end under this meaning, for the sake of `wanted`. Says where the end is.
fn go(plan: &mut Plan, directory: &Path, wanted: &Path, meaning: &Meaning) -> Option<PathBuf> {
    let route = Route::of(directory);
    for stage in route.stages {
        plan.entry(stage).or_default().insert(Meaning::Stage);
    }
    match route.end {
        End::Directory(real) => {
            plan.entry(real.clone()).or_default().insert(meaning.clone());
            Some(real)
        }
        End::Missing(at, name) => {
            plan.entry(at).or_default().insert(Meaning::Awaited { name, wanted: wanted.to_owned() });
            None
        }
        End::Nowhere => None,
    }
}

/// If `at` is a link, adds what it leads to, as something that means `file`.
fn follow(plan: &mut Plan, at: &Path, file: &Path) {
    let mut at = at.to_owned();
    // As many as the kernel follows.
    for _ in 0..40 {
        let Ok(target) = fs::read_link(&at) else { return };
        let Some(target) = at.parent().map(|directory| directory.join(target)) else { return };
        let (Some(directory), Some(name)) = (target.parent(), target.file_name().map(OsStr::to_owned)) else {
            return;
        };
        let meaning = Meaning::Target { name: name.clone(), file: file.to_owned() };
        let Some(wanted) = file.parent() else { return };
        let Some(real) = go(plan, directory, wanted, &meaning) else { return };
        at = real.join(name);
    }
}
