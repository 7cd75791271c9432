//! What the supervisor answers and the program tells, and which event in the loop's life it is.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use hr_forkserver::protocol::{Failure, Notice, Reply, Request, Watched};

use super::listening::Listening;
use super::state::{Changed, Event};
use super::{Session, Stopped};
use crate::client::{self, ClientError};
use crate::watcher::WatchError;

/// What the supervisor was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    Open,
    Run,
    Watched,
    Update,
    Stop,
}

impl Session<'_> {
    /// What the supervisor has answered.
    pub(super) fn answers(&mut self) -> Result<Vec<Event>, Stopped> {
        let mut events = Vec::new();
        for (question, mut replies) in std::mem::take(&mut self.asked) {
            let mut over = false;
            while let Some(reply) = if over { None } else { replies.take()? } {
                let (event, last) = self.understand(question, reply)?;
                events.extend(event);
                over = last;
            }
            if !over {
                self.asked.push((question, replies));
            }
        }
        Ok(events)
    }

    /// What a reply means, and whether it is the last one.
    fn understand(&mut self, question: Question, reply: Reply) -> Result<(Option<Event>, bool), Stopped> {
        let understood = match (question, reply) {
            (_, Reply::Building(event)) => {
                self.voice.building(&event);
                (None, false)
            }
            (Question::Open, Reply::Opened(state)) => {
                self.voice.ready(self.began.elapsed(), &state, &self.options.python);
                // It starts when changes from then on will be heard of.
                (if self.listening.is_some() { self.ask_what_to_watch()? } else { Some(Event::Opened) }, true)
            }
            (Question::Open, Reply::Failed(Failure::Interpreter { message })) => {
                return Err(Stopped::NoTemplate(message));
            }
            (Question::Watched, Reply::Watched(watched)) => (self.listen(watched), true),
            (Question::Run, Reply::Started { run, resumed, .. }) => {
                self.run = Some(run);
                self.sent.clear();
                (Some(Event::Started(resumed)), false)
            }
            (Question::Run, Reply::Notice(notice)) => (self.notice(notice), false),
            (Question::Run, Reply::Ended(status)) => {
                self.run = None;
                self.terminal.restore(std::mem::take(&mut self.stopped));
                (Some(Event::Ended(status)), true)
            }
            (Question::Run, Reply::Failed(failure)) => {
                self.watched.append(&mut self.sent);
                (Some(Event::NotStarted(client::reason(&failure).to_owned())), true)
            }
            (Question::Update, Reply::Updated(update)) => {
                self.sources = update.source.iter().map(|change| change.file.clone()).collect();
                (Some(Event::Updated(Box::new(update))), true)
            }
            (Question::Update, Reply::Failed(failure)) => {
                (Some(Event::UpdateFailed(client::reason(&failure).to_owned())), true)
            }
            // The end of the run tells the rest.
            (Question::Stop, Reply::Stopped { .. }) => (None, true),
            (_, other) => return Err(ClientError::unexpected(other).into()),
        };
        Ok(understood)
    }

    pub(super) fn ask_what_to_watch(&mut self) -> Result<Option<Event>, ClientError> {
        self.ask(Question::Watched, &Request::Watched)?;
        Ok(None)
    }

    /// Listens to what decides the template. What may have happened before is a change as well.
    fn listen(&mut self, watched: Watched) -> Option<Event> {
        self.project = watched.root.clone().into();
        self.voice.relative_to(&self.project);
        let heard = self.listening.as_mut().map(|listening| listening.listen(watched));
        let more = matches!(heard, Some(Ok((_, true))));
        self.tell_trouble(heard.map(|heard| heard.map(|(trouble, _)| trouble)));
        if std::mem::take(&mut self.first) {
            return Some(Event::Opened);
        }
        // What is under way will be told of when it is at rest, whatever it is.
        let comes_anyway = self.listening.as_ref().is_some_and(Listening::is_gathering);
        (more && !comes_anyway).then(|| Event::Changed(Changed::default()))
    }

    /// The program tells something.
    fn notice(&mut self, notice: Notice) -> Option<Event> {
        match notice {
            Notice::NeedsEventLoop { module } => {
                self.early = false;
                self.voice.notice(&format!("{module} needs a running event loop; starting again"));
                return Some(Event::Unusable);
            }
            Notice::Sources { own, outside } => {
                if !outside.is_empty() {
                    let files = in_directories(outside).collect();
                    let heard = self.listening.as_mut().map(|listening| listening.listen_outside(files));
                    self.tell_trouble(heard);
                }
                return Some(Event::Loaded(self.relative(own)));
            }
            Notice::CheckpointsOver { obstacle, place } => self.voice.checkpoints_over(&obstacle, &place),
            Notice::CheckpointsOutdated { changed } => {
                let changed: Vec<_> = changed.into_iter().map(PathBuf::from).collect();
                self.voice.checkpoints_outdated(&changed);
            }
            Notice::CheckpointsDropped { number } => self.voice.checkpoints_dropped(number),
            Notice::ReloaderOff { library } => {
                self.voice.notice(&format!("{library}'s own reloader is off: hr restarts the program"));
            }
        }
        None
    }

    /// Files in the project's directories, relative to its root.
    fn relative(&self, directories: Vec<(OsString, Vec<OsString>)>) -> Vec<PathBuf> {
        let real = directories.into_iter().map(|(directory, names)| {
            let real = Path::new(&directory).canonicalize();
            (real.map_or(directory, PathBuf::into_os_string), names)
        });
        let files = in_directories(real);
        files.filter_map(|file| Some(file.strip_prefix(&self.project).ok()?.to_owned())).collect()
    }

    pub(super) fn tell_trouble(&mut self, heard: Option<Result<Vec<String>, WatchError>>) {
        match heard {
            Some(Ok(trouble)) => trouble.iter().for_each(|trouble| self.voice.warning(trouble)),
            Some(Err(error)) => {
                // It is of no use any more.
                self.listening = None;
                self.voice.warning(&format!("{error}; nothing will be restarted"));
            }
            None => {}
        }
    }
}

fn in_directories(
    directories: impl IntoIterator<Item = (OsString, Vec<OsString>)>,
) -> impl Iterator<Item = PathBuf> {
    directories.into_iter().flat_map(|(directory, names)| {
        let directory = PathBuf::from(directory);
        names.into_iter().map(move |name| directory.join(name))
    })
}
