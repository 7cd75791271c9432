//! The comparison for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Ahead;
use super::compare::Difference;

/// How many names are shown of what has one reason.
const SHOWN: usize = 5;
/// A longer value is shown in part, in characters.
const LONG: usize = 160;

pub(super) fn render(
    entry: &str,
    imports: &str,
    differences: &[Difference],
    expected: &[Difference],
    ahead: &[Ahead],
) -> String {
    let mut text = String::new();
    if imports != "done" {
        let _ = writeln!(text, "Importing {entry} {imports}. This is how things are then.\n");
    }
    if differences.is_empty() {
        let _ = writeln!(text, "{entry}: at the end of its imports a run is what a fresh process is.");
    } else {
        let _ = writeln!(text, "{entry}: at the end of its imports a run differs from a fresh process.");
    }
    for difference in differences {
        describe(&mut text, difference);
    }
    if !differences.is_empty() && !ahead.is_empty() {
        text.push_str("\nImported ahead of need, which may explain it\n");
        for Ahead { module, file, line } in ahead.iter().take(SHOWN) {
            let _ = match (file, line) {
                (Some(file), Some(line)) => writeln!(text, "  {module}  for a function: {file}:{line}"),
                _ => writeln!(text, "  {module}  since an earlier run has loaded it"),
            };
        }
        if let Some(more @ 1..) = ahead.len().checked_sub(SHOWN) {
            let _ = writeln!(text, "  … and {more} more; --format json has them all");
        }
    }
    if !expected.is_empty() {
        text.push_str("\nExpected\n");
    }
    let mut by_reason: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for one in expected {
        by_reason.entry((&one.section, one.reason.unwrap_or_default())).or_default().push(&one.name);
    }
    for ((section, reason), names) in by_reason {
        let _ = write!(text, "  {section}: {}", names[..names.len().min(SHOWN)].join(", "));
        if let Some(more @ 1..) = names.len().checked_sub(SHOWN) {
            let _ = write!(text, " and {more} more");
        }
        let _ = writeln!(text, "  {reason}");
    }
    text
}

fn describe(text: &mut String, difference: &Difference) {
    let _ = writeln!(text, "\n  {}: {}", difference.section, difference.name);
    if let Some(problem) = difference.problem {
        let _ = writeln!(text, "    {problem}");
        return;
    }
    let (fresh, run) = (difference.fresh.as_deref(), difference.run.as_deref());
    match (fresh, run) {
        (Some(fresh), Some(run)) if fresh.contains('\n') || run.contains('\n') => lines(text, fresh, run),
        _ => {
            let _ = writeln!(text, "    fresh  {}", shown(fresh));
            let _ = writeln!(text, "    run    {}", shown(run));
        }
    }
}

/// Lists differ in some of their lines, or in order.
fn lines(text: &mut String, fresh: &str, run: &str) {
    let (fresh, run): (Vec<&str>, Vec<&str>) = (fresh.lines().collect(), run.lines().collect());
    let only = |text: &mut String, whose: &str, these: &[&str], others: &[&str]| {
        for line in these.iter().filter(|line| !others.contains(line)) {
            let _ = writeln!(text, "    only {whose}  {}", shown(Some(line)));
        }
    };
    let before = text.len();
    only(text, "fresh", &fresh, &run);
    only(text, "run  ", &run, &fresh);
    if text.len() == before {
        let first = fresh.iter().zip(&run).position(|(one, other)| one != other);
        let number = first.unwrap_or_else(|| fresh.len().min(run.len()));
        let _ = writeln!(text, "    from the {}. entry on, in another order or number", number + 1);
        let _ = writeln!(text, "    fresh  {}", shown(fresh.get(number).copied()));
        let _ = writeln!(text, "    run    {}", shown(run.get(number).copied()));
    }
}

fn shown(value: Option<&str>) -> String {
    match value {
        None => "nothing".to_owned(),
        Some("") => "empty".to_owned(),
        Some(long) if long.chars().count() > LONG => long.chars().take(LONG).chain("…".chars()).collect(),
        Some(value) => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_long_lists_only_what_differs_is_shown() {
        let mut text = String::new();
        lines(&mut text, "a\nb\nc", "a\nc\nd");
        assert_eq!(text, "    only fresh  b\n    only run    d\n");
        text.clear();
        lines(&mut text, "a\nb\nc", "a\nc\nb");
        assert_eq!(
            text,
            "    from the 2. entry on, in another order or number\n    fresh  b\n    run    c\n"
        );
    }
}
