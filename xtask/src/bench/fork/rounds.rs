//! Rounds of measuring, until the ratios hold still.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::samples::{Ratio, Samples};
use crate::bench::statistics::load;

/// Which part of itself a ratio's standard error may be if it holds still.
const STILL: f64 = 0.05;

/// In how many rounds a ratio must have been measured before anything can be said of its error.
const FEWEST: usize = 5;

/// What one round came to, as the measuring program tells it.
#[derive(Deserialize)]
struct Answer {
    /// Modules that the template should have and has not.
    excluded: Vec<String>,
    /// Why firehot gave no result; empty if it gave one.
    no_firehot: String,
    samples: Samples,
}

/// One template, and how busy the machine was.
#[derive(Default, Serialize)]
pub(super) struct Measured {
    rounds: Vec<Samples>,
    /// Whether each ratio is known well enough.
    holds_still: bool,
    load_before: String,
    load_after: String,
    no_firehot: String,
}

/// Has `command` measure round after round, `most` at most.
pub(super) fn measure(command: &mut Command, most: u32) -> Result<Measured> {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("cannot start Python")?;
    let (Some(mut requests), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
        anyhow::bail!("the measuring program has no pipes");
    };
    let mut answers = BufReader::new(answers).lines();
    let mut measured = Measured { load_before: load()?, ..Measured::default() };
    for _ in 0..most {
        writeln!(requests, "round").context("the measuring program has ended")?;
        let answer = answers.next().context("the measuring program has ended")??;
        let Answer { excluded, no_firehot, samples } =
            serde_json::from_str(&answer).context("the measuring program gave no JSON")?;
        ensure!(excluded.is_empty(), "the template lacks {}", excluded.join(", "));
        measured.rounds.push(samples);
        measured.no_firehot = no_firehot;
        measured.holds_still =
            measured.rounds.len() >= FEWEST && hold_still(&Samples::ratios_of(&measured.rounds));
        if measured.holds_still {
            break;
        }
    }
    drop(requests);
    ensure!(child.wait()?.success(), "the measuring program failed");
    measured.load_after = load()?;
    Ok(measured)
}

fn hold_still(ratios: &[Ratio]) -> bool {
    // A ratio that is not a number has not been measured.
    ratios.iter().all(|ratio| ratio.error <= STILL * ratio.value)
}

impl Measured {
    pub(super) fn print(&self, name: &str) {
        Samples::print(&self.rounds, name);
        if !self.no_firehot.is_empty() {
            anstream::println!("\nfirehot 0.5.2: no result: {}", self.no_firehot);
        }
        let verdict = if self.holds_still { "the ratios hold still" } else { "the ratios still move" };
        anstream::println!(
            "\n{} rounds, {verdict}; load average before: {}; after: {}",
            self.rounds.len(),
            self.load_before,
            self.load_after
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_hold_still_when_each_is_known_well_enough() {
        let known = |value, error| Ratio { what: "", value, error, budget: 1.0 };
        assert!(hold_still(&[known(1.0, 0.04), known(2.0, 0.09), known(0.0, 0.0)]));
        assert!(!hold_still(&[known(1.0, 0.04), known(2.0, 0.11)]));
        assert!(!hold_still(&[known(1.0, f64::NAN)]), "it was not measured");
    }
}
