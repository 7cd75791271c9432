//! Rounds of measuring, until the ratios hold still.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::samples::{Ratio, Samples};
use crate::bench::statistics::load;

/// By how much of itself a ratio may move from one round to the next and still count as holding still.
const STILL: f64 = 0.05;

/// In how many rounds, one after the other, all ratios must hold still.
const STILL_ROUNDS: u32 = 2;

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
    rounds: u32,
    /// Whether the last rounds did not change the ratios any more.
    holds_still: bool,
    load_before: String,
    load_after: String,
    no_firehot: String,
    samples: Samples,
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
    let mut still = 0;
    while measured.rounds < most && still < STILL_ROUNDS {
        let before = measured.samples.ratios();
        writeln!(requests, "round").context("the measuring program has ended")?;
        let answer = answers.next().context("the measuring program has ended")??;
        let Answer { excluded, no_firehot, samples } =
            serde_json::from_str(&answer).context("the measuring program gave no JSON")?;
        ensure!(excluded.is_empty(), "the template lacks {}", excluded.join(", "));
        measured.samples.extend(samples);
        measured.no_firehot = no_firehot;
        measured.rounds += 1;
        still = if hold_still(&before, &measured.samples.ratios()) { still + 1 } else { 0 };
    }
    drop(requests);
    ensure!(child.wait()?.success(), "the measuring program failed");
    measured.holds_still = still >= STILL_ROUNDS;
    measured.load_after = load()?;
    Ok(measured)
}

fn hold_still(before: &[Ratio], after: &[Ratio]) -> bool {
    // A ratio that is not a number has not been measured.
    before.iter().zip(after).all(|(before, after)| (after.value - before.value).abs() <= STILL * before.value)
}

impl Measured {
    pub(super) fn print(&self, name: &str) {
        self.samples.print(name);
        if !self.no_firehot.is_empty() {
            anstream::println!("\nfirehot 0.5.2: no result: {}", self.no_firehot);
        }
        let verdict = if self.holds_still { "the ratios hold still" } else { "the ratios still move" };
        anstream::println!(
            "\n{} rounds, {verdict}; load average before: {}; after: {}",
            self.rounds,
            self.load_before,
            self.load_after
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_hold_still_when_none_moves_much() {
        let ratios = |values: [f64; 2]| values.map(|value| Ratio { what: "", value, budget: 1.0 });
        assert!(hold_still(&ratios([1.0, 2.0]), &ratios([1.04, 1.95])));
        assert!(!hold_still(&ratios([1.0, 2.0]), &ratios([1.0, 2.2])));
        assert!(!hold_still(&ratios([1.0, f64::NAN]), &ratios([1.0, 2.0])), "there was no round before");
        assert!(hold_still(&ratios([0.0, 2.0]), &ratios([0.0, 2.0])));
    }
}
