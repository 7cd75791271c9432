//! What the template of a project is found to be like. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsStr;

use hr_forkserver::protocol::{AttemptEnd, ImportProfile, ProfiledImport, TemplateState};
use hr_graph::{How, ImportPlan, Kind, Usage};
use serde::Serialize;

use super::advice::{Advice, advise};

/// Version of the JSON output; raised when a field changes its meaning or goes away.
const SCHEMA: u32 = 1;

/// What an examination is made from.
pub(super) struct Findings<'a> {
    /// What the target stands for.
    pub(super) packages: Vec<String>,
    /// The interpreter's version.
    pub(super) python: String,
    /// Whether a top-level name is of the standard library.
    pub(super) is_stdlib: &'a dyn Fn(&str) -> bool,
    /// Whether an environment variable has a value.
    pub(super) is_set: &'a dyn Fn(&OsStr) -> bool,
    pub(super) plan: &'a ImportPlan,
    pub(super) usages: &'a [Usage],
    pub(super) state: &'a TemplateState,
    pub(super) profile: &'a ImportProfile,
}

/// A template, and what it took to build it. Times are in microseconds, memory is in bytes.
#[derive(Debug, Serialize)]
pub(super) struct Examination {
    version: u32,
    pub(super) packages: Vec<String>,
    pub(super) python: String,
    pub(super) build: Build,
    /// By package, the most expensive first.
    pub(super) costs: Vec<Cost>,
    pub(super) excluded: Vec<Excluded>,
    /// What is planned only because a function might import it, the most expensive first.
    pub(super) lazy: Vec<Lazy>,
    /// What is planned because a run has loaded it.
    pub(super) learned: Vec<Learned>,
    pub(super) threads: Vec<Appeared>,
    pub(super) descriptors: Vec<Appeared>,
    pub(super) variables: Vec<Variable>,
    pub(super) advice: Vec<Advice>,
    pub(super) imports: Vec<Import>,
}

/// The build as a whole.
#[derive(Debug, Serialize)]
pub(super) struct Build {
    /// From the start of the interpreter until the template was ready.
    pub(super) micros: u64,
    /// Of that, the imports that were kept.
    pub(super) import_micros: u64,
    /// Private memory that imports have added.
    pub(super) memory: i64,
    /// How many modules were imported.
    pub(super) modules: usize,
}

/// What the modules of one top-level package cost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Cost {
    pub(super) package: String,
    pub(super) kind: &'static str,
    /// The package's own modules.
    pub(super) self_micros: u64,
    /// With everything that was first imported by them.
    pub(super) total_micros: u64,
    pub(super) self_memory: i64,
    pub(super) total_memory: i64,
    pub(super) modules: usize,
}

/// A planned module that is not in the template.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Excluded {
    pub(super) module: String,
    pub(super) cause: String,
    pub(super) file: String,
    pub(super) line: u32,
    /// How long its import took until it was given up, if it was tried. Each run that imports it takes that long, or
    /// less where another module has brought what it needs.
    pub(super) micros: Option<u64>,
    /// How that ended.
    #[serde(skip)]
    pub(super) end: Option<AttemptEnd>,
    /// The strongest way in which it is imported.
    #[serde(skip)]
    pub(super) how: Option<How>,
}

/// A module that no module imports while it is loaded itself.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Lazy {
    pub(super) module: String,
    /// The first place that asks for it.
    pub(super) file: String,
    pub(super) line: u32,
    /// How many places do.
    pub(super) places: usize,
    /// What it took, with what it needed and nothing had needed before.
    pub(super) micros: u64,
    pub(super) memory: i64,
}

/// A module that no import statement asks for, and that a run has loaded.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Learned {
    pub(super) module: String,
    /// Why the template does not have it, if it does not.
    pub(super) excluded: Option<String>,
    pub(super) micros: u64,
    pub(super) memory: i64,
}

/// Something that was there after an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Appeared {
    /// A thread's name, or what a descriptor leads to.
    pub(super) what: String,
    /// The innermost module that was being imported.
    pub(super) module: String,
    pub(super) count: usize,
}

/// An environment variable that imports have asked for.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Variable {
    pub(super) name: String,
    /// Whether it has a value.
    pub(super) set: bool,
    pub(super) modules: Vec<String>,
}

/// One import on the time line.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Import {
    pub(super) module: String,
    pub(super) parent: Option<u32>,
    pub(super) start_micros: u64,
    pub(super) micros: u64,
    pub(super) memory: i64,
    pub(super) failed: bool,
}

