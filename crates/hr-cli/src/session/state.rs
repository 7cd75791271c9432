//! What is to be done about what happens in a development loop. Pure.

mod event;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hr_forkserver::protocol::{ExitStatus, Problem, Resumed, SourceChange, SourceChangeKind, Update};
use nix::sys::signal::Signal;

pub(super) use self::event::{Action, Changed, Event, Exit, Line, Outlook};

/// For how long an interrupt is a wish for an end that may still be granted, and the next one means that it was not. Later
/// that is another first one: a debugger that was interrupted is still there.
const INSISTENCE: Duration = Duration::from_secs(10);

/// Nobody saves a file as soon as that after pressing Ctrl-C: what is heard of by then was under way before.
const REACTION: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Program {
    /// It was never started.
    New,
    Starting,
    Running,
    /// It was told to end.
    Stopping,
    Ended,
}

/// One program and the wish to keep it up to date.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own, and all combinations happen")]
pub(super) struct State {
    reload: bool,
    grace: Duration,
    program: Program,
    /// An update was asked for and is not there.
    updating: bool,
    /// It was asked for while files were still changing: it only makes the next one quick.
    ahead: bool,
    /// What has changed, and is not known to matter yet.
    changed: Changed,
    /// What the program is started again for.
    reason: Changed,
    /// Whether something has changed since an update was asked for.
    again: bool,
    /// What ends the session once the program has ended.
    ending: Option<(Signal, Instant)>,
    /// The program has got an interrupt. It may have outlived it, and may not.
    interrupted: bool,
    /// The program was killed, and how it has ended says nothing about it.
    killed: bool,
    /// What the program has loaded of the project's files. It tells when its imports seem to be over, and from then on.
    loaded: Option<BTreeSet<PathBuf>>,
}

impl State {
    /// Nothing is started yet. `grace` is how long programs may take to end.
    pub(super) fn new(reload: bool, grace: Duration) -> Self {
        Self {
            reload,
            grace,
            program: Program::New,
            updating: false,
            ahead: false,
            changed: Changed::default(),
            reason: Changed::default(),
            again: false,
            ending: None,
            interrupted: false,
            killed: false,
            loaded: None,
        }
    }

    /// What is to be done about `event`, which happens `now`.
    pub(super) fn on(&mut self, event: Event, now: Instant) -> Vec<Action> {
        match event {
            Event::Opened => self.start(),
            Event::Stirring => {
                self.ahead = !self.updating && self.may_ask();
                self.updating |= self.ahead;
                if self.ahead { vec![Action::Update] } else { Vec::new() }
            }
            Event::Changed(changed) => self.changed(changed),
            Event::Updated(update) => self.updated(&update),
            Event::UpdateFailed(message) => {
                (self.updating, self.ahead) = (false, false);
                let ends = self.ending.is_some_and(|(signal, _)| is_sent_to_us(signal));
                let said = (!ends).then_some(Action::Say(Line::Failed(message)));
                [Vec::from_iter(said), self.ask_again()].concat()
            }
            Event::Started(resumed) => self.started(resumed, now),
            Event::Loaded(files) => {
                self.loaded.get_or_insert_default().extend(files);
                Vec::new()
            }
            Event::NotStarted(message) => self.not_started(message),
            Event::Ended(status) => self.ended(status),
            Event::Unusable if self.program == Program::Running => self.restart(),
            Event::Unusable => Vec::new(),
            Event::Unread => {
                // Once it ends by itself, as most programs then do, whoever waits for the pipeline is not kept waiting.
                self.reload = false;
                Vec::new()
            }
            Event::Late => self.late(now),
            Event::Signal { signal, to_us_alone } => self.signal(signal, to_us_alone, now),
        }
    }

    fn start(&mut self) -> Vec<Action> {
        if let Some((signal, _)) = self.ending {
            return vec![Action::End(Exit::By(signal))];
        }
        self.program = Program::Starting;
        self.loaded = None;
        vec![Action::Start]
    }

    fn changed(&mut self, changed: Changed) -> Vec<Action> {
        let outlived = |(signal, since): (Signal, Instant)| {
            signal == Signal::SIGINT && changed.at.is_some_and(|written| written > since + REACTION)
        };
        if self.program == Program::Running && self.ending.is_some_and(outlived) {
            // It has outlived the interrupt, as a debugger does, and is being worked on.
            self.ending = None;
        }
        self.changed.extend(changed);
        self.again = true;
        self.ask_again()
    }

