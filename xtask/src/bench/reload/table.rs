//! The figures for people: a table for each project.

use std::fmt::Write as _;

use super::measurement::{Machine, Measurement, Project, Tool};

/// The tables of all projects, with what they were measured on.
pub(super) fn text(measurement: &Measurement) -> String {
    let mut text = measurement.machine.as_ref().map(machine).unwrap_or_default();
    for project in &measurement.projects {
        text += &table(project);
    }
    text
}

fn machine(machine: &Machine) -> String {
    let Machine { processors, linux, python, distributions } = machine;
    let versions: Vec<_> = distributions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    format!(
        "{processors} processors, Linux {linux}, CPython {python}; {}\nMedians (quartiles; number of edits) from save to \
         changed answer.\n",
        versions.join(", ")
    )
}

fn table(project: &Project) -> String {
    let edits = project.edits();
    let mut text = format!("\n| {} ", project.name);
    for edit in &edits {
        let _ = write!(text, "| {edit} ");
    }
    text += "| memory | processes | processor while idle |\n|---";
    text += &"|---:".repeat(edits.len() + 3);
    text += "|\n";
    for tool in &project.tools {
        let _ = write!(text, "| {} ", tool.name);
        for edit in &edits {
            let _ = write!(text, "| {} ", cell(tool, edit));
        }
        match &tool.rest {
            Some(rest) => {
                let (megabytes, share) = (rest.memory / 1024, rest.processor * 100.0);
                let _ = writeln!(text, "| {megabytes} MB | {} | {share:.2} % |", rest.processes);
            }
            None => text += "| | | |\n",
        }
    }
    for tool in &project.tools {
        if let Some(rest) = tool.rest.as_ref().filter(|rest| rest.checkpoints > 0) {
            let each = rest.checkpoint_memory / u64::from(rest.checkpoints);
            let (whole, tenths) = (each / 1024, each % 1024 * 10 / 1024);
            let _ =
                writeln!(text, "\n{}: {} checkpoints, {whole}.{tenths} MB each", tool.name, rest.checkpoints);
        }
    }
    for tool in &project.tools {
        for trouble in &tool.troubles {
            let _ = writeln!(text, "\n{}: {trouble}", tool.name);
        }
    }
    for [before, after] in &project.loads {
        let _ = writeln!(text, "\nload average before: {before}; after: {after}");
    }
    text
}

/// Median and quartiles in milliseconds, and of how many edits.
fn cell(tool: &Tool, edit: &str) -> String {
    let (made, missed) = tool.missed(edit);
    let mut cell = match tool.quartiles(edit).map(|quartiles| quartiles.map(|seconds| seconds * 1000.0)) {
        Some([low, median, high]) => {
            format!("{median:.0} ms ({low:.0} to {high:.0}; {})", made - missed)
        }
        None => String::new(),
    };
    if missed > 0 {
        let _ = write!(cell, " {missed} never answered");
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::super::measurement::Sample;
    use super::*;

    #[test]
    fn a_table_shows_medians_and_what_was_never_answered() {
        let mut measurement = Measurement::default();
        let project = measurement.project("large");
        for (edit, seconds) in [
            ("deep", Some(0.5)),
            ("leaf", Some(0.1)),
            ("leaf", Some(0.3)),
            ("leaf", Some(0.2)),
            ("leaf", None),
        ] {
            let (edit, save) = (edit.to_owned(), "write".to_owned());
            project.tool("hr run").samples.push(Sample { edit, save, seconds });
        }
        project.tool("absent").troubles.push("does not answer".to_owned());
        let text = text(&measurement);
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[1].starts_with("| large | leaf | deep | memory"), "{text}");
        assert!(
            lines[3]
                .starts_with("| hr run | 200 ms (200 to 300; 3) 1 never answered | 500 ms (500 to 500; 1) |"),
            "{text}"
        );
        assert!(text.contains("absent: does not answer"), "{text}");
    }
}
