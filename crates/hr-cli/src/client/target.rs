//! The interpreter that templates are started with, described for a supervisor.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use hr_forkserver::protocol::TargetInterpreter;
use hr_graph::Interpreter;
use thiserror::Error;

/// The compiled part of the package; one file serves `CPython` 3.10 and later.
const NATIVE_MODULE: &str = "hotreload/_native.abi3.so";

/// There is no package for an interpreter.
#[derive(Debug, Error)]
#[error("the hotreload package is neither installed for {} nor beside {}", python.display(), program.display())]
pub(crate) struct NoPackage {
    python: PathBuf,
    program: PathBuf,
}

impl NoPackage {
    /// What to do about it.
    pub(crate) fn hint(&self) -> String {
        format!("hint: {} -m pip install hotreload", self.python.display())
    }
}

/// The directory that holds the `hotreload` package: the one installed for `interpreter`, else the one that the running
/// program was installed with.
fn package_directory(interpreter: &Interpreter) -> Result<PathBuf, NoPackage> {
    let program = env::current_exe().unwrap_or_default();
    let mut places = interpreter.sys_path.iter().cloned().chain(beside(&program));
    places
        .find(|directory| directory.join(NATIVE_MODULE).is_file())
        .ok_or_else(|| NoPackage { python: interpreter.executable.clone(), program })
}

/// Where a wheel puts packages when it puts a program into `…/bin`: `…/lib/python3.*/site-packages`, or with
/// `pip install --target` the directory above.
fn beside(program: &Path) -> Vec<PathBuf> {
    let Some(prefix) = program.parent().and_then(Path::parent) else { return Vec::new() };
    let versions = std::fs::read_dir(prefix.join("lib")).into_iter().flatten().flatten();
    let mut places: Vec<PathBuf> = versions
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("python3"))
        .map(|entry| entry.path().join("site-packages"))
        .collect();
    places.sort();
    places.push(prefix.to_owned());
    places
}

/// `interpreter` as this command's environment would start it, seeming to have been started with `argv`.
pub(crate) fn target_interpreter(
    interpreter: &Interpreter,
    argv: Vec<OsString>,
) -> Result<TargetInterpreter, NoPackage> {
    Ok(TargetInterpreter {
        executable: interpreter.executable.clone().into(),
        // Whoever types `python` gives none; variables of the environment say the rest.
        options: Vec::new(),
        version: interpreter.version,
        platform: interpreter.platform.clone(),
        argv,
        sys_path: interpreter.sys_path.iter().map(Into::into).collect(),
        stdlib: interpreter.stdlib.iter().cloned().collect(),
        builtins: interpreter.builtins.iter().cloned().collect(),
        environment: env::vars_os().collect(),
        package_directory: package_directory(interpreter)?.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_is_looked_for_where_a_wheel_puts_it() {
        let prefix = tempfile::tempdir().unwrap();
        let packages = prefix.path().join("lib/python3.12/site-packages");
        std::fs::create_dir_all(&packages).unwrap();
        std::fs::create_dir_all(prefix.path().join("lib/node")).unwrap();
        let places = beside(&prefix.path().join("bin/hr"));
        assert_eq!(places, [packages, prefix.path().to_owned()]);
    }
}
