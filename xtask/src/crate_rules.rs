//! Rules between the crates of the workspace: which may depend on which, and where unsafe code may lie.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::cargo::cargo;
use crate::process;
use crate::workspace::Workspace;

/// The arrows between crates in docs/architecture.md: who may depend on whom. A crate that is not listed here may
/// depend on no other.
const ALLOWED: [(&str, &[&str]); 4] = [
    ("hr-graph", &["hr-imports"]),
    ("hr-forkserver", &["hr-protocol"]),
    ("hr-cli", &["hr-graph", "hr-forkserver"]),
    ("hr-py", &["hr-graph", "hr-forkserver"]),
];

/// Crates that neither touch the system nor need unsafe code.
const PURE: [&str; 2] = ["hr-imports", "hr-protocol"];

/// What `cargo metadata` says, as far as it is of use here.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// Set for crates of this workspace, and for them only.
    path: Option<PathBuf>,
}

/// Fails on a dependency between crates that no arrow allows. Development dependencies count as well.
pub(crate) fn check_dependencies(workspace: &Workspace) -> Result<()> {
    let answer = process::quiet(cargo(workspace, "metadata").args([
        "--no-deps",
        "--format-version",
        "1",
        "--locked",
    ]))?;
    let metadata: Metadata =
        serde_json::from_str(&answer).context("cargo metadata gave no JSON of the known form")?;
    report("these crates may not depend on each other", &forbidden_dependencies(&metadata))
}

fn forbidden_dependencies(metadata: &Metadata) -> Vec<String> {
    let allowed: BTreeMap<_, _> = ALLOWED.into_iter().collect();
    let mut forbidden = Vec::new();
    for package in &metadata.packages {
        let targets = allowed.get(package.name.as_str()).copied().unwrap_or_default();
        for dependency in package.dependencies.iter().filter(|dependency| dependency.path.is_some()) {
            if !targets.contains(&dependency.name.as_str()) {
                forbidden.push(format!("{} -> {}", package.name, dependency.name));
            }
        }
    }
    forbidden
}

/// Fails if more than one file of a crate allows unsafe code, or if a pure crate does not forbid it. The compiler
/// denies it in every other file, so nothing needs to be parsed here.
pub(crate) fn check_unsafe_code(workspace: &Workspace) -> Result<()> {
    let crates = workspace.path("crates");
    let mut violations = Vec::new();
    let entries = fs::read_dir(&crates).with_context(|| format!("cannot list {}", crates.display()))?;
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let mut sources = Vec::new();
        collect_sources(&entry.path().join("src"), &mut sources)?;
        sources.sort();
        violations.extend(unsafe_violations(&name, &sources));
    }
    report("unsafe code lies where it may not", &violations)
}

struct Source {
    path: PathBuf,
    text: String,
}

impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path
    }
}

impl Eq for Source {}

impl PartialOrd for Source {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Source {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.path.cmp(&other.path)
    }
}

fn collect_sources(folder: &Path, sources: &mut Vec<Source>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect_sources(&path, sources)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text =
                fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            sources.push(Source { path, text });
        }
    }
    Ok(())
}

fn unsafe_violations(name: &str, sources: &[Source]) -> Vec<String> {
    let mut violations = Vec::new();
    let allowing: Vec<_> = sources.iter().filter(|source| allows_unsafe(&source.text)).collect();
    if allowing.len() > 1 {
        let files: Vec<_> = allowing.iter().map(|source| source.path.display().to_string()).collect();
        violations.push(format!("{name} allows it in more than one file: {}", files.join(", ")));
    }
    let forbids = sources.iter().any(|source| {
        source.path.ends_with("src/lib.rs")
            && has_attribute(&source.text, |line| line == "#![forbid(unsafe_code)]")
    });
    if PURE.contains(&name) && !forbids {
        violations.push(format!("{name} is pure, and its lib.rs lacks #![forbid(unsafe_code)]"));
    }
    violations
}

fn allows_unsafe(text: &str) -> bool {
    has_attribute(text, |line| {
        ["allow(", "expect(", "warn("].iter().any(|level| line.contains(level))
            && line.contains("unsafe_code")
    })
}

fn has_attribute(text: &str, wanted: impl Fn(&str) -> bool) -> bool {
    text.lines().map(str::trim).any(|line| line.starts_with('#') && wanted(line))
}

fn report(title: &str, violations: &[String]) -> Result<()> {
    if violations.is_empty() { Ok(()) } else { bail!("{title}:\n  {}", violations.join("\n  ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dependencies: &[(&str, bool)]) -> Package {
        let dependencies = dependencies
            .iter()
            .map(|(name, local)| Dependency {
                name: (*name).to_owned(),
                path: local.then(|| PathBuf::from("crates")),
            })
            .collect();
        Package { name: name.to_owned(), dependencies }
    }

    #[test]
    fn arrows_of_the_design_are_allowed_and_all_others_are_not() {
        let packages = vec![
            package("hr-graph", &[("hr-imports", true), ("petgraph", false)]),
            package("hr-imports", &[("hr-graph", true)]),
            package("hr-cli", &[("hr-graph", true), ("hr-forkserver", true), ("hr-protocol", true)]),
            package("xtask", &[("clap", false), ("hr-cli", true)]),
        ];
        assert_eq!(
            forbidden_dependencies(&Metadata { packages }),
            ["hr-imports -> hr-graph", "hr-cli -> hr-protocol", "xtask -> hr-cli"]
        );
    }

    #[test]
    fn unsafe_code_has_one_room_per_crate_and_none_in_pure_crates() {
        let source = |path: &str, text: &str| Source { path: path.into(), text: text.into() };
        let one = source("src/system.rs", "#![expect(unsafe_code, reason = \"system calls\")]");
        let other = source("src/fork.rs", "    #[allow(unsafe_code)]\n    fn fork() {}");
        let talk = source("src/talk.rs", "// allow(unsafe_code) is no attribute here");
        assert!(unsafe_violations("hr-forkserver", &[source("src/lib.rs", ""), one, talk]).is_empty());
        let one = source("src/system.rs", "#![allow(unsafe_code)]");
        assert_eq!(unsafe_violations("hr-forkserver", &[one, other]).len(), 1);
        assert_eq!(unsafe_violations("hr-imports", &[source("src/lib.rs", "")]).len(), 1);
        let pure = source("crates/hr-imports/src/lib.rs", "//! Docs.\n#![forbid(unsafe_code)]\n");
        assert!(unsafe_violations("hr-imports", &[pure]).is_empty());
    }
}
