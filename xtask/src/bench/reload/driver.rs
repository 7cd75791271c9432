//! Has `xtask/bench/reload/driver.py` measure one project, and gathers what it tells.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::measurement::{Machine, Measurement, Rest, Sample};
use crate::bench::statistics::load;

/// One line of the driver's output.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Line {
    Versions {
        python: String,
        linux: String,
        distributions: BTreeMap<String, String>,
    },
    Tool {
        tool: String,
        command: String,
    },
    Sample {
        tool: String,
        #[serde(flatten)]
        sample: Sample,
    },
    Rest {
        tool: String,
        #[serde(flatten)]
        rest: Rest,
    },
    Trouble {
        tool: String,
        text: String,
    },
}

/// Runs the driver, and adds to `measurement` what it finds, with a call of `keep` for each sample.
pub(super) fn measure(
    command: &mut Command,
    project: &str,
    measurement: &mut Measurement,
    keep: impl Fn(&Measurement) -> Result<()>,
) -> Result<()> {
    let before = load()?;
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cannot start Python")?;
    let output = child.stdout.take().context("the driver has no output")?;
    for line in BufReader::new(output).lines() {
        let line = line.context("reading the driver's output")?;
        let line = serde_json::from_str(&line).with_context(|| format!("not a line of figures: {line}"))?;
        take(line, project, measurement)?;
        keep(measurement)?;
    }
    ensure!(child.wait()?.success(), "the driver failed");
    measurement.project(project).loads.push([before, load()?]);
    Ok(())
}

fn take(line: Line, project: &str, measurement: &mut Measurement) -> Result<()> {
    if let Line::Versions { python, linux, distributions } = line {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        return measurement.on(&Machine { processors, linux, python, distributions });
    }
    let project = measurement.project(project);
    match line {
        Line::Versions { .. } => {}
        Line::Tool { tool, command } => project.tool(&tool).command = command,
        Line::Sample { tool, sample } => project.tool(&tool).samples.push(sample),
        Line::Rest { tool, rest } => project.tool(&tool).rest = Some(rest),
        Line::Trouble { tool, text } => project.tool(&tool).troubles.push(text),
    }
    Ok(())
}
