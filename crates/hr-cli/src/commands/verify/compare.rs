//! What differs between fresh processes and runs, and whether there is a reason. Pure.

use std::collections::BTreeSet;

use serde::Serialize;

use super::observe::Observation;

/// Descriptors that the fork server keeps in a run have numbers from here on.
const FIRST_PRIVATE_DESCRIPTOR: u32 = 200;

/// One thing that is not the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Difference {
    pub(super) section: String,
    pub(super) name: String,
    /// In a process started afresh; nothing if it is not there.
    pub(super) fresh: Option<String>,
    /// In a run.
    pub(super) run: Option<String>,
    /// What is wrong, if it is not just that the two are unlike.
    pub(super) problem: Option<&'static str>,
    /// Why it is as it should be; nothing if it is not.
    pub(super) reason: Option<&'static str>,
}

/// Compares two fresh processes with two runs.
pub(super) fn compare(
    fresh: &[Observation; 2],
    runs: &[Observation; 2],
    is_first_party: &dyn Fn(&str) -> bool,
) -> Vec<Difference> {
    let all = || fresh.iter().chain(runs);
    let mut sections: BTreeSet<&String> = all().flat_map(|one| one.keys()).collect();
    // Of a process that has not lived to be looked at, nothing is known but how it ended.
    sections.retain(|section| all().all(|one| one.contains_key(*section)));
    let mut differences = Vec::new();
    for section in sections {
        let names: BTreeSet<&String> =
            all().filter_map(|one| one.get(section)).flat_map(|section| section.keys()).collect();
        for name in names {
            let value = |one: &Observation| one.get(section)?.get(name).cloned();
            let (fresh, runs) = (fresh.each_ref().map(value), runs.each_ref().map(value));
            differences.extend(difference(section, name, fresh, runs, is_first_party));
        }
    }
    differences
}

fn difference(
    section: &str,
    name: &str,
    fresh: [Option<String>; 2],
    runs: [Option<String>; 2],
    is_first_party: &dyn Fn(&str) -> bool,
) -> Option<Difference> {
    // A generator that only the template has imported counts as drawn anew by each start.
    let settled = fresh[0] == fresh[1] && !(section == "random" && fresh[0].is_none());
    if settled && runs.iter().all(|run| *run == fresh[0]) {
        return None;
    }
    // What every start draws anew, every run must draw anew.
    let alike = !settled && (runs[0] == runs[1] || runs.iter().any(|run| fresh.contains(run)));
    if !settled && !alike {
        return None;
    }
    let [fresh, _] = fresh;
    let [one, other] = runs;
    let run = if settled && one == fresh { other } else { one };
    let reason = reason(section, name, fresh.as_deref(), run.as_deref(), is_first_party);
    let problem = alike.then_some("fresh processes are unlike each other, and runs are not");
    Some(Difference { section: section.to_owned(), name: name.to_owned(), fresh, run, problem, reason })
}

/// The documented reason for a difference.
fn reason(
    section: &str,
    name: &str,
    fresh: Option<&str>,
    run: Option<&str>,
    is_first_party: &dyn Fn(&str) -> bool,
) -> Option<&'static str> {
    match (section, name, fresh, run) {
        ("modules", _, None, Some(_)) if is_ours(name) => Some("hotreload's own"),
        ("modules", _, None, Some(file)) if !is_first_party(file) => Some("imported ahead"),
        ("descriptors", number, None, Some(target)) => {
            let private = number.parse().is_ok_and(|number: u32| number >= FIRST_PRIVATE_DESCRIPTOR);
            (private && target.starts_with("socket"))
                .then_some("brings the run's result to whoever asked for it")
        }
        ("interpreter", "hash seed", _, _) => Some("drawn when the template was started"),
        ("interpreter", "gc frozen", Some("none"), Some("some")) => {
            Some("keeps memory shared with the template")
        }
        ("limits", "RLIMIT_LOCKS", _, _) => Some("marks what belongs to a run; Linux does not use it"),
        ("threads", "of the process", Some(fresh), Some(run)) => {
            let fewer = fresh.parse::<u32>().ok() > run.parse::<u32>().ok();
            fewer.then_some("thread pools of libraries start again when they are used")
        }
        ("hooks", "atexit", Some(fresh), Some(run)) => {
            let more = run.parse::<u32>().ok() > fresh.parse::<u32>().ok();
            more.then_some("modules imported ahead have functions called at the end")
        }
        _ => None,
    }
}

