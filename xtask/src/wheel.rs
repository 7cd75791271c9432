//! Builds the wheel: the `hr` binary, then the extension module and the Python package around it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cargo::cargo;
use crate::environment::Environment;
use crate::fingerprint::{self, Fingerprint};
use crate::process;
use crate::progress::Progress;
use crate::python::{self, Python};
use crate::workspace::Workspace;

/// Folders below `crates/` whose contents never reach the wheel. `data` is where the binary is put on the way.
const NOT_IN_WHEEL: [&str; 7] =
    ["tests", "benches", "examples", "data", "__pycache__", ".mypy_cache", ".ruff_cache"];

/// How a wheel is optimized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Optimized {
    /// As it is published, and measured.
    Fully,
    /// As `cargo test` builds, whose libraries it shares: for tests. It checks its arithmetic and its assertions as well.
    Quickly,
}

impl Optimized {
    /// The profile of cargo.
    fn profile(self) -> &'static str {
        match self {
            Self::Fully => "release",
            Self::Quickly => "dev",
        }
    }

    /// Where cargo puts what it builds with that profile.
    fn folder(self) -> &'static str {
        match self {
            Self::Fully => "release",
            Self::Quickly => "debug",
        }
    }
}

/// `cargo xtask wheel`
pub(crate) fn run(workspace: &Workspace, progress: &Progress) -> Result<()> {
    let pythons = python::discover(progress)?;
    let wheel = build(workspace, progress, &pythons, Optimized::Fully)?;
    progress.note(&format!("wheel {}", wheel.display()));
    Ok(())
}

/// Builds the wheel unless it stands already, and returns its path. One abi3 wheel serves every interpreter.
pub(crate) fn build(
    workspace: &Workspace,
    progress: &Progress,
    pythons: &[Python],
    optimized: Optimized,
) -> Result<PathBuf> {
    let profile = optimized.profile();
    let newest = pythons.last().context("at least one Python is needed to build the wheel")?;
    let stamp = workspace.wheels(profile).join("wheel.stamp");
    let wanted = inputs(workspace)?;
    if fingerprint::is_current(&stamp, &wanted)
        && let Ok(wheel) = the_wheel(workspace, profile)
    {
        return Ok(wheel);
    }
    let tools = environment(workspace, progress, newest)?;
    progress.step(&format!("hr, {profile} build"), || build_binary(workspace, optimized))?;
    progress.step("wheel", || build_wheel(workspace, &tools, profile))?;
    let wheel = the_wheel(workspace, profile)?;
    fingerprint::store(&stamp, &wanted)?;
    Ok(wheel)
}

/// The environment of what builds wheels.
pub(crate) fn environment(
    workspace: &Workspace,
    progress: &Progress,
    python: &Python,
) -> Result<Environment> {
    Environment::ensure(workspace, progress, python, "build", &[workspace.requirements("build")])
}

/// Everything the wheel is made from. No Python is: the module is built for the stable ABI without asking any.
fn inputs(workspace: &Workspace) -> Result<String> {
    let mut fingerprint = Fingerprint::default();
    fingerprint.add_text(&process::quiet(Command::new("rustc").arg("-vV").current_dir(workspace.root()))?);
    for file in ["Cargo.toml", "Cargo.lock", ".cargo/config.toml", "xtask/requirements/build.txt"] {
        fingerprint.add_file(&workspace.path(file))?;
    }
    fingerprint.add_tree(&workspace.path("crates"), &NOT_IN_WHEEL)?;
    Ok(fingerprint.finish())
}

fn build_binary(workspace: &Workspace, optimized: Optimized) -> Result<()> {
    let mut build = cargo(workspace, "build");
    build.args(["--locked", "--profile", optimized.profile(), "--bin", "hr"]);
    match optimized {
        Optimized::Fully => build.args(["--package", "hr-cli"]),
        // Asked for examples as well, of which there are none, cargo resolves features as it does for tests. Then what
        // `cargo test` has built is taken, and built once.
        Optimized::Quickly => build.args(["--workspace", "--examples"]),
    };
    process::quiet(&mut build)?;
    let built = workspace.target().join(optimized.folder()).join("hr");
    let scripts = workspace.python_project().join("data/scripts");
    fs::create_dir_all(&scripts).with_context(|| format!("cannot create {}", scripts.display()))?;
    let script = scripts.join("hr");
    copy_executable(&built, &script)?;
    if optimized == Optimized::Quickly {
        // Each test has a copy of it, so that what it carries for debuggers would weigh more than all else.
        process::quiet(Command::new("strip").arg(&script))?;
    }
    Ok(())
}

fn copy_executable(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    fs::set_permissions(to, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot make {} executable", to.display()))
}

fn build_wheel(workspace: &Workspace, tools: &Environment, profile: &str) -> Result<()> {
    let wheels = workspace.wheels(profile);
    if wheels.exists() {
        // A wheel of an earlier version must not be mistaken for this one.
        fs::remove_dir_all(&wheels).with_context(|| format!("cannot remove {}", wheels.display()))?;
    }
    let mut maturin = Command::new(tools.program("maturin"));
    maturin
        .current_dir(workspace.python_project())
        .args(["build", "--profile", profile, "--strip", "--locked", "--interpreter"])
        .arg(tools.python())
        .arg("--out")
        .arg(&wheels);
    process::quiet(&mut maturin).map(drop)
}

fn the_wheel(workspace: &Workspace, profile: &str) -> Result<PathBuf> {
    let wheels = workspace.wheels(profile);
    fs::read_dir(&wheels)
        .with_context(|| format!("cannot list {}", wheels.display()))?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .with_context(|| format!("no wheel in {}", wheels.display()))
}
