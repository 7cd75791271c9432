//! Memory that a process shares with no other.

use std::fs;

/// The memory that process `pid` shares with no other, in bytes; none if that cannot be told.
pub(crate) fn of(pid: i32) -> Option<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let kilobytes = |line: &str| line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok();
    Some(rollup.lines().filter(|line| line.starts_with("Private_")).filter_map(kilobytes).sum::<u64>() << 10)
}