    /// When [`Event::Late`] is due: a program that has outlived an interrupt is worked on, and must not miss what was saved
    /// around the interrupt. Only that has time: a program that is still ending must not be started again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let missed = self.again || !self.changed.is_empty();
        let (signal, since) = self.ending?;
        let outlives = signal == Signal::SIGINT && self.program == Program::Running;
        (outlives && missed && !self.updating).then(|| since + self.grace.max(INSISTENCE))
    }

    fn late(&mut self, now: Instant) -> Vec<Action> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return Vec::new();
        }
        self.ending = None;
        self.again = true;
        self.ask_again()
    }

    fn ask_again(&mut self) -> Vec<Action> {
        if !self.again || self.updating || !self.may_ask() {
            return Vec::new();
        }
        (self.again, self.updating) = (false, true);
        vec![Action::Update]
    }

    /// A program that is about to start begins with what is there then, and only what happens later matters to it.
    fn may_ask(&self) -> bool {
        matches!(self.program, Program::Running | Program::Ended) && self.ending.is_none()
    }

    /// Whether the session ends with the program.
    pub(super) fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    fn updated(&mut self, update: &Update) -> Vec<Action> {
        self.updating = false;
        let mut actions = announcements(update);
        // What was not told here counts as much after the next update.
        self.changed.decisive |= !update.files.is_empty();
        let again = self.ask_again();
        if std::mem::take(&mut self.ahead) || !again.is_empty() {
            return [actions, again].concat();
        }
        if self.ending.is_some() {
            self.again = true;
            return actions;
        }
        let (needed, others): (Vec<_>, Vec<_>) =
            unreadable(update).partition(|(change, _)| self.may_need(change));
        let counts = update.source.iter().any(|change| change.kind != SourceChangeKind::Cosmetic);
        if !needed.is_empty() {
            let outlook = if self.program == Program::Running { Outlook::GoesOn } else { Outlook::Waits };
            actions.push(say_unreadable(needed, outlook));
        } else if counts || self.changed.decisive || self.program == Program::Ended {
            if self.changed.files.is_empty() {
                // It was found by looking, before anything was heard of it.
                let counting =
                    update.source.iter().filter(|change| change.kind != SourceChangeKind::Cosmetic);
                self.changed.files.extend(counting.map(|change| PathBuf::from(&change.file)));
            }
            if !others.is_empty() {
                actions.push(say_unreadable(others, Outlook::Indifferent));
            }
            self.reason.extend(std::mem::take(&mut self.changed));
            actions.extend(self.restart());
        } else {
            let files = std::mem::take(&mut self.changed).files.into_iter().collect();
            actions.push(Action::Say(Line::Nothing(files)));
        }
        actions
    }

    /// Whether the program may not start without a file that cannot be understood.
    fn may_need(&self, change: &SourceChange) -> bool {
        let has_loaded =
            |file: &OsString| self.loaded.as_ref().is_none_or(|loaded| loaded.contains(Path::new(file)));
        has_loaded(&change.file) || change.importers.iter().any(has_loaded)
    }

    fn restart(&mut self) -> Vec<Action> {
        match self.program {
            Program::Running => {
                self.program = Program::Stopping;
                vec![Action::Stop(self.grace)]
            }
            // They start with what is there then.
            Program::New | Program::Starting | Program::Stopping => Vec::new(),
            Program::Ended => self.start(),
        }
    }

    fn started(&mut self, resumed: Option<Resumed>, now: Instant) -> Vec<Action> {
        self.program = Program::Running;
        match self.ending {
            Some((signal, _)) if is_sent_to_us(signal) => {
                self.program = Program::Stopping;
                return vec![Action::Stop(self.grace)];
            }
            // A terminal's own signal may have come before there was a program to get it.
            Some((signal, _)) => {
                self.interrupted = true;
                return vec![Action::Send(signal)];
            }
            None => self.interrupted = false,
        }
        let Changed { files, at, .. } = std::mem::take(&mut self.reason);
        let mut actions = Vec::new();
        if !files.is_empty() {
            let after = at.map(|at| now.saturating_duration_since(at));
            actions.push(Action::Say(Line::Restarted { files: files.into_iter().collect(), after, resumed }));
        }
        actions.extend(self.ask_again());
        actions
    }

    fn not_started(&mut self, message: String) -> Vec<Action> {
        self.program = Program::Ended;
        if let Some((signal, _)) = self.ending {
            // Whatever has prevented it, nobody waits for it any more.
            return vec![Action::End(Exit::By(signal))];
        }
        let mut actions = vec![Action::Say(Line::Failed(message))];
        actions.extend((!self.reload).then_some(Action::End(Exit::Failed)));
        actions.extend(self.ask_again());
        actions
    }

    fn ended(&mut self, status: ExitStatus) -> Vec<Action> {
        let stopped = self.program == Program::Stopping;
        self.program = Program::Ended;
        match self.ending {
            Some((signal, _)) if stopped || self.killed || is_sent_to_us(signal) => {
                vec![Action::End(Exit::By(signal))]
            }
            Some(_) => vec![Action::End(Exit::Like(status))],
            // It had not outlived the interrupt.
            None if self.interrupted && is_by_interrupt(status) => vec![Action::End(Exit::Like(status))],
            None if stopped => self.start(),
            None if !self.reload => vec![Action::End(Exit::Like(status))],
            None => vec![Action::Say(Line::Ended(status))],
        }
    }

    fn signal(&mut self, signal: Signal, to_us_alone: bool, now: Instant) -> Vec<Action> {
        let before = self.ending.replace((signal, now));
        let insists = before.is_some_and(|(_, since)| now.saturating_duration_since(since) <= INSISTENCE);
        self.interrupted |= signal == Signal::SIGINT && self.program == Program::Running;
        match self.program {
            // In a moment there is a program that can clean up.
            Program::Starting if !insists => Vec::new(),
            // Whatever is on its way ends with this process.
            Program::New | Program::Starting | Program::Ended => vec![Action::End(Exit::By(signal))],
            Program::Running | Program::Stopping if insists => {
                self.killed = true;
                vec![Action::Stop(Duration::ZERO)]
            }
            Program::Running if is_sent_to_us(signal) => {
                self.program = Program::Stopping;
                vec![Action::Stop(self.grace)]
            }
            Program::Running if to_us_alone => vec![Action::Send(signal)],
            Program::Running | Program::Stopping => Vec::new(),
        }
    }
}

