//! What all benchmarks say of their samples, and of the machine while they were taken.

use std::fs;

use anyhow::{Context, Result};

/// The value below which `share` of the samples lie.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a small length"
)]
pub(super) fn quantile(samples: &[f64], share: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let index = (share * sorted.len().saturating_sub(1) as f64).round() as usize;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

/// The load averages over 1, 5 and 15 minutes.
pub(super) fn load() -> Result<String> {
    let text = fs::read_to_string("/proc/loadavg").context("cannot read the load average")?;
    Ok(text.split_whitespace().take(3).collect::<Vec<_>>().join(" "))
}
