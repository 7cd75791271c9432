//! The Pythons of this machine: CPython 3.10 to 3.14, one of each minor version.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::progress::Progress;

/// Minor versions of Python 3 that the wheel supports.
pub(crate) const SUPPORTED: std::ops::RangeInclusive<u32> = 10..=14;

/// Tests that pass in one interpreter alone say little about a wheel for five.
const NEEDED: usize = 2;

/// Prints what decides whether an interpreter is of use, one item a line.
const PROBE: &str = "\
import importlib.util, platform, sys, sysconfig
print(platform.python_implementation())
print(*sys.version_info[:3], sep='.')
print(sys.version_info.releaselevel)
print(int(bool(sysconfig.get_config_var('Py_GIL_DISABLED'))))
print(int(all(importlib.util.find_spec(name) for name in ('venv', 'ensurepip'))))
print(getattr(sys, '_base_executable', None) or sys.executable)
";

/// A CPython that can make virtual environments.
#[derive(Clone, Debug)]
pub(crate) struct Python {
    pub(crate) executable: PathBuf,
    pub(crate) version: Version,
}

impl Python {
    /// `3.12`, as in the name of the executable.
    pub(crate) fn minor_version(&self) -> String {
        format!("3.{}", self.version.minor)
    }
}

/// A version of Python 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    pub(crate) minor: u32,
    pub(crate) patch: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "3.{}.{}", self.minor, self.patch)
    }
}

/// What one executable turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Probed {
    Usable { version: Version, executable: PathBuf },
    WithoutVenv { version: Version, executable: PathBuf },
    Unsuitable,
}

/// Finds one interpreter of each supported minor version, oldest first, and says which there are.
pub(crate) fn discover(progress: &Progress) -> Result<Vec<Python>> {
    let probed = probe_all(&candidates());
    let chosen = choose(&probed);
    for entry in &probed {
        if let Probed::WithoutVenv { version, executable } = entry
            && !chosen.iter().any(|python| python.version.minor == version.minor)
        {
            progress.note(&format!(
                "python {version} at {} skipped: it lacks venv or ensurepip (on Debian and Ubuntu: python3.{}-venv)",
                executable.display(),
                version.minor
            ));
        }
    }
    progress.note(&summary(&chosen));
    if chosen.is_empty() {
        bail!(
            "no CPython from 3.10 to 3.14 found\nhint: install one with its venv module, for example `apt install python3-venv` or `uv python install 3.13`"
        )
    }
    Ok(chosen)
}

/// The interpreters that tests run in, limited to one minor version on request.
pub(crate) fn for_tests(progress: &Progress, only: Option<&str>) -> Result<Vec<Python>> {
    let found = discover(progress)?;
    if let Some(wanted) = only {
        let matching: Vec<_> = found.into_iter().filter(|python| python.minor_version() == wanted).collect();
        if matching.is_empty() {
            bail!("CPython {wanted} was asked for and not found");
        }
        return Ok(matching);
    }
    if found.len() < NEEDED {
        bail!(
            "tests need at least {NEEDED} minor versions of CPython from 3.10 to 3.14, and only {} was found\nhint: install another, for example `uv python install 3.13` or `pyenv install 3.13`, or name one with --python",
            found[0].version
        );
    }
    Ok(found)
}

fn summary(chosen: &[Python]) -> String {
    let versions: Vec<_> = chosen.iter().map(|python| python.version.to_string()).collect();
    let missing: Vec<_> = SUPPORTED
        .filter(|minor| !chosen.iter().any(|python| python.version.minor == *minor))
        .map(|minor| format!("3.{minor}"))
        .collect();
    let found = if versions.is_empty() { "none".to_owned() } else { versions.join(", ") };
    if missing.is_empty() {
        format!("python {found}")
    } else {
        format!("python {found} (not found, skipped: {})", missing.join(", "))
    }
}

/// The newest patch release of each minor version; among equals, the one found first.
fn choose(probed: &[Probed]) -> Vec<Python> {
    let mut chosen: BTreeMap<u32, Python> = BTreeMap::new();
    for entry in probed {
        let Probed::Usable { version, executable } = entry else { continue };
        let better = chosen.get(&version.minor).is_none_or(|present| present.version < *version);
        if better {
            chosen.insert(version.minor, Python { executable: executable.clone(), version: *version });
        }
    }
    chosen.into_values().collect()
}

/// Executables that may be a supported Python, without duplicates.
fn candidates() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    folders.extend(["/usr/local/bin", "/usr/bin"].map(PathBuf::from));
    folders.extend(version_managers().iter().flat_map(|versions| installations(versions)));
    let mut found: Vec<PathBuf> = Vec::new();
    for folder in folders {
        for name in SUPPORTED.rev().map(|minor| format!("python3.{minor}")).chain(["python3".to_owned()]) {
            let path = folder.join(name);
            if path.is_file() && !found.contains(&path) {
                found.push(path);
            }
        }
    }
    found
}

