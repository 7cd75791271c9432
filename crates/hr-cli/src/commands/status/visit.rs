//! Going to every supervisor of this user.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::Context as _;
use hr_forkserver::Channel;
use hr_forkserver::protocol::{Reply, TreeReport};

use crate::supervisor::visitors;

/// How long a supervisor may take to answer.
const LIMIT: Duration = Duration::from_secs(2);

/// What supervisors have told.
#[derive(Debug, Default)]
pub(super) struct Visited {
    /// By their process ids.
    pub(super) reports: Vec<(u32, TreeReport)>,
    /// Those that have told nothing.
    pub(super) silent: Vec<u32>,
}

/// Visits all of them, in the order of their process ids.
pub(super) fn all() -> anyhow::Result<Visited> {
    let sockets = fs::read_to_string("/proc/net/unix")
        .context("hint: /proc must be mounted")
        .context("the sockets of this machine cannot be listed")?;
    let mut visited = Visited::default();
    for supervisor in supervisors(&sockets, &visitors::prefix()) {
        match visit(supervisor) {
            Ok(Some(report)) => visited.reports.push((supervisor, report)),
            Ok(None) => {}
            Err(_) => visited.silent.push(supervisor),
        }
    }
    Ok(visited)
}

/// The processes whose sockets are in `list`, the content of `/proc/net/unix`, with names that begin with `prefix`.
fn supervisors(list: &str, prefix: &str) -> Vec<u32> {
    // An `@` stands for the zero byte that begins an abstract name.
    let names = list.lines().filter_map(|line| line.split_ascii_whitespace().nth(7)?.strip_prefix('@'));
    let mut found: Vec<u32> = names.filter_map(|name| name.strip_prefix(prefix)?.parse().ok()).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// What a supervisor tells; nothing if there is none of this user's, or none any more.
fn visit(supervisor: u32) -> anyhow::Result<Option<TreeReport>> {
    let Ok(stream) = UnixStream::connect_addr(&visitors::address(supervisor)?) else { return Ok(None) };
    if !visitors::is_own(&stream) {
        return Ok(None);
    }
    stream.set_read_timeout(Some(LIMIT))?;
    let mut channel = Channel::<(), Reply>::from(OwnedFd::from(stream));
    match channel.receive()?.map(|received| received.message) {
        Some(Reply::Tree(report)) => Ok(Some(report)),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sockets_of_this_user_and_version_are_visited() {
        let list = "\
Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 11213 @hotreload/6/1000/42
0000000000000000: 00000003 00000000 00000000 0001 03 11214 @hotreload/6/1000/42
0000000000000000: 00000002 00000000 00010000 0001 01 11215 @hotreload/6/1000/7
0000000000000000: 00000002 00000000 00010000 0001 01 11216 @hotreload/6/1001/43
0000000000000000: 00000002 00000000 00010000 0001 01 11217 @hotreload/5/1000/44
0000000000000000: 00000002 00000000 00010000 0001 01 11218 hotreload/6/1000/45
0000000000000000: 00000002 00000000 00010000 0001 01 11219 @hotreload/6/1000/x
0000000000000000: 00000002 00000000 00010000 0001 01 11220
";
        assert_eq!(supervisors(list, "hotreload/6/1000/"), [7, 42]);
    }
}
