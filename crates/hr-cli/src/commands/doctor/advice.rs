//! What would help most: rules from findings to sentences. Pure.

use std::collections::BTreeMap;

use hr_forkserver::protocol::{AttemptEnd, ImportFailure};
use hr_graph::{How, Kind};
use serde::Serialize;

use super::examination::{Build, Cost, Excluded, Findings, cost_of_planned, top_level};

/// What nobody would notice, in microseconds.
const UNNOTICED: u64 = 20_000;
/// A package that only functions import is large if it takes one part in so many of all imports.
const LARGE_SHARE: u64 = 10;
/// The same of one that would have to be moved into a function first.
const LARGE_EAGER_SHARE: u64 = 3;

/// When an advice pays off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum When {
    /// Whenever a run imports the module.
    Run,
    /// Whenever a template is built.
    Build,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Advice {
    pub(super) module: String,
    /// What it would save, in microseconds, and when.
    pub(super) saves_micros: u64,
    pub(super) when: When,
    /// What is the matter.
    pub(super) what: String,
    /// What to do about it.
    pub(super) how: String,
}

/// Everything worth doing: what each run pays for first, then the largest.
pub(super) fn advise(
    build: &Build,
    costs: &[Cost],
    excluded: &[Excluded],
    findings: &Findings<'_>,
) -> Vec<Advice> {
    let mut advice: Vec<Advice> = excluded.iter().filter_map(bring_in).collect();
    advice.extend(rarely_needed(build, costs, findings));
    advice.sort_by_key(|advice| (advice.when, std::cmp::Reverse(advice.saves_micros)));
    advice
}

/// An exclusion that runs pay for: how the module could come into the template.
fn bring_in(excluded: &Excluded) -> Option<Advice> {
    let Excluded { module, cause, file, line, .. } = excluded;
    let end = excluded.end.as_ref()?;
    let how = match end {
        AttemptEnd::Failed(ImportFailure::NotFound) => {
            // Missing it is handled, or nobody has noticed yet.
            return (excluded.how == Some(How::Eager)).then(|| Advice {
                module: module.clone(),
                saves_micros: 0,
                when: When::Run,
                what: format!(
                    "{file}:{line} imports {module}, which is not installed: a run that gets there fails"
                ),
                how: "Install it, or catch its ImportError.".to_owned(),
            });
        }
        AttemptEnd::Failed(ImportFailure::FirstParty { module: ours }) => format!(
            "It reaches for your own {ours}, which no template may hold. If it can do that later, when it is called, it \
             can be in the template."
        ),
        AttemptEnd::Failed(ImportFailure::Raised { .. }) => format!(
            "It cannot be imported by itself. If it needs configuration that your program makes before, `import \
             {module}` inside the function that uses it, so that only runs that get there pay."
        ),
        AttemptEnd::Failed(ImportFailure::Environment { variable, place }) => format!(
            "If {place} can set {variable} to a constant, at the top of the module and under no condition, it can be in \
             the template."
        ),
        AttemptEnd::Failed(ImportFailure::Effects { .. }) => format!(
            "Importing it does more than import. If it has a setting that puts this off until it is used, it can be in \
             the template; if you know that it does no harm in a fork, `preload = [\"{module}\"]` in \
             `[tool.hotreload]`; else `import {module}` inside the function that uses it, so that only runs that get \
             there pay."
        ),
        AttemptEnd::Died(_) => format!("Find out why, with `python -X faulthandler -c 'import {module}'`."),
        AttemptEnd::TimedOut => format!(
            "If it just takes long, give it longer: isolate_imports(…, import_limit=…). Else find out where it hangs, \
             with `timeout --signal=ABRT 60 python -X faulthandler -c 'import {module}'`."
        ),
    };
    let saves_micros = excluded.micros.unwrap_or_default();
    (saves_micros >= UNNOTICED || !matches!(end, AttemptEnd::Failed(_))).then(|| Advice {
        module: module.clone(),
        saves_micros,
        when: When::Run,
        what: format!(
            "{module} is not in the template, since it {cause}; runs import it themselves ({file}:{line})"
        ),
        how,
    })
}