impl Examination {
    pub(super) fn new(findings: &Findings<'_>) -> Self {
        let imports = &findings.profile.imports;
        let costs = costs(imports, findings.is_stdlib);
        let roots = || imports.iter().filter(|import| import.parent.is_none());
        let build = Build {
            micros: findings.state.build_micros,
            import_micros: roots().map(|import| import.micros).sum(),
            memory: roots().map(|import| import.memory).sum(),
            modules: costs.iter().map(|cost| cost.modules).sum(),
        };
        let (excluded, lazy) = (excluded(findings), lazy(findings));
        let advice = advise(&build, &costs, &excluded, findings);
        let read = findings.profile.reads.iter().map(|read| Variable {
            name: read.variable.to_string_lossy().into_owned(),
            set: (findings.is_set)(&read.variable),
            modules: read.modules.clone(),
        });
        let mut variables: Vec<Variable> = read.collect();
        variables.sort_by_key(|variable| !variable.set);
        Self {
            version: SCHEMA,
            packages: findings.packages.clone(),
            python: findings.python.clone(),
            build,
            costs,
            excluded,
            lazy,
            learned: learned(findings),
            threads: appeared(imports, |import| &import.threads),
            descriptors: appeared(imports, |import| &import.descriptors),
            variables,
            advice,
            imports: imports.iter().map(on_the_time_line).collect(),
        }
    }

    /// All of it as JSON; `docs/json-formats.md` says what it means.
    pub(super) fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }
}

pub(super) fn top_level(module: &str) -> &str {
    module.split('.').next().unwrap_or(module)
}

