//! How fast imports are found in a large real tree: all Python files that an application's libraries install.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Deserialize;

use crate::cargo::cargo;
use crate::environment::Environment;
use crate::process;
use crate::progress::Progress;
use crate::python;
use crate::workspace::Workspace;

/// Runs of each tool; the median is shown.
const ROUNDS: usize = 7;
/// Of the tools that take many seconds.
const SLOW_ROUNDS: usize = 1;

const WALK: &str = "walk and stat";
const COLD: &str = "hr, nothing cached";
const WARM: &str = "hr, nothing changed";
const EDITED: &str = "hr, one file edited";
const RUFF: &str = "ruff analyze graph";

/// How to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// Measure on a copy of this directory instead of the libraries of fixtures/realapp
    #[arg(long, value_name = "DIRECTORY")]
    tree: Option<PathBuf>,
}

/// What one run took.
#[derive(Clone, Copy, Deserialize)]
struct Taken {
    seconds: f64,
    peak_kb: u64,
    status: i32,
}

/// One row of the table.
struct Row {
    name: &'static str,
    seconds: f64,
    peak_kb: u64,
    note: &'static str,
}

/// Everything a measurement needs.
struct Bench {
    python: PathBuf,
    measure: PathBuf,
    hr: PathBuf,
    tree: PathBuf,
    scratch: PathBuf,
}

/// A tool: its name, and how to call it.
struct Tool {
    name: &'static str,
    command: Vec<OsString>,
}

/// `cargo xtask bench scan`
pub(crate) fn run(workspace: &Workspace, progress: &Progress, options: &Options) -> Result<()> {
    let pythons = python::discover(progress)?;
    let python = pythons.last().context("no Python found")?;
    let requirements = [workspace.requirements("bench"), workspace.path("fixtures/realapp/requirements.txt")];
    let environment = Environment::ensure(workspace, progress, python, "bench", &requirements)?;
    progress.step("hr, optimised", || {
        process::quiet(cargo(workspace, "build").args(["--quiet", "--release", "--package", "hr-cli"]))
    })?;
    let scratch = tempfile::tempdir().context("cannot create a temporary folder")?;
    let source = match &options.tree {
        Some(tree) => tree.clone(),
        None => environment.site_packages(),
    };
    // Outside of the repository, whose .gitignore covers the environments, and without anything but Python source.
    let tree = scratch.path().join("tree");
    let mut size = Size::default();
    copy_python(&source, &tree, &mut size)?;
    fs::write(
        tree.join("pyproject.toml"),
        "[project]\nname = \"tree\"\nversion = \"1\"\ndependencies = []\n",
    )?;
    let bench = Bench {
        python: environment.python(),
        measure: workspace.path("xtask/bench/measure.py"),
        hr: workspace.target().join("release/hr"),
        tree,
        scratch: scratch.path().to_owned(),
    };
    let rows = bench.rows(workspace, progress, &environment)?;
    let imports = bench.count_imports()?;
    print_table(&rows, &size, imports);
    Ok(())
}

/// What there is to scan.
#[derive(Default)]
struct Size {
    files: u64,
    bytes: u64,
}

