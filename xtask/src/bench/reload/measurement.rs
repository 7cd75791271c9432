//! What was measured, as it is kept in a file. Times are in seconds, memory in kilobytes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::bench::statistics::quantile;

/// Every sample, and where it was taken.
#[derive(Default, Deserialize, Serialize)]
pub(super) struct Measurement {
    pub(super) machine: Option<Machine>,
    pub(super) projects: Vec<Project>,
}

/// What the figures depend on.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Machine {
    pub(super) processors: usize,
    pub(super) linux: String,
    pub(super) python: String,
    /// Versions by the names of distributions.
    pub(super) distributions: BTreeMap<String, String>,
}

/// One project, under each tool.
#[derive(Deserialize, Serialize)]
pub(super) struct Project {
    pub(super) name: String,
    /// The load averages before and after each measurement.
    pub(super) loads: Vec<[String; 2]>,
    pub(super) tools: Vec<Tool>,
}

/// One tool, in the order in which the driver names them.
#[derive(Deserialize, Serialize)]
pub(super) struct Tool {
    pub(super) name: String,
    /// What was typed.
    pub(super) command: String,
    pub(super) samples: Vec<Sample>,
    /// After the last edit.
    pub(super) rest: Option<Rest>,
    /// What went wrong.
    pub(super) troubles: Vec<String>,
}

/// One edit.
#[derive(Deserialize, Serialize)]
pub(super) struct Sample {
    pub(super) edit: String,
    /// How it was saved: a file put in the place of the other, or written over.
    pub(super) save: String,
    /// Until the change was answered; none if it was not.
    pub(super) seconds: Option<f64>,
}

/// What a tool and its server take while nothing happens.
#[derive(Deserialize, Serialize)]
pub(super) struct Rest {
    pub(super) processes: u32,
    /// That no file backs, and that the processes share counted once.
    pub(super) memory: u64,
    /// Share of one processor.
    pub(super) processor: f64,
    /// How many paused copies of the program there are.
    #[serde(default)]
    pub(super) checkpoints: u32,
    /// What they have for themselves, all of them.
    #[serde(default)]
    pub(super) checkpoint_memory: u64,
}

impl Measurement {
    pub(super) fn read(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} holds no measurement", file.display()))
    }

    pub(super) fn write(&self, file: &Path) -> Result<()> {
        fs::write(file, serde_json::to_string_pretty(self)?)
            .with_context(|| format!("cannot write {}", file.display()))
    }

    /// Takes on the machine of a further measurement, which must be the same.
    pub(super) fn on(&mut self, machine: &Machine) -> Result<()> {
        let known = self.machine.get_or_insert_with(|| machine.clone());
        ensure!(known == machine, "measured before on {known:?}, now on {machine:?}: start another file");
        Ok(())
    }

    pub(super) fn project(&mut self, name: &str) -> &mut Project {
        let position = self.projects.iter().position(|project| project.name == name).unwrap_or_else(|| {
            self.projects.push(Project { name: name.to_owned(), loads: Vec::new(), tools: Vec::new() });
            self.projects.len() - 1
        });
        &mut self.projects[position]
    }
}

impl Project {
    /// What was measured: the start, and the edits that were made once or twice.
    pub(super) fn edits(&self) -> Vec<String> {
        let times = |edit: &str| [edit.to_owned(), format!("{edit} first"), format!("{edit} again")];
        let known = std::iter::once("start".to_owned()).chain(super::EDITS.into_iter().flat_map(times));
        known
            .filter(|edit| {
                self.tools.iter().flat_map(|tool| &tool.samples).any(|sample| sample.edit == *edit)
            })
            .collect()
    }

    pub(super) fn tool(&mut self, name: &str) -> &mut Tool {
        let position = self.tools.iter().position(|tool| tool.name == name).unwrap_or_else(|| {
            let (name, command) = (name.to_owned(), String::new());
            self.tools.push(Tool { name, command, samples: Vec::new(), rest: None, troubles: Vec::new() });
            self.tools.len() - 1
        });
        &mut self.tools[position]
    }
}

impl Tool {
    /// Lower quartile, median and upper quartile for one edit, in seconds; none if the change was never answered.
    pub(super) fn quartiles(&self, edit: &str) -> Option<[f64; 3]> {
        let seconds: Vec<_> = self.of(edit).filter_map(|sample| sample.seconds).collect();
        (!seconds.is_empty()).then(|| [0.25, 0.5, 0.75].map(|share| quantile(&seconds, share)))
    }

    /// How often one edit was made, and how often it was not answered.
    pub(super) fn missed(&self, edit: &str) -> (usize, usize) {
        (self.of(edit).count(), self.of(edit).filter(|sample| sample.seconds.is_none()).count())
    }

    fn of<'a>(&'a self, edit: &'a str) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(move |sample| sample.edit == edit)
    }
}
