//! Which names and paths count.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use thiserror::Error;

/// Directories that hold no sources, whatever else is in them.
const NEVER: [&str; 14] = [
    "__pycache__",
    ".git",
    ".hg",
    ".svn",
    ".jj",
    ".sl",
    ".bzr",
    "node_modules",
    ".venv",
    ".tox",
    ".nox",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
];

/// What the name of something ends in that can be imported or changes what can be.
const IMPORTABLE: [&[u8]; 6] = [b".py", b".pyc", b".so", b".pyd", b".pth", b".egg-link"];

/// What a directory's name ends in that describes an installed distribution.
const DISTRIBUTIONS: [&[u8]; 2] = [b".dist-info", b".egg-info"];

/// A glob that cannot be used.
#[derive(Debug, Error)]
pub(crate) enum BadGlob {
    #[error("`{glob}` is no pattern: {reason}")]
    Syntax { glob: String, reason: String },
    #[error("`{glob}` lies outside of {}, where nothing is matched", root.display())]
    Outside { glob: String, root: PathBuf },
}

/// What a path is to the globs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Match {
    /// It does not match.
    Not,
    /// It matches a pattern, and counts unless `.gitignore` says otherwise.
    Pattern,
    /// It is named, or lies in a directory that is named: it counts in any case.
    Named,
}

/// Globs of what else counts, written as in `.gitignore`, and of what never does.
///
/// A directory that a glob names before its first wildcard is looked into even if version control ignores it.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    watch: Gitignore,
    named: Gitignore,
    ignore: Gitignore,
    starts: Vec<PathBuf>,
}

impl Default for Selection {
    fn default() -> Self {
        let [watch, named, ignore] = [const { Gitignore::empty }; 3].map(|empty| empty());
        Self { watch, named, ignore, starts: Vec::new() }
    }
}

impl Selection {
    /// What matches one of `watch` and none of `ignore`. Both are relative to the absolute path `root`.
    pub(crate) fn new(root: &Path, watch: &[String], ignore: &[String]) -> Result<Self, BadGlob> {
        let watch = watch.iter().map(|glob| relative(root, glob)).collect::<Result<Vec<_>, _>>()?;
        let ignore = ignore.iter().map(|glob| relative(root, glob)).collect::<Result<Vec<_>, _>>()?;
        let named: Vec<_> = watch.iter().filter(|glob| !is_pattern(glob)).cloned().collect();
        let mut starts: Vec<_> =
            watch.iter().filter(|glob| !glob.starts_with('!')).map(|glob| start(glob)).collect();
        starts.sort_unstable();
        starts.dedup();
        Ok(Self { watch: matcher(&watch)?, named: matcher(&named)?, ignore: matcher(&ignore)?, starts })
    }

    /// Where what matches can lie: directories below the root (or files, where a pattern is the name of one).
    pub(crate) fn starts(&self) -> &[PathBuf] {
        &self.starts
    }

    /// What `path`, relative to the root, is to the globs.
    pub(crate) fn matches(&self, path: &Path, is_directory: bool) -> Match {
        if !is_below(path) || self.ignores(path, is_directory) {
            Match::Not
        } else if self.named.matched_path_or_any_parents(path, is_directory).is_ignore() {
            Match::Named
        } else if self.watch.matched_path_or_any_parents(path, is_directory).is_ignore() {
            Match::Pattern
        } else {
            Match::Not
        }
    }

    /// Whether the user wants to hear nothing of `path`, relative to the root.
    pub(crate) fn ignores(&self, path: &Path, is_directory: bool) -> bool {
        is_below(path) && self.ignore.matched_path_or_any_parents(path, is_directory).is_ignore()
    }
}

/// Whether a path can be matched at all.
fn is_below(path: &Path) -> bool {
    let mut components = path.components();
    path.components().next().is_some() && components.all(|part| matches!(part, Component::Normal(_)))
}

/// `glob` as it reads from `root`.
fn relative(root: &Path, glob: &str) -> Result<String, BadGlob> {
    let (negation, pattern) = glob.strip_prefix('!').map_or(("", glob), |rest| ("!", rest));
    // An absolute path into the project; otherwise, a leading slash means the project's root.
    let pattern = match root.to_str().and_then(|root| pattern.strip_prefix(root)) {
        Some(rest) if rest.starts_with('/') => rest,
        _ => pattern.strip_prefix("./").map_or(pattern, |_| &pattern[1..]),
    };
    if pattern.split('/').any(|part| part == "..") {
        return Err(BadGlob::Outside { glob: glob.to_owned(), root: root.to_owned() });
    }
    Ok(format!("{negation}{pattern}"))
}

fn matcher(globs: &[String]) -> Result<Gitignore, BadGlob> {
    // Paths are given relative to the root.
    let mut builder = GitignoreBuilder::new("");
    for glob in globs {
        let syntax = |error: ignore::Error| BadGlob::Syntax { glob: glob.clone(), reason: error.to_string() };
        builder.add_line(None, glob).map_err(syntax)?;
    }
    builder.build().map_err(|error| BadGlob::Syntax { glob: globs.join(" "), reason: error.to_string() })
}

fn is_pattern(glob: &str) -> bool {
    glob.contains(['*', '?', '[', '{', '\\']) || glob.starts_with('!')
}

/// The directory, or the file, that a glob names before its first wildcard. Without a slash it may be anywhere.
fn start(glob: &str) -> PathBuf {
    if !glob.trim_end_matches('/').contains('/') {
        return PathBuf::new();
    }
    let named = glob.split('/').filter(|part| !part.is_empty()).take_while(|part| !is_pattern(part));
    named.collect()
}