/// Whether a signal is meant for this process, which then ends the program; others are the terminal's to its whole
/// foreground job.
pub(super) fn is_sent_to_us(signal: Signal) -> bool {
    matches!(signal, Signal::SIGTERM | Signal::SIGHUP)
}

/// Whether that is how programs end that heed an interrupt.
fn is_by_interrupt(status: ExitStatus) -> bool {
    const SIGNALED: i32 = 128;
    let number = Signal::SIGINT as i32;
    status == ExitStatus::Signaled(number) || status == ExitStatus::Exited(SIGNALED + number)
}

/// What a template that was brought up to date has got.
fn announcements(update: &Update) -> Vec<Action> {
    let mut lines = Vec::new();
    if update.changed && !update.files.is_empty() {
        lines.push(Line::Rebuilt(update.files.iter().map(PathBuf::from).collect()));
    } else if update.changed && !update.added.is_empty() {
        lines.push(Line::Added(update.added.clone()));
    }
    lines.into_iter().map(Action::Say).collect()
}

/// What is wrong with files that could be read when the program was started.
fn unreadable(update: &Update) -> impl Iterator<Item = (&SourceChange, &Problem)> {
    let unreadable = update.source.iter().filter(|change| change.kind == SourceChangeKind::Unreadable);
    unreadable.flat_map(|change| {
        let problems = update.state.problems.iter().filter(|problem| problem.file == change.file);
        problems.map(move |problem| (change, problem))
    })
}

fn say_unreadable(problems: Vec<(&SourceChange, &Problem)>, outlook: Outlook) -> Action {
    Action::Say(Line::Unreadable(problems.into_iter().map(|(_, problem)| problem.clone()).collect(), outlook))
}

#[cfg(test)]
mod tests;
