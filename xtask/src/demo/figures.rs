//! What was measured, as a table for people.

use std::time::Duration;

use serde::Deserialize;

/// What `fixtures/realapp/measure.py` reports. Seconds.
#[derive(Deserialize)]
pub(crate) struct Measured {
    /// From before hotreload was imported until the first run's result was there, template included.
    pub(crate) first_run: f64,
    /// From request to result of runs that follow, nothing changed.
    pub(crate) next_runs: Vec<f64>,
    /// From saving an edit to the result of the run that shows it.
    pub(crate) after_edit: Vec<f64>,
}

/// The whole demo's figures.
pub(crate) struct Figures {
    /// Whole plain Python processes, from start to exit.
    pub(crate) cold: Vec<Duration>,
    pub(crate) measured: Measured,
}

impl Figures {
    /// One line per figure: what, milliseconds, and how many times faster than the cold start.
    pub(crate) fn table(&self) -> String {
        let cold = median(self.cold.iter().map(Duration::as_secs_f64).collect());
        let next = median(self.measured.next_runs.clone());
        let after_edit = median(self.measured.after_edit.clone());
        let rows = [
            (format!("cold start, plain Python (median of {})", self.cold.len()), cold),
            ("first run under hotreload (builds the template)".to_owned(), self.measured.first_run),
            (format!("next runs (median of {})", self.measured.next_runs.len()), next),
            (format!("run after an edit (median of {})", self.measured.after_edit.len()), after_edit),
        ];
        let heading = format!("{:<48} {:>10} {:>14}", "realapp", "time", "vs cold start");
        let lines = rows.into_iter().map(|(what, seconds)| {
            let ratio = format!("{:.1} x", cold / seconds);
            format!("{what:<48} {:>7.0} ms {ratio:>14}", seconds * 1000.0)
        });
        std::iter::once(heading).chain(lines).collect::<Vec<_>>().join("\n")
    }
}

/// The middle value, or the lower of the two in the middle. Zero if there is none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_shows_medians_and_ratios() {
        let measured = Measured { first_run: 4.0, next_runs: vec![0.1, 9.0, 0.2], after_edit: vec![0.4] };
        let figures = Figures { cold: vec![Duration::from_secs(2)], measured };
        let table = figures.table();
        let lines: Vec<_> = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).collect();
        let ends: Vec<_> = lines[1..].iter().map(|words| words[words.len() - 4..].join(" ")).collect();
        assert_eq!(ends, ["2000 ms 1.0 x", "4000 ms 0.5 x", "200 ms 10.0 x", "400 ms 5.0 x"]);
    }
}
