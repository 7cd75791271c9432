//! Samples, and the ratios for which the design sets a budget.

use serde::{Deserialize, Serialize};

use crate::bench::statistics::quantile;

/// What was measured and every sample of it, in the order in which it was met. Times are in seconds.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(transparent)]
pub(super) struct Samples(Vec<(String, Vec<f64>)>);

/// A ratio and the most that it may be.
#[derive(Clone, Copy)]
pub(super) struct Ratio {
    pub(super) what: &'static str,
    pub(super) value: f64,
    /// By how much that may be off: its standard error.
    pub(super) error: f64,
    pub(super) budget: f64,
}

/// The standard error of the median of one sample, as a part of the distance between the quartiles, if samples are spread
/// normally: √(π/2) standard deviations, of which 1.349 lie between the quartiles.
const STANDARD_ERROR: f64 = 0.93;

impl Samples {
    fn extend(&mut self, more: &Self) {
        for (what, samples) in &more.0 {
            match self.0.iter_mut().find(|(known, _)| known == what) {
                Some((_, known)) => known.extend(samples),
                None => self.0.push((what.clone(), samples.clone())),
            }
        }
    }

    /// The same ratios of several rounds: of each, the median. What is compared was measured in one round, since a machine's
    /// speed differs more between rounds than within one.
    #[expect(clippy::cast_precision_loss, reason = "a few rounds")]
    pub(super) fn ratios_of(rounds: &[Self]) -> Vec<Ratio> {
        let by_round: Vec<_> = rounds.iter().map(Self::ratios).collect();
        let Some(first) = by_round.first() else { return Vec::new() };
        let of_rounds = |(index, ratio): (usize, &Ratio)| {
            let values: Vec<_> = by_round.iter().map(|ratios| ratios[index].value).collect();
            let [low, median, high] = [0.25, 0.5, 0.75].map(|share| quantile(&values, share));
            Ratio {
                value: median,
                error: STANDARD_ERROR * (high - low) / (values.len() as f64).sqrt(),
                ..*ratio
            }
        };
        first.iter().enumerate().map(of_rounds).collect()
    }

    /// Each budget of the design's table that concerns runs and templates, and what there is of it.
    fn ratios(&self) -> Vec<Ratio> {
        let median = |what| self.median(what);
        let fork = median("bare fork");
        let sustained = median("bare fork, sustained");
        let addition = median("plain import of an addition") + 2.0 * fork;
        let a_millisecond = 1e-3;
        let ratio = |what, value, budget| Ratio { what, value, error: f64::NAN, budget };
        vec![
            ratio(
                "run to function with a spare / bare fork",
                median("run to function, with a spare") / fork,
                0.1,
            ),
            ratio(
                "run to function without / bare fork",
                median("run to function, without spares") / fork,
                1.3,
            ),
            ratio(
                "sustained run, 1 caller / sustained bare fork",
                median("run, sustained, 1 caller, without spares") / sustained,
                1.2,
            ),
            ratio(
                "sustained run, 4 callers / sustained bare fork",
                median("run, sustained, 4 callers, without spares") / sustained,
                1.2,
            ),
            ratio(
                "build / plain import",
                median("build (open, from the first import)") / median("plain import"),
                1.1,
            ),
            ratio("layer / (plain import of the addition + 2 forks)", median("layer") / addition, 1.0),
            ratio(
                "update of 1,000 modules / 1 ms",
                median("update, nothing new, 1000 modules") / a_millisecond,
                1.0,
            ),
            ratio(
                "private memory of a run / template's",
                median("private memory of a run, without spares"),
                0.02,
            ),
            ratio("processor while idle", median("processor while idle"), 0.0),
        ]
    }

    /// Prints two tables: the samples of all rounds, and the ratios with their budgets.
    pub(super) fn print(rounds: &[Self], name: &str) {
        let mut all = Self::default();
        for round in rounds {
            all.extend(round);
        }
        anstream::println!("\n| {name} | median | quartiles | samples |\n|---|---:|---:|---:|");
        for (what, samples) in &all.0 {
            let [low, median, high] = [0.25, 0.5, 0.75].map(|share| shown(what, quantile(samples, share)));
            anstream::println!("| {what} | {median} | {low} to {high} | {} |", samples.len());
        }
        anstream::println!("\n| {name} | ratio | budget | |\n|---|---:|---:|---|");
        for Ratio { what, value, error, budget } in Self::ratios_of(rounds) {
            let verdict = if value <= budget { "reached" } else { "over" };
            anstream::println!("| {what} | {value:.2} ± {error:.2} | {budget} | {verdict} |");
        }
    }

    fn median(&self, what: &str) -> f64 {
        let found = self.0.iter().find(|(name, _)| name == what);
        found.map_or(f64::NAN, |(_, samples)| quantile(samples, 0.5))
    }
}

/// A sample with its unit; of sustained runs, how many there are in a second.
fn shown(what: &str, value: f64) -> String {
    if what.contains("sustained") {
        format!("{:.0} /s", 1.0 / value)
    } else if what.starts_with("private memory") || what.starts_with("processor") {
        format!("{:.1} %", value * 100.0)
    } else {
        format!("{:.2} ms", value * 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_of_medians_and_those_of_rounds_are_their_medians() {
        let samples = |text: &str| serde_json::from_str::<Samples>(text).unwrap();
        let mut all = samples(r#"[["bare fork", [0.002]], ["run to function, with a spare", [0.0001]]]"#);
        all.extend(&samples(r#"[["bare fork", [0.004, 0.002]]]"#));
        assert!((all.median("bare fork") - 0.002).abs() < 1e-9);
        let ratios = all.ratios();
        assert!((ratios[0].value - 0.05).abs() < 1e-9);
        assert!(ratios[1].value.is_nan(), "it was not measured");

        // The second time, the machine was half as fast.
        let slower = samples(r#"[["bare fork", [0.004]], ["run to function, with a spare", [0.0002]]]"#);
        let ratios = Samples::ratios_of(&[all.clone(), slower, all]);
        assert!((ratios[0].value - 0.05).abs() < 1e-9);
        assert!(ratios[0].error < 1e-9, "the rounds agree");
        assert!(Samples::ratios_of(&[]).is_empty());
    }
}
