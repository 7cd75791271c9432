//! What keeps the watcher from hearing everything at once.

use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// How many watches are proposed to somebody who has run out of them.
const PLENTY_OF_WATCHES: u64 = 524_288;

/// How many inotify instances are proposed to somebody who has run out of them.
const PLENTY_OF_INSTANCES: u64 = 1024;

/// The watcher cannot be.
#[derive(Debug, Error)]
#[error("cannot watch files: {0}")]
pub(crate) struct WatchError(#[from] io::Error);

impl From<nix::errno::Errno> for WatchError {
    fn from(error: nix::errno::Errno) -> Self {
        Self(error.into())
    }
}

/// Something is looked at every [`INTERVAL`](super::polling::INTERVAL) instead of being heard. Its text is for people.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    /// A file system that does not tell what is changed elsewhere.
    NoEvents { directory: PathBuf, file_system: &'static str },
    /// The user has no watches left.
    Watches { limit: Option<u64> },
    /// The user has no inotify instances left.
    Instances { limit: Option<u64> },
}

impl Trouble {
    pub(super) fn watches() -> Self {
        Self::Watches { limit: setting("max_user_watches") }
    }

    pub(super) fn instances() -> Self {
        Self::Instances { limit: setting("max_user_instances") }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, setting, limit, plenty) = match self {
            Self::NoEvents { directory, file_system } => {
                let directory = directory.display();
                return write!(
                    f,
                    "{directory} is on {file_system}, which does not tell of all changes: polling it"
                );
            }
            Self::Watches { limit } => ("file watches", "max_user_watches", limit, PLENTY_OF_WATCHES),
            Self::Instances { limit } => {
                ("inotify instances", "max_user_instances", limit, PLENTY_OF_INSTANCES)
            }
        };
        let more = limit.map_or(plenty, |limit| plenty.max(limit.saturating_mul(2)));
        let limit = limit.map_or(String::new(), |limit| format!(" (the limit is {limit})"));
        write!(
            f,
            "no {what} left{limit}, so files are polled; `sudo sysctl fs.inotify.{setting}={more}` helps"
        )
    }
}

fn setting(name: &str) -> Option<u64> {
    fs::read_to_string(format!("/proc/sys/fs/inotify/{name}")).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_told_with_the_command_that_lifts_it() {
        let trouble = Trouble::Watches { limit: Some(8192) };
        let text = "no file watches left (the limit is 8192), so files are polled; \
                    `sudo sysctl fs.inotify.max_user_watches=524288` helps";
        assert_eq!(trouble.to_string(), text);
        let trouble = Trouble::Instances { limit: Some(1024) };
        assert!(trouble.to_string().ends_with("`sudo sysctl fs.inotify.max_user_instances=2048` helps"));
    }
}
