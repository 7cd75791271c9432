//! The examination for people.

use std::fmt::Write as _;

use super::advice::{Advice, When};
use super::examination::{Appeared, Cost, Examination, Excluded, Lazy, Learned, Variable};
use crate::commands::quantities::{bytes, duration};

/// How many packages are shown, if they are worth it.
const SHOWN_PACKAGES: usize = 20;
/// A package that takes less than one part in so many of the imports is not shown.
const SMALL_SHARE: u64 = 200;
/// How many entries other sections show.
const SHOWN: usize = 10;

pub(super) fn render(examination: &Examination) -> String {
    let mut text = summary(examination);
    costs(&mut text, &examination.costs, examination.build.import_micros);
    excluded(&mut text, &examination.excluded);
    lazy(&mut text, &examination.lazy);
    learned(&mut text, &examination.learned);
    appeared(&mut text, "Threads that imports have left", &examination.threads);
    appeared(&mut text, "Descriptors that imports have left open", &examination.descriptors);
    variables(&mut text, &examination.variables);
    advice(&mut text, &examination.advice);
    text
}

fn summary(examination: &Examination) -> String {
    let build = &examination.build;
    format!(
        "{} on Python {}: {} modules imported in {}, {} of private memory; template built in {}\n",
        examination.packages.join(", "),
        examination.python,
        build.modules,
        duration(build.import_micros),
        bytes(build.memory),
        duration(build.micros)
    )
}

fn costs(text: &mut String, costs: &[Cost], whole: u64) {
    let worth_it = |cost: &&Cost| cost.total_micros.max(cost.self_micros) >= whole / SMALL_SHARE;
    let shown: Vec<&Cost> = costs.iter().filter(worth_it).take(SHOWN_PACKAGES).collect();
    if shown.is_empty() {
        return;
    }
    let width = shown.iter().map(|cost| cost.package.chars().count()).max().unwrap_or(0).max(7);
    let _ = writeln!(
        text,
        "\n{:width$}  {:>8}  {:>8}  {:>8}  {:>10}  {:>7}",
        "package", "time", "own time", "memory", "own memory", "modules"
    );
    for cost in &shown {
        let _ = writeln!(
            text,
            "{:width$}  {:>8}  {:>8}  {:>8}  {:>10}  {:>7}{}",
            cost.package,
            duration(cost.total_micros),
            duration(cost.self_micros),
            bytes(cost.total_memory),
            bytes(cost.self_memory),
            cost.modules,
            if cost.kind == "stdlib" { "  standard library" } else { "" }
        );
    }
    if let Some(more @ 1..) = costs.len().checked_sub(shown.len()) {
        let rest: u64 = costs
            .iter()
            .filter(|cost| !shown.iter().any(|shown| shown.package == cost.package))
            .map(|cost| cost.self_micros)
            .sum();
        let _ = writeln!(text, "… and {more} more, {} by themselves", duration(rest));
    }
}

fn excluded(text: &mut String, excluded: &[Excluded]) {
    section(text, "Not in the template", excluded, |text, excluded| {
        let _ = write!(text, "{}  {}  {}:{}", excluded.module, excluded.cause, excluded.file, excluded.line);
        if let Some(micros) = excluded.micros.filter(|micros| *micros >= 1_000) {
            let _ = write!(text, "  after {}", duration(micros));
        }
    });
}

fn lazy(text: &mut String, lazy: &[Lazy]) {
    section(text, "Imported only inside functions", lazy, |text, lazy| {
        let _ = write!(text, "{}  {}:{}", lazy.module, lazy.file, lazy.line);
        if let Some(more @ 1..) = lazy.places.checked_sub(1) {
            let _ = write!(text, " (+{more})");
        }
        cost(text, lazy.micros, lazy.memory);
    });
}

fn learned(text: &mut String, learned: &[Learned]) {
    section(
        text,
        "Learned: loaded by earlier runs, though no import names them",
        learned,
        |text, learned| {
            text.push_str(&learned.module);
            match &learned.excluded {
                Some(cause) => {
                    let _ = write!(text, "  is not in the template, since it {cause}");
                }
                None => cost(text, learned.micros, learned.memory),
            }
        },
    );
}

/// The cost of a planned module.
fn cost(text: &mut String, micros: u64, memory: i64) {
    if micros == 0 {
        text.push_str("  comes with others");
    } else {
        let _ = write!(text, "  {}, {}", duration(micros), bytes(memory));
    }
}

fn appeared(text: &mut String, title: &str, appeared: &[Appeared]) {
    section(text, title, appeared, |text, appeared| {
        let _ = write!(text, "{}", appeared.what);
        if appeared.count > 1 {
            let _ = write!(text, " × {}", appeared.count);
        }
        let _ = write!(text, "  by {}", appeared.module);
    });
}

fn variables(text: &mut String, variables: &[Variable]) {
    let title = "Environment variables that imports read: a run with other values gets its own template";
    section(text, title, variables, |text, variable| {
        let _ = write!(text, "{}", variable.name);
        if !variable.set {
            text.push_str(" (not set)");
        }
        let _ = write!(text, "  by {}", variable.modules.first().map_or("", String::as_str));
        if let Some(more @ 1..) = variable.modules.len().checked_sub(1) {
            let _ = write!(text, " (+{more})");
        }
    });
}

fn advice(text: &mut String, advice: &[Advice]) {
    text.push_str("\nWhat would help most\n");
    if advice.is_empty() {
        text.push_str("  Nothing stands out.\n");
    }
    for (number, advice) in (1..).zip(advice.iter().take(SHOWN)) {
        let _ = write!(text, "  {number}. {}.", advice.what);
        if advice.saves_micros > 0 {
            let (least, when) = match advice.when {
                When::Run => ("up to ", "run"),
                When::Build => ("", "build"),
            };
            let _ = write!(text, " That is {least}{} in each {when}.", duration(advice.saves_micros));
        }
        let _ = writeln!(text, "\n     {}", advice.how);
    }
}

fn section<T>(text: &mut String, title: &str, entries: &[T], describe: impl Fn(&mut String, &T)) {
    if entries.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{title}");
    for entry in entries.iter().take(SHOWN) {
        text.push_str("  ");
        describe(text, entry);
        text.push('\n');
    }
    if let Some(more @ 1..) = entries.len().checked_sub(SHOWN) {
        let _ = writeln!(text, "  … and {more} more; --format json has them all");
    }
}