impl Bench {
    fn rows(
        &self,
        workspace: &Workspace,
        progress: &Progress,
        environment: &Environment,
    ) -> Result<Vec<Row>> {
        let warm = self.cache("warm");
        self.once(&self.hr_command(), &warm)?;
        let edited = some_file(&self.tree)?;
        let original = fs::read(&edited)?;
        let ruff = self.ruff(environment);
        let names = [WALK, COLD, WARM, EDITED, RUFF];
        let mut runs = names.map(|_| Vec::with_capacity(ROUNDS));
        // In turns, so that what else the machine does meets all of them alike.
        progress.step("walk, hr and ruff", || {
            for round in 0..ROUNDS {
                // The interpreter is asked once in its life, and ruff asks none: only scans are forgotten.
                let cold = self.cache(&format!("cold{round}"));
                copy_answers(&warm.join("hotreload"), &cold.join("hotreload"))?;
                runs[0].push(self.walk()?);
                runs[1].push(self.hr(&cold)?);
                runs[2].push(self.hr(&warm)?);
                let comment = format!("\nimport edited_{round}\n");
                fs::write(&edited, [&original[..], comment.as_bytes()].concat())?;
                runs[3].push(self.hr(&warm)?);
                fs::write(&edited, &original)?;
                self.hr(&warm)?;
                runs[4].push(self.once(&ruff, &self.scratch)?);
            }
            Ok(())
        })?;
        let mut rows: Vec<Row> = names.iter().zip(&runs).map(|(name, runs)| row(name, runs)).collect();
        for tool in self.slow_tools(workspace, environment) {
            rows.push(self.tool(&tool, progress)?);
        }
        Ok(rows)
    }

    fn ruff(&self, environment: &Environment) -> Vec<OsString> {
        let tree = self.tree.clone().into_os_string();
        vec![environment.program("ruff").into(), "analyze".into(), "graph".into(), tree]
    }

    fn slow_tools(&self, workspace: &Workspace, environment: &Environment) -> Vec<Tool> {
        let script = |name: &str| workspace.path("xtask/bench").join(name).into_os_string();
        let tree = || self.tree.clone().into_os_string();
        let python = || self.python.clone().into_os_string();
        vec![
            Tool { name: "grimp", command: vec![python(), script("grimp_graph.py"), tree()] },
            Tool {
                name: "deptry",
                command: vec![
                    environment.program("deptry").into(),
                    tree(),
                    "--config".into(),
                    self.tree.join("pyproject.toml").into(),
                ],
            },
            Tool { name: "Python's ast", command: vec![python(), script("parse.py"), tree()] },
        ]
    }

    fn hr_command(&self) -> Vec<OsString> {
        let arguments = ["imports", "--all", "--python"].map(OsString::from);
        let mut command = vec![self.hr.clone().into_os_string()];
        command.extend(arguments);
        command.extend([self.python.clone().into_os_string(), self.tree.clone().into_os_string()]);
        command
    }

    fn cache(&self, name: &str) -> PathBuf {
        self.scratch.join("caches").join(name)
    }

    fn hr(&self, cache: &Path) -> Result<Taken> {
        let run = self.once(&self.hr_command(), cache)?;
        ensure!(run.status == 0, "hr failed");
        Ok(run)
    }

    fn tool(&self, tool: &Tool, progress: &Progress) -> Result<Row> {
        let runs = progress.step(tool.name, || {
            (0..SLOW_ROUNDS).map(|_| self.once(&tool.command, &self.scratch)).collect::<Result<Vec<Taken>>>()
        })?;
        Ok(row(tool.name, &runs))
    }

    fn once(&self, command: &[OsString], cache: &Path) -> Result<Taken> {
        let answer = process::quiet(
            Command::new(&self.python).arg(&self.measure).args(command).env("XDG_CACHE_HOME", cache),
        )?;
        serde_json::from_str(&answer).context("the measuring script gave no JSON")
    }

    /// A walk with `stat` of every file, on one thread, in this process.
    fn walk(&self) -> Result<Taken> {
        let started = Instant::now();
        walk(&self.tree)?;
        Ok(Taken { seconds: started.elapsed().as_secs_f64(), peak_kb: 0, status: 0 })
    }

    fn count_imports(&self) -> Result<usize> {
        #[derive(Deserialize)]
        struct Document {
            modules: Vec<Module>,
        }
        #[derive(Deserialize)]
        struct Module {
            locations: Vec<serde_json::Value>,
        }
        let command = self.hr_command();
        let answer = process::quiet(
            Command::new(&command[0])
                .args(&command[1..])
                .args(["--format", "json"])
                .env("XDG_CACHE_HOME", self.cache("warm")),
        )?;
        let document: Document = serde_json::from_str(&answer).context("hr gave no JSON")?;
        Ok(document.modules.iter().map(|module| module.locations.len()).sum())
    }
}