/// Whether a directory of this name never holds what counts.
pub(super) fn never_holds(name: &OsStr) -> bool {
    NEVER.iter().any(|never| name == *never)
}

/// Whether an editor or a tool keeps such a file only for itself.
pub(super) fn is_passing(name: &OsStr) -> bool {
    let name = name.as_bytes();
    let starts = |start: &[u8]| name.starts_with(start);
    let ends = |end: &[u8]| name.ends_with(end);
    let swap = |name: &[u8]| {
        matches!(name, [.., b'.', b's', b'w', b'a'..=b'z'])
            || matches!(name, [.., b'.', b's', b'v', b'a'..=b'z'])
    };
    ends(b"~")
        || (starts(b"#") && ends(b"#"))
        || starts(b".#")
        || (starts(b".") && swap(name)) // Vim
        || (!name.is_empty() && name.iter().all(u8::is_ascii_digit)) // Vim asks whether it may create files: 4913
        || ends(b"___jb_tmp___")
        || ends(b"___jb_old___")
        || ends(b".tmp")
        || name.windows(5).any(|part| part == b".tmp.")
        || ends(b".kate-swp")
        || starts(b".goutputstream-")
        || starts(b".nfs") // removed while open
        || starts(b".fuse_hidden")
        || name == b".DS_Store"
}

/// Whether something of this name can change what Python finds in a directory.
pub(super) fn is_importable(name: &OsStr, is_directory: bool) -> bool {
    let name = name.as_bytes();
    if !is_directory {
        return IMPORTABLE.iter().any(|end| name.ends_with(end));
    }
    let package = !name.contains(&b'.') && !name.contains(&b'-');
    (package && name != b"__pycache__" && name != b"node_modules")
        || DISTRIBUTIONS.iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn selection(watch: &[&str], ignore: &[&str]) -> Selection {
        let owned = |globs: &[&str]| globs.iter().map(|glob| (*glob).to_owned()).collect::<Vec<_>>();
        Selection::new(Path::new("/home/me/project"), &owned(watch), &owned(ignore)).unwrap()
    }

    #[test]
    fn globs_read_as_in_gitignore() {
        let selection = selection(
            &["*.html", ".env", "/conf/*.yaml", "static/", "build/out", "/home/me/project/absolute.txt"],
            &["drafts/", "*.min.html"],
        );
        let matches = |path: &str| selection.matches(Path::new(path), false);
        for pattern in ["a.html", "web/templates/a.html", "conf/a.yaml"] {
            assert_eq!(matches(pattern), Match::Pattern, "{pattern}");
        }
        for named in [".env", "web/.env", "static/a/b.css", "build/out/x/y", "absolute.txt"] {
            assert_eq!(matches(named), Match::Named, "{named}");
        }
        for other in ["a.py", "web/conf/a.yaml", "drafts/a.html", "a.min.html", "", "../a.html", "/a.html"] {
            assert_eq!(matches(other), Match::Not, "{other}");
        }
        let starts = ["", "absolute.txt", "build/out", "conf"].map(PathBuf::from);
        assert_eq!(selection.starts(), starts);
    }

    #[test]
    fn what_cannot_match_is_an_error() {
        let root = Path::new("/home/me/project");
        let error = |glob: &str| Selection::new(root, &[glob.to_owned()], &[]).unwrap_err().to_string();
        assert!(error("[z-a]").starts_with("`[z-a]` is no pattern: "), "{}", error("[z-a]"));
        assert_eq!(
            error("../shared/*.yaml"),
            "`../shared/*.yaml` lies outside of /home/me/project, where nothing is matched"
        );
    }

    proptest! {
        /// Whatever is ignored does not match, and whatever matches lies below where it is looked for.
        #[test]
        fn what_matches_is_where_it_is_looked_for(
            watch in prop::collection::vec("/?[ab*]{1,2}(/[ab*]{1,2}){0,3}/?", 1..4),
            ignore in prop::collection::vec("[ab]{1,2}(/[ab*]){0,2}", 0..2),
            path in "[ab]{1,2}(/[ab]{1,2}){0,4}",
        ) {
            let selection = Selection::new(Path::new("/root"), &watch, &ignore).unwrap();
            let path = Path::new(&path);
            let matched = selection.matches(path, false);
            if matched != Match::Not {
                prop_assert!(!selection.ignores(path, false));
                prop_assert!(selection.starts().iter().any(|start| path.starts_with(start)));
            }
            let everything = Selection::new(Path::new("/root"), &watch, &["**".to_owned()]).unwrap();
            prop_assert_eq!(everything.matches(path, false), Match::Not);
        }

        /// Nobody can import a file that is taken for an editor's, but by a name that no module has.
        #[test]
        fn modules_are_not_taken_for_what_passes(name in "[a-zA-Z_][a-zA-Z0-9_]{0,12}") {
            let file = format!("{name}.py");
            prop_assert!(!is_passing(OsStr::new(&file)));
            prop_assert!(is_importable(OsStr::new(&file), false));
        }
    }

    #[test]
    fn what_editors_keep_for_themselves_passes() {
        for name in [
            ".views.py.swp",
            ".views.py.swx",
            "4913",
            "5036",
            "views.py~",
            "#views.py#",
            ".#views.py",
            "views.py___jb_tmp___",
            "views.py___jb_old___",
            "views.py.tmp.4711.1763849234",
            "views.tmp",
            ".goutputstream-X1Y2Z3",
        ] {
            assert!(is_passing(OsStr::new(name)), "{name}");
        }
        for name in [".env", "views.py", "__init__.py", "2fa.html", ".gitignore", "tmp.py"] {
            assert!(!is_passing(OsStr::new(name)), "{name}");
        }
    }
}