/// The package that each import counts for: its own, or that of whoever tried it in vain.
fn owners(imports: &[ProfiledImport]) -> Vec<&str> {
    let mut owners: Vec<&str> = Vec::with_capacity(imports.len());
    for import in imports {
        let importer = import.parent.and_then(|parent| owners.get(index(parent)).copied());
        owners.push(match importer {
            Some(importer) if import.failed => importer,
            _ => top_level(&import.module),
        });
    }
    owners
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn costs(imports: &[ProfiledImport], is_stdlib: &dyn Fn(&str) -> bool) -> Vec<Cost> {
    let owners = owners(imports);
    let mut nested = vec![(0, 0); imports.len()];
    for import in imports {
        if let Some(parent) = import.parent.and_then(|parent| nested.get_mut(index(parent))) {
            parent.0 += import.micros;
            parent.1 += import.memory;
        }
    }
    let mut costs: BTreeMap<&str, Cost> = BTreeMap::new();
    // A package may import one of its modules while that very module waits for its package.
    let mut known = HashSet::new();
    for (number, import) in imports.iter().enumerate() {
        let cost = costs.entry(owners[number]).or_default();
        cost.self_micros += import.micros.saturating_sub(nested[number].0);
        cost.self_memory += import.memory - nested[number].1;
        cost.modules += usize::from(!import.failed && known.insert(import.module.as_str()));
        if !lies_within(number, imports, &owners) {
            cost.total_micros += import.micros;
            cost.total_memory += import.memory;
        }
    }
    let mut costs: Vec<Cost> = costs
        .into_iter()
        .map(|(package, cost)| Cost {
            package: package.to_owned(),
            kind: if is_stdlib(package) { Kind::Stdlib } else { Kind::ThirdParty }.as_str(),
            ..cost
        })
        .collect();
    costs.sort_by_key(|cost| std::cmp::Reverse((cost.total_micros, cost.self_micros)));
    costs
}

/// Whether an import happened during one of the same package.
fn lies_within(number: usize, imports: &[ProfiledImport], owners: &[&str]) -> bool {
    let mut current = number;
    // A parent always comes before its child, so this ends.
    while let Some(parent) = imports[current].parent.map(index).filter(|parent| *parent < current) {
        if owners[parent] == owners[number] {
            return true;
        }
        current = parent;
    }
    false
}

fn excluded(findings: &Findings<'_>) -> Vec<Excluded> {
    let attempts: HashMap<&str, _> =
        findings.profile.attempts.iter().map(|attempt| (attempt.module.as_str(), attempt)).collect();
    let how: HashMap<&str, How> =
        findings.plan.modules.iter().map(|planned| (planned.name.as_str(), planned.how)).collect();
    let excluded = findings.state.excluded.iter().map(|exclusion| {
        let attempt = attempts.get(exclusion.module.as_str());
        Excluded {
            module: exclusion.module.clone(),
            cause: exclusion.cause.clone(),
            file: exclusion.file.to_string_lossy().into_owned(),
            line: exclusion.line,
            micros: attempt.map(|attempt| attempt.micros),
            end: attempt.map(|attempt| attempt.end.clone()),
            how: how.get(exclusion.module.as_str()).copied(),
        }
    });
    excluded.collect()
}

/// Time and memory of a planned module: those of its import, unless another had brought it before.
pub(super) fn cost_of_planned(module: &str, imports: &[ProfiledImport]) -> (u64, i64) {
    let own = imports.iter().filter(|import| import.parent.is_none() && import.module == module);
    own.fold((0, 0), |(micros, memory), import| (micros + import.micros, memory + import.memory))
}

fn lazy(findings: &Findings<'_>) -> Vec<Lazy> {
    let places: HashMap<(&str, Kind), usize> =
        findings.usages.iter().map(|usage| ((usage.name.as_str(), usage.kind), usage.places.len())).collect();
    let planned = findings
        .plan
        .modules
        .iter()
        .filter(|planned| planned.how == How::Lazy && findings.state.modules.contains(&planned.name));
    let mut lazy: Vec<Lazy> = planned
        .map(|planned| {
            let (micros, memory) = cost_of_planned(&planned.name, &findings.profile.imports);
            Lazy {
                module: planned.name.clone(),
                file: planned.location.file.to_string_lossy().into_owned(),
                line: planned.location.line,
                places: places.get(&(planned.name.as_str(), planned.kind)).copied().unwrap_or(1),
                micros,
                memory,
            }
        })
        .collect();
    lazy.sort_by_key(|lazy| std::cmp::Reverse(lazy.micros));
    lazy
}

fn learned(findings: &Findings<'_>) -> Vec<Learned> {
    let learned = findings.state.learned.iter().map(|learned| {
        let (micros, memory) = cost_of_planned(&learned.module, &findings.profile.imports);
        Learned { module: learned.module.clone(), excluded: learned.excluded.clone(), micros, memory }
    });
    let mut learned: Vec<Learned> = learned.collect();
    learned.sort_by_key(|learned| std::cmp::Reverse(learned.micros));
    learned
}

fn appeared(imports: &[ProfiledImport], of: impl Fn(&ProfiledImport) -> &Vec<String>) -> Vec<Appeared> {
    let mut found: Vec<Appeared> = Vec::new();
    for import in imports {
        for what in of(import) {
            match found.iter_mut().find(|known| known.what == *what && known.module == import.module) {
                Some(known) => known.count += 1,
                None => {
                    found.push(Appeared { what: what.clone(), module: import.module.clone(), count: 1 });
                }
            }
        }
    }
    found
}

fn on_the_time_line(import: &ProfiledImport) -> Import {
    Import {
        module: import.module.clone(),
        parent: import.parent,
        start_micros: import.start_micros,
        micros: import.micros,
        memory: import.memory,
        failed: import.failed,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn import(module: &str, parent: Option<u32>, micros: u64) -> ProfiledImport {
        ProfiledImport {
            module: module.to_owned(),
            parent,
            start_micros: 0,
            micros,
            memory: i64::try_from(micros).unwrap() * 10,
            threads: Vec::new(),
            descriptors: Vec::new(),
            failed: false,
        }
    }

    #[test]
    fn a_package_costs_its_own_modules_and_in_total_what_they_were_first_to_import() {
        let mut imports = vec![
            import("shop_lib", None, 100),
            import("shop_lib.orm", Some(0), 70),
            import("driver", Some(1), 40),
            import("shop_lib.types", Some(2), 5),
            import("accelerator", Some(0), 10),
            import("driver.extra", None, 7),
        ];
        imports[4].failed = true;
        let costs = costs(&imports, &|name| name == "driver");
        let shown: Vec<_> = costs
            .iter()
            .map(|cost| (cost.package.as_str(), cost.self_micros, cost.total_micros, cost.modules))
            .collect();
        // 20 of shop_lib, 30 of shop_lib.orm, 5 of shop_lib.types, 10 of looking for an accelerator in vain.
        assert_eq!(shown, [("shop_lib", 65, 100, 3), ("driver", 42, 47, 2)]);
        assert_eq!(costs[1].kind, "stdlib");
        let own: u64 = costs.iter().map(|cost| cost.self_micros).sum();
        assert_eq!(own, 107, "nothing is counted twice, nothing is lost");
        assert_eq!(costs[0].self_memory, 650);
    }

    #[test]
    fn threads_are_told_with_whoever_started_them() {
        let mut imports = vec![import("a", None, 1), import("a.b", Some(0), 1)];
        imports[1].threads = vec!["pool".to_owned(), "pool".to_owned(), "timer".to_owned()];
        let found = appeared(&imports, |import| &import.threads);
        let appeared =
            |what: &str, count| Appeared { what: what.to_owned(), module: "a.b".to_owned(), count };
        assert_eq!(found, [appeared("pool", 2), appeared("timer", 1)]);
    }
}
