//! What happens in a development loop, and what can be done about it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hr_forkserver::protocol::{ExitStatus, Problem, Resumed, Update};
use nix::sys::signal::Signal;

#[cfg(doc)]
use super::State;

/// Something that happens.
#[derive(Debug)]
pub(in crate::session) enum Event {
    /// There is a template, or none can be had and programs are started without.
    Opened,
    /// Something happens to files, and will most likely have changed them.
    Stirring,
    /// Files have changed, and are at rest now.
    Changed(Changed),
    /// What has changed is understood, and the template is up to date.
    Updated(Box<Update>),
    /// That could not be done.
    UpdateFailed(String),
    /// The program runs. It may have gone on from a checkpoint.
    Started(Option<Resumed>),
    /// It has loaded these files of the project, or could not; relative to its root.
    Loaded(Vec<PathBuf>),
    /// It could not be started.
    NotStarted(String),
    /// The program is over, and all that it has started.
    Ended(ExitStatus),
    /// The program was started in a way in which it cannot run, and waits to be started in another.
    Unusable,
    /// Nobody will ever read what the program prints: the other end of its pipe is closed.
    Unread,
    /// It is the time of [`State::deadline`].
    Late,
    /// Somebody wants an end: with the program's own clean-up, if there is time.
    Signal {
        /// SIGINT and SIGQUIT, which a terminal has sent to the program as well; SIGTERM and SIGHUP.
        signal: Signal,
        /// Whether this process alone has got it.
        to_us_alone: bool,
    },
}

/// Files that have changed.
#[derive(Clone, Debug, Default)]
pub(in crate::session) struct Changed {
    pub(in crate::session) files: BTreeSet<PathBuf>,
    /// Whether some of them count by themselves: what a user wants to be watched, and what the program has loaded from
    /// elsewhere. What the others mean, the supervisor knows.
    pub(in crate::session) decisive: bool,
    /// Those that do.
    pub(in crate::session) watched: BTreeSet<PathBuf>,
    /// When the last of them was written.
    pub(in crate::session) at: Option<Instant>,
}

impl Changed {
    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty() && !self.decisive
    }

    pub(super) fn extend(&mut self, more: Self) {
        self.files.extend(more.files);
        // What is in a new directory may be heard of after the directory, and says more.
        let parents = self.files.iter().flat_map(|file| file.ancestors().skip(1).map(Path::to_owned));
        let parents: BTreeSet<_> = parents.collect();
        self.files.retain(|file| !parents.contains(file));
        self.decisive |= more.decisive;
        self.watched.extend(more.watched);
        self.at = more.at.max(self.at);
    }
}

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::session) enum Action {
    /// Ask what has changed, and for a template that is up to date.
    Update,
    /// Start the program.
    Start,
    /// Ask the program to end; without any time left, kill it.
    Stop(Duration),
    /// Send the program a signal.
    Send(Signal),
    /// Tell the user.
    Say(Line),
    /// End as the program has ended.
    End(Exit),
}

/// How this process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::session) enum Exit {
    /// As a program did.
    Like(ExitStatus),
    /// By a signal.
    By(Signal),
    /// The program could not be started.
    Failed,
}

/// Something to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::session) enum Line {
    /// The program was started again.
    Restarted {
        /// The files that were changed.
        files: Vec<PathBuf>,
        /// How long after the last of them was written.
        after: Option<Duration>,
        /// The checkpoint it has gone on from.
        resumed: Option<Resumed>,
    },
    /// Nothing that counts has changed in these files.
    Nothing(Vec<PathBuf>),
    /// These files cannot be understood.
    Unreadable(Vec<Problem>, Outlook),
    /// The template has got these modules.
    Added(Vec<String>),
    /// The template was built again because of these files.
    Rebuilt(Vec<PathBuf>),
    /// The program has ended by itself.
    Ended(ExitStatus),
    /// It could not be started, or brought up to date.
    Failed(String),
}

/// What a file that cannot be understood means to the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::session) enum Outlook {
    /// It needs the file. The version from before goes on.
    GoesOn,
    /// It needs the file, and has ended.
    Waits,
    /// It has never loaded the file, and runs without.
    Indifferent,
}
