//! What the kernel tells of any process of this user.

use std::fs;
use std::time::Duration;

use nix::unistd::{SysconfVar, sysconf};

/// How long ago a process was forked.
pub(super) fn age(pid: i32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let up = fs::read_to_string("/proc/uptime").ok()?;
    let ticks = sysconf(SysconfVar::CLK_TCK).ok().flatten().and_then(|ticks| u32::try_from(ticks).ok())?;
    let up: f64 = up.split_ascii_whitespace().next()?.parse().ok()?;
    let began = f64::from(u32::try_from(start_time(&stat)?).ok()?) / f64::from(ticks);
    Duration::try_from_secs_f64(up - began).ok()
}

/// When a process began, in ticks of the clock since the machine did: field 22, as `proc_pid_stat(5)` numbers them.
fn start_time(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(22 - 3)?.parse().ok()
}

/// What a process was started with.
pub(super) fn command_line(pid: i32) -> String {
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = String::from_utf8_lossy(&words);
    words.trim_end_matches('\0').replace('\0', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_process_may_hold_anything() {
        let rest = (4..=30).map(|field| field.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(start_time(&format!("1 (a) S 2) S {rest}")), Some(22));
        assert_eq!(start_time("1 (a"), None);
    }

    #[test]
    fn this_process_is_young_and_was_started_with_something() {
        let pid = i32::try_from(std::process::id()).unwrap();
        assert!(age(pid).unwrap() < Duration::from_hours(1));
        assert!(!command_line(pid).is_empty());
    }
}
