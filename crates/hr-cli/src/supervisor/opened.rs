//! The project that a client has opened: what it asks of its templates, and what is known of it from before.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use hr_forkserver::protocol::{
    Checkpointing, EnvironmentWrite, Exclusion, Failure, FirstParty, Learned, Open, Problem, SourceChange,
    SourceChangeKind, TargetInterpreter, TemplateState,
};
use hr_forkserver::transaction::Cause;
use hr_graph::{Change, ChangedFile, ProjectGraph, covers};

use super::memory::{Memory, Surroundings};
use super::scan::{AskedBy, Scan, ScanThread, Wanted};
use super::snapshots::{Demand, Excluded, Holding};
use super::watch::Watch;

/// A project.
pub(crate) struct Opened {
    pub(crate) open: Open,
    pub(crate) scans: ScanThread,
    memory: Memory,
    scan: Scan,
    /// What the last scan has found, and what was learned.
    wanted: Vec<Wanted>,
    /// In which modules are imported now.
    surroundings: Surroundings,
    /// The project's own modules when the newest run began.
    running: Option<Arc<ProjectGraph>>,
}

impl Opened {
    /// Finds the project, and begins to scan it. What happens to it is heard from `watch`.
    pub(crate) fn new(open: &Open, watch: &Watch) -> Result<Self, Failure> {
        let scans = ScanThread::start(open, watch)?;
        scans.request();
        Ok(Self {
            memory: scans.memory(),
            open: open.clone(),
            scans,
            scan: Scan::default(),
            wanted: Vec::new(),
            surroundings: Surroundings::default(),
            running: None,
        })
    }

    /// Looks for modules as `interpreter` does from now on.
    pub(crate) fn aim(&mut self, interpreter: TargetInterpreter, watch: &Watch) {
        let moved = self.open.interpreter.sys_path != interpreter.sys_path;
        self.open.interpreter = interpreter;
        // If the project cannot be found that way, what was found before still is the project.
        if moved && let Ok(scans) = ScanThread::start(&self.open, watch) {
            self.scans = scans;
        }
    }

    /// Takes in a scan.
    pub(crate) fn scanned(&mut self, scan: Scan) {
        self.scan = scan;
        self.plan();
        self.look_around(&self.open.interpreter.clone());
    }

    /// Puts together what is wanted now.
    fn plan(&mut self) {
        let scan = &self.scan;
        let of_programs = self.open.programs.iter().map(|name| (name, AskedBy::Programs));
        let of_user = self.open.preload.iter().map(|name| (name, AskedBy::User));
        let of_runs = self.memory.learned().iter().map(|name| (name, AskedBy::Runs));
        let mut planned: BTreeSet<&str> = scan.modules.iter().map(|wanted| wanted.module.as_str()).collect();
        let more = of_programs.chain(of_user).chain(of_runs).filter(|(name, _)| planned.insert(name));
        let more: Vec<_> = more
            .map(|(name, asked_by)| Wanted { module: name.clone(), asked_by, written: usize::MAX })
            .collect();
        self.wanted = scan.modules.iter().cloned().chain(more).collect();
    }

    /// Takes note of what is installed, and of the environment, for imports by `interpreter`.
    pub(crate) fn look_around(&mut self, interpreter: &TargetInterpreter) {
        self.surroundings = Surroundings::of(interpreter, self.import_limit(), self.forced());
    }

