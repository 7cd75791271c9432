//! Virtual environments below `target/xtask`, each made once and remade when what it was made from changes.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::fingerprint::{self, Fingerprint};
use crate::process;
use crate::progress::Progress;
use crate::python::Python;
use crate::workspace::Workspace;

/// A virtual environment with all of its requirements installed.
pub(crate) struct Environment {
    folder: PathBuf,
    title: String,
    minor_version: String,
}

impl Environment {
    /// Makes the environment called `purpose` for one interpreter, unless it stands already.
    pub(crate) fn ensure(
        workspace: &Workspace,
        progress: &Progress,
        python: &Python,
        purpose: &str,
        requirements: &[PathBuf],
    ) -> Result<Self> {
        let state = workspace.state();
        fs::create_dir_all(&state).with_context(|| format!("cannot create {}", state.display()))?;
        let folder = state.join(format!("{purpose}-{}", python.minor_version()));
        let title = format!("{purpose} environment for python {}", python.version);
        let environment = Self { folder, title, minor_version: python.minor_version() };
        let wanted = wanted(python, requirements)?;
        let stamp = environment.folder.join("environment.stamp");
        if !fingerprint::is_current(&stamp, &wanted) {
            progress.step(&environment.title, || {
                let _lock = lock(&environment.folder)?;
                // Somebody else may have made it meanwhile.
                if fingerprint::is_current(&stamp, &wanted) {
                    return Ok(());
                }
                environment.make(python, requirements)?;
                fingerprint::store(&stamp, &wanted)
            })?;
        }
        Ok(environment)
    }

    /// Installs a wheel that was built here, unless that very file is installed already.
    pub(crate) fn install_wheel(&self, progress: &Progress, wheel: &Path) -> Result<()> {
        let mut fingerprint = Fingerprint::default();
        fingerprint.add_file(wheel)?;
        let wanted = fingerprint.finish();
        let stamp = self.folder.join("wheel.stamp");
        if fingerprint::is_current(&stamp, &wanted) {
            return Ok(());
        }
        progress.step(&format!("wheel into {}", self.title), || {
            // The version number stays the same between two builds, so a plain install would keep the old one.
            process::quiet(self.pip().args(["uninstall", "--yes", "--quiet", "hotreload"]))?;
            process::quiet(self.pip().args(["install", "--quiet"]).arg(wheel))
        })?;
        fingerprint::store(&stamp, &wanted)
    }

    /// The environment's interpreter.
    pub(crate) fn python(&self) -> PathBuf {
        self.program("python")
    }

    /// Where the environment lies.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where its packages lie.
    pub(crate) fn site_packages(&self) -> PathBuf {
        self.folder.join("lib").join(format!("python{}", self.minor_version)).join("site-packages")
    }

    /// A program that the environment installed.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.folder.join("bin").join(name)
    }

    /// The environment's pip, ready for a subcommand.
    pub(crate) fn pip(&self) -> Command {
        let mut command = Command::new(self.python());
        command.args(["-m", "pip", "--disable-pip-version-check"]);
        command
    }

    fn make(&self, python: &Python, requirements: &[PathBuf]) -> Result<()> {
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder)
                .with_context(|| format!("cannot remove {}", self.folder.display()))?;
        }
        process::quiet(Command::new(&python.executable).args(["-m", "venv"]).arg(&self.folder))?;
        if requirements.is_empty() {
            return Ok(()); // which pip refuses to install
        }
        let mut install = self.pip();
        install.args(["install", "--quiet"]);
        for file in requirements {
            install.arg("--requirement").arg(file);
        }
        process::quiet(&mut install).map(drop)
    }
}

/// Keeps two tasks, or two threads of one, from making the same environment. The lock lies beside it, since the
/// environment is removed before it is made.
fn lock(environment: &Path) -> Result<File> {
    let path = environment.with_added_extension("lock");
    let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
    file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}

/// What an environment is made from.
fn wanted(python: &Python, requirements: &[PathBuf]) -> Result<String> {
    let mut fingerprint = Fingerprint::default();
    fingerprint.add_text(&python.executable.to_string_lossy());
    fingerprint.add_text(&python.version.to_string());
    for file in requirements {
        fingerprint.add_text(&file.to_string_lossy());
        fingerprint.add_file(file)?;
    }
    Ok(fingerprint.finish())
}