/// Copies what a cache holds of interpreters, and nothing else.
fn copy_answers(from: &Path, to: &Path) -> Result<()> {
    let mut copied = 0;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("interpreter-") {
            copied += copy_all(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    ensure!(copied > 0, "{} holds no answer of an interpreter", from.display());
    Ok(())
}

/// Copies the files of a directory, and says how many there were.
fn copy_all(from: &Path, to: &Path) -> Result<usize> {
    fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    let mut copied = 0;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
        copied += 1;
    }
    Ok(copied)
}

/// The first package's file, in alphabetical order.
fn some_file(directory: &Path) -> Result<PathBuf> {
    let mut entries: Vec<PathBuf> = fs::read_dir(directory)?.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    let package = entries.into_iter().find(|path| path.join("__init__.py").is_file());
    Ok(package.context("the tree holds no package")?.join("__init__.py"))
}

fn row(name: &'static str, runs: &[Taken]) -> Row {
    let mut seconds: Vec<f64> = runs.iter().map(|run| run.seconds).collect();
    seconds.sort_by(f64::total_cmp);
    let peak_kb = runs.iter().map(|run| run.peak_kb).max().unwrap_or(0);
    // Linters report what they find by their status; only death by a signal or a crash is worth a word.
    let failed = runs.iter().any(|run| run.status < 0 || run.status > 1);
    Row { name, seconds: seconds[seconds.len() / 2], peak_kb, note: if failed { "failed" } else { "" } }
}

fn walk(directory: &Path) -> Result<u64> {
    let mut total = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            total += walk(&entry.path())?;
        } else {
            total += entry.metadata()?.len();
        }
    }
    Ok(total)
}

fn copy_python(from: &Path, to: &Path, size: &mut Size) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() && entry.file_name() != "__pycache__" {
            copy_python(&path, &copy, size)?;
        } else if kind.is_file() && path.extension().is_some_and(|suffix| suffix == "py") {
            size.files += 1;
            size.bytes += fs::copy(&path, &copy)?;
        }
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn print_table(rows: &[Row], size: &Size, imports: usize) {
    let megabytes = size.bytes as f64 / 1e6;
    anstream::println!("{} files, {megabytes:.0} MB, {imports} imports\n", size.files);
    anstream::println!("| tool | ms | files/s | MB/s | peak MB | |");
    anstream::println!("|---|---:|---:|---:|---:|---|");
    for row in rows {
        let memory =
            if row.peak_kb == 0 { String::new() } else { format!("{:.0}", row.peak_kb as f64 / 1e3) };
        anstream::println!(
            "| {} | {:.1} | {:.0} | {:.0} | {memory} | {} |",
            row.name,
            row.seconds * 1e3,
            size.files as f64 / row.seconds,
            megabytes / row.seconds,
            row.note,
        );
    }
    let by_name = |name: &str| rows.iter().find(|row| row.name == name);
    let ratio = |one: &str, other: &str| Some(by_name(one)?.seconds / by_name(other)?.seconds);
    anstream::println!();
    if let Some(ratio) = ratio(RUFF, COLD) {
        anstream::println!("nothing cached: {ratio:.2} x as fast as ruff");
    }
    if let Some(ratio) = ratio(WARM, WALK) {
        anstream::println!("nothing changed: {ratio:.2} x the bare walk");
    }
    if let (Some(edited), Some(warm)) = (by_name(EDITED), by_name(WARM)) {
        anstream::println!("one file edited: {:+.1} ms", (edited.seconds - warm.seconds) * 1e3);
    }
    if let Some(cold) = by_name(COLD) {
        anstream::println!(
            "peak memory: {:.0} bytes per import",
            cold.peak_kb as f64 * 1e3 / imports.max(1) as f64
        );
    }
}