    /// What is asked of a snapshot.
    pub(crate) fn demand(&self) -> Demand<'_> {
        Demand { modules: &self.wanted, writes: &self.scan.writes, surroundings: &self.surroundings }
    }

    /// How long the import of one module may take.
    pub(crate) fn import_limit(&self) -> Duration {
        self.open.import_limit.or(self.scan.settings.import_limit).unwrap_or(Open::IMPORT_LIMIT)
    }

    /// How many runs are to be forked ahead of time.
    pub(crate) fn spares(&self) -> usize {
        let of_client = self.open.spares.map(|spares| usize::try_from(spares).unwrap_or(usize::MAX));
        of_client.or(self.scan.settings.spares).unwrap_or(Open::SPARES as usize)
    }

    /// Where runs leave checkpoints, whatever was edited.
    pub(crate) fn checkpointing(&self) -> Checkpointing {
        let settings = &self.scan.settings;
        let overhead = self.open.checkpoint_overhead.or(settings.checkpoint_overhead);
        Checkpointing {
            most: self.open.checkpoints.or(settings.checkpoints).unwrap_or(Open::CHECKPOINTS),
            overhead: overhead.unwrap_or(Open::CHECKPOINT_OVERHEAD),
            edited: Vec::new(),
            cost: self.memory.checkpoint_cost(),
        }
    }

    /// How much private memory all checkpoints may take, in bytes.
    pub(crate) fn checkpoint_memory(&self) -> u64 {
        let of_settings = self.scan.settings.checkpoint_memory;
        self.open.checkpoint_memory.or(of_settings).unwrap_or(Open::CHECKPOINT_MEMORY)
    }

    /// Modules that are kept in templates whatever they do beyond loading modules.
    pub(crate) fn forced(&self) -> BTreeSet<String> {
        let of_settings = self.scan.settings.preload.iter().map(|preload| preload.module.clone());
        of_settings.chain(self.open.preload.iter().cloned()).collect()
    }

    /// What the project writes to the environment, and how much of it comes before each module.
    pub(crate) fn writes(&self) -> (Vec<EnvironmentWrite>, BTreeMap<String, u32>) {
        let list = self.scan.writes.list.iter().map(|write| write.write.clone()).collect();
        let written = self
            .scan
            .modules
            .iter()
            .map(|wanted| (wanted.module.clone(), u32::try_from(wanted.written).unwrap_or(u32::MAX)));
        (list, written.collect())
    }

    /// What must not be imported.
    pub(crate) fn first_party(&self) -> &FirstParty {
        &self.scan.first_party
    }

    /// Of `modules`, those that are worth trying, and those that are known to fail. Whoever measures imports wants to
    /// know what failing costs.
    pub(crate) fn worth_trying(&self, modules: Vec<String>) -> (Vec<String>, Vec<Excluded>) {
        if self.open.profile {
            return (modules, Vec::new());
        }
        let mut known = Vec::new();
        let mut worth = Vec::new();
        for module in modules {
            let circumstances = self.surroundings.of_module(&module);
            match self.memory.failure(&module, circumstances) {
                Some(failure) => {
                    let cause = format!("{} (it has before, and nothing has changed)", failure.cause);
                    known.push(Excluded { module, cause, circumstances });
                }
                None => worth.push(module),
            }
        }
        (worth, known)
    }

    /// Remembers how imports went, and describes those that failed.
    pub(crate) fn tried(&mut self, imported: &[String], failed: Vec<(String, Cause)>) -> Vec<Excluded> {
        let mut news = false;
        for module in imported {
            news |= self.memory.succeeded(module);
        }
        let mut excluded = Vec::new();
        for (module, cause) in failed {
            let circumstances = self.surroundings.of_module(&module);
            news |= self.memory.failed(&module, &cause, circumstances);
            excluded.push(Excluded { module, cause: cause.to_string(), circumstances });
        }
        if news {
            self.scans.remember(&self.memory);
        }
        excluded
    }

    /// A run begins, from what the last scan has found or something later.
    pub(crate) fn run_begins(&mut self) {
        self.running.clone_from(&self.scan.graph);
    }

    /// What has happened to the project's own files since then.
    pub(crate) fn source_changes(&self) -> Vec<SourceChange> {
        let (Some(before), Some(now)) = (&self.running, &self.scan.graph) else { return Vec::new() };
        if Arc::ptr_eq(before, now) {
            return Vec::new();
        }
        let changed = before.changed_files(now);
        changed
            .iter()
            .map(|change| SourceChange {
                importers: if change.change == Change::Unreadable {
                    importers(now, change, &changed)
                } else {
                    Vec::new()
                },
                file: change.file.clone().into(),
                module: change.module.clone(),
                kind: match change.change {
                    Change::Cosmetic => SourceChangeKind::Cosmetic,
                    // A program may show its docstrings.
                    Change::Docstrings | Change::Code => SourceChangeKind::Code,
                    Change::Unreadable => SourceChangeKind::Unreadable,
                    Change::Added | Change::Moved { .. } => SourceChangeKind::Added,
                    Change::Deleted => SourceChangeKind::Deleted,
                },
            })
            .collect()
    }

    /// Takes note of modules that a run has loaded itself. They are planned from the next scan on, or at
    /// once if the client wants that.
    pub(crate) fn learn(&mut self, mut modules: Vec<String>) {
        modules.retain(|module| {
            !covers(&self.open.ignored_modules, module) && !self.scan.settings.excludes(module)
        });
        if self.memory.learn(modules) {
            self.scans.remember(&self.memory);
            if self.open.learn_at_once {
                self.plan();
            }
        }
    }

    /// Takes note of what a checkpoint has cost a run, in microseconds.
    pub(crate) fn checkpoint_has_cost(&mut self, micros: u64) {
        if self.memory.checkpoint_has_cost(micros) {
            self.scans.remember(&self.memory);
        }
    }

    /// How many of `modules` are worth waiting for.
    pub(crate) fn urgent(&self, modules: &[String]) -> usize {
        if !self.open.learn_at_once {
            return modules.len();
        }
        let is_urgent = |module: &&String| {
            if self.open.interpreter.builtins.contains(module) {
                return false; // it costs a run nothing
            }
            let wanted = self.wanted.iter().find(|wanted| wanted.module == **module);
            wanted.is_none_or(|wanted| wanted.asked_by != AskedBy::Runs)
        };
        modules.iter().filter(is_urgent).count()
    }

    /// A template that holds this, for people and programs: of what was left out, that which the project asks for.
    pub(crate) fn describe(&self, holding: Holding) -> TemplateState {
        let asked_by =
            |module: &String| Some(&self.wanted.iter().find(|wanted| wanted.module == *module)?.asked_by);
        let excluded = holding.excluded.iter().filter_map(|excluded| {
            let (file, line) = match asked_by(&excluded.module)? {
                AskedBy::File(file, line) => (file.clone().into(), *line),
                AskedBy::User | AskedBy::Programs => (OsString::new(), 0),
                AskedBy::Runs => return None,
            };
            let Excluded { module, cause, .. } = excluded.clone();
            Some(Exclusion { module, cause, file, line })
        });
        let learned = self.wanted.iter().filter(|wanted| wanted.asked_by == AskedBy::Runs).map(|wanted| {
            let excluded = holding.excluded.iter().find(|excluded| excluded.module == wanted.module);
            Learned {
                module: wanted.module.clone(),
                excluded: excluded.map(|excluded| excluded.cause.clone()),
            }
        });
        TemplateState {
            supervisor: nix::unistd::getpid().as_raw(),
            template: 0,
            excluded: excluded.collect(),
            learned: learned.collect(),
            modules: holding.modules,
            problems: self.scan.problems.clone() as Vec<Problem>,
            build_micros: u64::try_from(holding.build.as_micros()).unwrap_or(u64::MAX),
        }
    }
}

/// Which of the files that have `changed` import the module of `one` when they are loaded.
fn importers(graph: &ProjectGraph, one: &ChangedFile, changed: &[ChangedFile]) -> Vec<OsString> {
    let file = graph.root().join(&one.file);
    let dependents: BTreeSet<String> = graph
        .dependents(&file)
        .unwrap_or_default()
        .into_iter()
        .filter(|dependent| !dependent.lazily)
        .map(|dependent| dependent.module)
        .collect();
    let importers = changed.iter().filter(|other| *other != one && dependents.contains(&other.module));
    importers.map(|importer| importer.file.clone().into()).collect()
}