/// Large packages that a single file imports.
fn rarely_needed(build: &Build, costs: &[Cost], findings: &Findings<'_>) -> Vec<Advice> {
    let mut packages: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let third_party = findings.plan.modules.iter().filter(|planned| planned.kind == Kind::ThirdParty);
    for planned in third_party {
        packages.entry(top_level(&planned.name)).or_default().push(&planned.name);
    }
    let mut advice = Vec::new();
    for (package, modules) in packages {
        let micros: u64 =
            modules.iter().map(|module| cost_of_planned(module, &findings.profile.imports).0).sum();
        let usages = || findings.usages.iter().filter(|usage| modules.contains(&usage.name.as_str()));
        let mut places = usages().flat_map(|usage| &usage.places);
        let Some(first) = places.next() else { continue };
        if places.any(|place| place.file != first.file) {
            continue;
        }
        let lazily = usages().all(|usage| usage.how >= How::Lazy);
        let large = build.import_micros / if lazily { LARGE_SHARE } else { LARGE_EAGER_SHARE };
        if micros < large.max(UNNOTICED) {
            continue;
        }
        let memory = costs.iter().find(|cost| cost.package == package).map_or(0, |cost| cost.total_memory);
        advice.push(Advice {
            module: package.to_owned(),
            saves_micros: micros,
            when: When::Build,
            what: format!(
                "{package} takes {} of the imports and {}, and only {} imports it{}",
                share(micros, build.import_micros),
                crate::commands::quantities::bytes(memory),
                first.file.display(),
                if lazily { ", inside a function" } else { "" }
            ),
            how: format!(
                "If few runs get there, {}leave it out: `exclude = [\"{package}\"]` in `[tool.hotreload]`.",
                if lazily { "" } else { "import it inside the function that uses it and " }
            ),
        });
    }
    advice
}

fn share(part: u64, whole: u64) -> String {
    format!("{} %", (100 * part + whole / 2) / whole.max(1))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use hr_forkserver::protocol::{Effect, ExitStatus, ImportProfile, TemplateState};
    use hr_graph::{ImportPlan, Place, PlannedModule, Usage};

    use super::super::examination::tests::import;
    use super::*;

    fn excluded(end: AttemptEnd, micros: u64) -> Excluded {
        Excluded {
            module: "library".to_owned(),
            cause: "misbehaves".to_owned(),
            file: "app.py".to_owned(),
            line: 3,
            micros: Some(micros),
            end: Some(end),
            how: Some(How::Eager),
        }
    }

    #[test]
    fn an_exclusion_is_worth_mending_if_runs_would_notice() {
        let listens = AttemptEnd::Failed(ImportFailure::Effects { effects: vec![Effect::Listens] });
        let advice = bring_in(&excluded(listens.clone(), 400_000)).unwrap();
        assert_eq!((advice.saves_micros, advice.when), (400_000, When::Run));
        assert!(advice.what.contains("app.py:3") && advice.how.contains("`import library`"), "{advice:?}");
        assert_eq!(bring_in(&excluded(listens, 900)), None);
        let first_party = AttemptEnd::Failed(ImportFailure::FirstParty { module: "app.settings".to_owned() });
        assert!(bring_in(&excluded(first_party, 50_000)).unwrap().how.contains("app.settings"));
    }

    #[test]
    fn a_crash_is_always_told_and_so_is_an_eager_import_of_what_is_missing() {
        assert!(bring_in(&excluded(AttemptEnd::Died(ExitStatus::Signaled(11)), 10)).is_some());
        let missing = excluded(AttemptEnd::Failed(ImportFailure::NotFound), 10);
        assert!(bring_in(&missing).unwrap().what.contains("not installed"));
        assert_eq!(bring_in(&Excluded { how: Some(How::Optional), ..missing }), None);
    }

    /// Advice for a project that imports `library` (most of the time) in `places`, and others.
    fn for_places(places: &[(&str, How)]) -> Vec<Advice> {
        let place = |file: &str| Place { file: file.into(), line: 1, column: 1 };
        let how = places.iter().map(|(_, how)| *how).min().unwrap();
        let plan = ImportPlan {
            writes: Vec::new(),
            modules: vec![PlannedModule {
                name: "library".to_owned(),
                kind: Kind::ThirdParty,
                how,
                location: place(places[0].0),
                resolved: true,
            }],
        };
        let usage = Usage {
            name: "library".to_owned(),
            kind: Kind::ThirdParty,
            how,
            resolved: true,
            places: places.iter().map(|(file, _)| place(file)).collect(),
        };
        let imports = vec![import("library", None, 800_000), import("json", None, 100_000)];
        let findings = Findings {
            packages: Vec::new(),
            python: String::new(),
            is_stdlib: &|_| false,
            is_set: &|_: &OsStr| false,
            plan: &plan,
            usages: &[usage],
            state: &TemplateState::default(),
            profile: &ImportProfile { imports, ..ImportProfile::default() },
        };
        let build = Build { micros: 1_000_000, import_micros: 900_000, memory: 0, modules: 2 };
        advise(&build, &[], &[], &findings)
    }

    #[test]
    fn a_large_package_that_one_file_needs_may_be_left_out() {
        let advice = for_places(&[("report.py", How::Lazy), ("report.py", How::Lazy)]);
        assert_eq!(advice.len(), 1);
        assert_eq!((advice[0].saves_micros, advice[0].when), (800_000, When::Build));
        assert!(advice[0].what.contains("89 %") && advice[0].what.contains("report.py"), "{advice:?}");
        assert!(advice[0].how.contains("exclude = [\"library\"]"));
        let eager = for_places(&[("report.py", How::Eager)]);
        assert!(eager[0].how.contains("import it inside the function"), "{eager:?}");
        assert_eq!(for_places(&[("report.py", How::Lazy), ("web.py", How::Lazy)]), []);
    }
}