fn is_ours(module: &str) -> bool {
    let top_level = module.split('.').next().unwrap_or(module);
    matches!(top_level, "hotreload" | "cloudpickle")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The difference in one value, given as two fresh processes and two runs have it.
    fn of(section: &str, name: &str, values: [&str; 4]) -> Option<Difference> {
        let value = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let [a, b, c, d] = values.map(value);
        difference(section, name, [a, b], [c, d], &|file| file.starts_with("/project/"))
    }

    fn unexpected(section: &str, name: &str, values: [&str; 4]) -> bool {
        of(section, name, values).is_some_and(|difference| difference.reason.is_none())
    }

    #[test]
    fn of_a_process_that_died_only_its_end_is_compared() {
        let observation = |json: &str| -> Observation { serde_json::from_str(json).unwrap() };
        let lived = r#"{"outcome": {"imports": "done"}, "limits": {"RLIMIT_CORE": "0"}}"#;
        let died = r#"{"outcome": {"imports": "ended the process with exit code 1"}}"#;
        let [fresh, runs] = [lived, died].map(|json| [observation(json), observation(json)]);
        let differences = compare(&fresh, &runs, &|_| false);
        assert_eq!(differences.iter().map(|one| one.section.as_str()).collect::<Vec<_>>(), ["outcome"]);
    }

    #[test]
    fn what_is_settled_must_be_the_same_in_every_run() {
        assert_eq!(of("process", "umask", ["022", "022", "022", "022"]), None);
        assert!(unexpected("process", "umask", ["022", "022", "077", "077"]));
        let second = of("process", "umask", ["022", "022", "022", "077"]).unwrap();
        assert_eq!(second.run.as_deref(), Some("077"));
    }

    #[test]
    fn what_each_start_draws_anew_each_run_must_draw_anew() {
        assert_eq!(of("random", "random", ["1", "2", "3", "4"]), None);
        assert!(unexpected("random", "random", ["1", "2", "3", "3"]));
        assert!(unexpected("random", "random", ["1", "2", "2", "3"]));
        assert_eq!(of("random", "random", ["7", "7", "7", "7"]), None, "the program seeds it itself");
        assert!(unexpected("random", "random", ["7", "7", "3", "4"]));
        assert_eq!(of("random", "random", ["", "", "3", "4"]), None, "imported ahead");
        assert!(unexpected("random", "random", ["", "", "3", "3"]));
        assert!(!unexpected("interpreter", "hash seed", ["1", "2", "3", "3"]), "documented");
    }

    #[test]
    fn modules_may_be_there_ahead_but_not_missing_nor_the_projects_own() {
        assert!(!unexpected("modules", "json", ["", "", "/lib/json.py", "/lib/json.py"]));
        assert!(!unexpected("modules", "hotreload._run", ["", "", "/x.py", "/x.py"]));
        assert!(unexpected("modules", "shop.web", ["", "", "/project/web.py", "/project/web.py"]));
        assert!(unexpected("modules", "json", ["/lib/json.py", "/lib/json.py", "", ""]));
        assert!(unexpected("modules", "json", ["/lib/json.py", "/lib/json.py", "/other.py", "/other.py"]));
    }

    #[test]
    fn descriptors_and_threads_have_few_excuses() {
        assert!(!unexpected("descriptors", "201", ["", "", "socket, flags 2", "socket, flags 2"]));
        assert!(unexpected("descriptors", "5", ["", "", "socket, flags 2", "socket, flags 2"]));
        assert!(unexpected("descriptors", "201", ["", "", "/etc/passwd", "/etc/passwd"]));
        assert!(!unexpected("threads", "of the process", ["2", "2", "1", "1"]));
        assert!(unexpected("threads", "of the process", ["1", "1", "2", "2"]));
    }
}