/// Folders in which version managers keep one folder per interpreter.
fn version_managers() -> Vec<PathBuf> {
    let home = std::env::home_dir().unwrap_or_default();
    let data = std::env::var_os("XDG_DATA_HOME").map_or_else(|| home.join(".local/share"), PathBuf::from);
    let place = |variable: &str, default: PathBuf| std::env::var_os(variable).map_or(default, PathBuf::from);
    vec![
        place("PYENV_ROOT", home.join(".pyenv")).join("versions"),
        place("UV_PYTHON_INSTALL_DIR", data.join("uv/python")),
        place("PIPX_HOME", data.join("pipx")).join("py"),
    ]
}

fn installations(versions: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(versions) else { return Vec::new() };
    let mut folders: Vec<_> = entries.flatten().map(|entry| entry.path().join("bin")).collect();
    folders.sort();
    folders
}

/// Probes at once: shims of version managers take their time.
fn probe_all(candidates: &[PathBuf]) -> Vec<Probed> {
    std::thread::scope(|scope| {
        let probes: Vec<_> = candidates.iter().map(|path| scope.spawn(|| probe(path))).collect();
        probes.into_iter().map(|probe| probe.join().unwrap_or(Probed::Unsuitable)).collect()
    })
}

/// Runs an executable to learn what it is. Shims of version managers exist and fail; those are unsuitable.
fn probe(path: &Path) -> Probed {
    let output = Command::new(path)
        .args(["-I", "-c", PROBE])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .env_remove("PYTHONHOME")
        .output();
    match output {
        Ok(output) if output.status.success() => read_probe(&String::from_utf8_lossy(&output.stdout), path),
        _ => Probed::Unsuitable,
    }
}

fn read_probe(answer: &str, path: &Path) -> Probed {
    let lines: Vec<_> = answer.lines().collect();
    let ["CPython", version, "final", "0", has_venv, executable] = lines[..] else {
        return Probed::Unsuitable;
    };
    let Some(version) = read_version(version) else { return Probed::Unsuitable };
    if !SUPPORTED.contains(&version.minor) {
        return Probed::Unsuitable;
    }
    let executable = Path::new(executable);
    let executable =
        if executable.as_os_str() == OsStr::new("None") { path } else { executable }.to_path_buf();
    if has_venv == "1" {
        Probed::Usable { version, executable }
    } else {
        Probed::WithoutVenv { version, executable }
    }
}

fn read_version(text: &str) -> Option<Version> {
    let (major, rest) = text.split_once('.')?;
    let (minor, patch) = rest.split_once('.')?;
    (major == "3").then_some(Version { minor: minor.parse().ok()?, patch: patch.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usable(minor: u32, patch: u32, executable: &str) -> Probed {
        Probed::Usable { version: Version { minor, patch }, executable: executable.into() }
    }

    #[test]
    fn only_released_cpython_with_a_gil_is_usable() {
        let read = |answer: &str| read_probe(answer, Path::new("/p"));
        assert_eq!(read("CPython\n3.12.1\nfinal\n0\n1\n/x/python3.12\n"), usable(12, 1, "/x/python3.12"));
        for unsuitable in [
            "PyPy\n3.10.14\nfinal\n0\n1\n/x\n",
            "CPython\n3.9.18\nfinal\n0\n1\n/x\n",
            "CPython\n3.14.0\nalpha\n0\n1\n/x\n",
            "CPython\n3.13.0\nfinal\n1\n1\n/x\n",
            "",
        ] {
            assert_eq!(read(unsuitable), Probed::Unsuitable, "{unsuitable:?}");
        }
        let bare = Version { minor: 11, patch: 2 };
        assert_eq!(
            read("CPython\n3.11.2\nfinal\n0\n0\n/usr/bin/python3\n"),
            Probed::WithoutVenv { version: bare, executable: "/usr/bin/python3".into() }
        );
    }

    #[test]
    fn the_newest_patch_release_of_each_minor_version_is_chosen_and_the_gaps_are_named() {
        let chosen =
            choose(&[usable(13, 0, "/a"), usable(10, 2, "/b"), usable(10, 13, "/c"), usable(13, 0, "/d")]);
        let paths: Vec<_> = chosen.iter().map(|python| python.executable.to_str()).collect();
        assert_eq!(paths, [Some("/c"), Some("/a")]);
        assert_eq!(summary(&chosen), "python 3.10.13, 3.13.0 (not found, skipped: 3.11, 3.12, 3.14)");
    }
}
