//! What a person sees while a task works: one line per step on stderr, with a spinner when stderr is a terminal.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

const SPINNER_INTERVAL: Duration = Duration::from_millis(100);

/// The voice of every task.
pub(crate) struct Progress {
    shown: Shown,
}

/// Where what is said can be seen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    OnTerminal,
    InLog,
    Nowhere,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { shown: if std::io::stderr().is_terminal() { Shown::OnTerminal } else { Shown::InLog } }
    }

    /// For work ahead, beside what is shown. Whoever comes to need its result and does not find it shows more.
    pub(crate) fn silent() -> Self {
        Self { shown: Shown::Nowhere }
    }

    /// Says one thing.
    pub(crate) fn note(&self, text: &str) {
        if self.shown != Shown::Nowhere {
            anstream::eprintln!("xtask  {text}");
        }
    }

    /// Announces a step whose own output follows.
    pub(crate) fn headline(&self, title: &str) {
        self.note(title);
    }

    /// Runs a step that prints nothing itself, and says how long it took.
    pub(crate) fn step<T>(&self, title: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let started = Instant::now();
        let spinner = self.spinner(title);
        if self.shown == Shown::InLog {
            self.note(&format!("{title} ..."));
        }
        let outcome = work();
        spinner.finish_and_clear();
        let verdict = if outcome.is_ok() { "done" } else { "failed" };
        self.note(&format!("{title}: {verdict} in {:.1} s", started.elapsed().as_secs_f64()));
        outcome
    }

    /// Reports why the task ends.
    pub(crate) fn error(&self, error: &anyhow::Error) {
        self.note(&format!("error: {error:#}"));
    }

    fn spinner(&self, title: &str) -> ProgressBar {
        if self.shown != Shown::OnTerminal {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("xtask  {msg} {spinner} {elapsed}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let spinner = ProgressBar::new_spinner().with_style(style).with_message(title.to_owned());
        spinner.enable_steady_tick(SPINNER_INTERVAL);
        spinner
    }
}
