//! What the import of a module may depend on, in short: if it is the same, a module that failed would fail again.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use hr_forkserver::protocol::TargetInterpreter;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3Default;

use crate::supervisor::stamp::stamp_of;

/// Beginnings of the names of variables that differ from shell to shell and mean nothing to a library's import.
const PASSING: [&[u8]; 14] = [
    b"COLUMNS",
    b"DBUS_",
    b"DISPLAY",
    b"LINES",
    b"OLDPWD",
    b"PWD",
    b"PYTEST_",
    b"SHLVL",
    b"SSH_",
    b"STY",
    b"TERM",
    b"TMUX",
    b"WINDOWID",
    b"XDG_SESSION_",
];

/// A digest of circumstances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Circumstances(u64);

impl Circumstances {
    #[cfg(test)]
    pub(crate) fn numbered(number: u64) -> Self {
        Self(number)
    }
}

/// What is the same for all modules: interpreter, environment, search path, and which distributions are installed.
#[derive(Default)]
pub(crate) struct Surroundings {
    sys_path: Vec<Directory>,
    /// Modules whose effects are tolerated.
    forced: BTreeSet<String>,
    digest: Xxh3Default,
}

/// A directory, and the names in it, sorted.
struct Directory {
    path: PathBuf,
    names: Vec<OsString>,
}

impl Directory {
    fn read(path: PathBuf) -> Self {
        let entries = fs::read_dir(&path).into_iter().flatten().flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.file_name()).collect();
        names.sort_unstable();
        Self { path, names }
    }

    /// The installed distributions, by name and version.
    fn distributions(&self) -> impl Iterator<Item = &OsString> {
        self.names.iter().filter(|name| {
            name.as_bytes().ends_with(b".dist-info") || name.as_bytes().ends_with(b".egg-info")
        })
    }

    /// The files as which a module may be found here.
    fn files_named(&self, module: &str) -> Vec<PathBuf> {
        let start = self.names.partition_point(|name| name.as_bytes() < module.as_bytes());
        let after =
            self.names[start..].iter().take_while(|name| name.as_bytes().starts_with(module.as_bytes()));
        let found = after.filter_map(|name| match &name.as_bytes()[module.len()..] {
            [] => Some(self.path.join(name).join("__init__.py")).filter(|file| file.exists()),
            [b'.', ..] => Some(self.path.join(name)),
            _ => None,
        });
        found.collect()
    }
}

impl Surroundings {
    /// What `interpreter` finds now. What `forced` modules do is tolerated, as long as it takes less than `import_limit`.
    pub(crate) fn of(
        interpreter: &TargetInterpreter,
        import_limit: Duration,
        forced: BTreeSet<String>,
    ) -> Self {
        let mut digest = Xxh3Default::new();
        let mut take = |bytes: &[u8]| {
            digest.update(&bytes.len().to_le_bytes());
            digest.update(bytes);
        };
        take(env!("CARGO_PKG_VERSION").as_bytes());
        take(&import_limit.as_nanos().to_le_bytes());
        take(interpreter.executable.as_bytes());
        take(&[interpreter.version.0, interpreter.version.1]);
        for option in &interpreter.options {
            take(option.as_bytes());
        }
        let mut environment: Vec<_> = interpreter.environment.iter().collect();
        environment.sort_unstable();
        for (name, value) in environment {
            let name = name.as_bytes();
            if name != b"_" && !PASSING.iter().any(|beginning| name.starts_with(beginning)) {
                take(name);
                take(value.as_bytes());
            }
        }
        let sys_path: Vec<_> =
            interpreter.sys_path.iter().map(|path| Directory::read(PathBuf::from(path))).collect();
        for directory in &sys_path {
            take(directory.path.as_os_str().as_bytes());
            for distribution in directory.distributions() {
                take(distribution.as_bytes());
            }
        }
        Self { sys_path, forced, digest }
    }

    /// The circumstances in which `module` would be imported: these, and its own files.
    pub(crate) fn of_module(&self, module: &str) -> Circumstances {
        let mut digest = self.digest.clone();
        digest.update(&[u8::from(self.forced.contains(module))]);
        for file in self.files(module) {
            digest.update(file.as_os_str().as_bytes());
            if let Some(stamp) = stamp_of(file.as_os_str()) {
                for number in [stamp.modified, stamp.changed] {
                    digest.update(&number.to_le_bytes());
                }
                for number in [stamp.size, stamp.inode, stamp.device] {
                    digest.update(&number.to_le_bytes());
                }
            }
        }
        Circumstances(digest.digest())
    }

    /// The files of a module and of the packages that it lies in.
    fn files(&self, module: &str) -> Vec<PathBuf> {
        let mut parts = module.split('.');
        let Some(top) = parts.next() else { return Vec::new() };
        let found = self.sys_path.iter().map(|directory| (directory, directory.files_named(top)));
        let Some((directory, mut files)) = found.into_iter().find(|(_, files)| !files.is_empty()) else {
            return Vec::new();
        };
        let mut package = directory.path.join(top);
        for part in parts {
            files.extend(Directory::read(package.clone()).files_named(part));
            package.push(part);
        }
        files
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn interpreter(sys_path: &Path, environment: &[(&str, &str)]) -> TargetInterpreter {
        TargetInterpreter {
            executable: "/usr/bin/python3".into(),
            options: Vec::new(),
            version: (3, 12),
            platform: "linux".to_owned(),
            argv: Vec::new(),
            sys_path: vec![sys_path.into()],
            stdlib: Vec::new(),
            builtins: Vec::new(),
            environment: environment.iter().map(|(name, value)| (name.into(), value.into())).collect(),
            package_directory: OsString::new(),
        }
    }

    #[test]
    fn circumstances_change_with_the_modules_files_what_is_installed_and_the_environment() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("package/inner")).unwrap();
        for file in ["package/__init__.py", "package/inner/__init__.py", "package/inner/part.py", "other.py"]
        {
            fs::write(root.path().join(file), "").unwrap();
        }
        let with = |environment: &[(&str, &str)]| {
            Surroundings::of(&interpreter(root.path(), environment), Duration::MAX, BTreeSet::new())
                .of_module("package.inner.part")
        };
        let now = || with(&[("SETTINGS", "a"), ("PWD", "/here")]);
        let first = now();
        assert_eq!(with(&[("PWD", "/there"), ("SETTINGS", "a")]), first, "this tells nothing");
        assert_ne!(with(&[("SETTINGS", "b"), ("PWD", "/here")]), first);

        fs::write(root.path().join("other.py"), "import os").unwrap();
        fs::create_dir(root.path().join("package/__pycache__")).unwrap();
        assert_eq!(now(), first, "these are not files of the module");
        fs::write(root.path().join("package/inner/part.py"), "import os").unwrap();
        let edited = now();
        assert_ne!(edited, first);
        fs::create_dir(root.path().join("library-2.0.dist-info")).unwrap();
        assert_ne!(now(), edited);
    }
}
