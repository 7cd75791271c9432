//! Memory that a process shares with no other.

use std::fs;

use rustix::param::page_size;

/// The memory that process `pid` shares with no other, in bytes; none if that cannot be told.
pub(crate) fn of(pid: i32) -> Option<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let kilobytes = |line: &str| line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok();
    Some(rollup.lines().filter(|line| line.starts_with("Private_")).filter_map(kilobytes).sum::<u64>() << 10)
}

/// More than that, in bytes: what no file backs, whoever else has it too. The kernel has counted that already, while for
/// the other it looks at each page.
pub(crate) fn at_most(pid: i32) -> Option<u64> {
    let pages = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let mut pages = pages.split_ascii_whitespace().skip(1).map_while(|pages| pages.parse::<u64>().ok());
    let (resident, of_files) = (pages.next()?, pages.next()?);
    Some(resident.saturating_sub(of_files) * page_size() as u64)
}
