//! Where things lie in this repository.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The repository's folders that tasks read and write.
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    /// The workspace that this program was built from.
    pub(crate) fn find() -> Result<Self> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest.parent().context("xtask lies inside the workspace")?.to_path_buf();
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(directory) => root.join(directory),
            None => root.join("target"),
        };
        Ok(Self { root, target })
    }

    /// A path below the repository's top folder.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// The top folder itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The Python distribution: pyproject.toml, sources and tests.
    pub(crate) fn python_project(&self) -> PathBuf {
        self.path("crates/hr-py")
    }

    /// A file of pinned requirements.
    pub(crate) fn requirements(&self, name: &str) -> PathBuf {
        self.path("xtask/requirements").join(format!("{name}.txt"))
    }

    /// Where cargo builds.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// What tasks set up for themselves.
    pub(crate) fn state(&self) -> PathBuf {
        self.target.join("xtask")
    }

    /// Finished wheels that were built with a profile of cargo.
    pub(crate) fn wheels(&self, profile: &str) -> PathBuf {
        self.target.join("wheels").join(profile)
    }
}
