//! A program that stays up to date: started from a template, watched, and started again.
//!
//! One loop waits for everything: signals, the supervisor's answers, and files that change. What happens becomes an
//! [`Event`], and [`State`] says what is to be done about it.

mod bytecode;
mod cold;
mod diagnostic;
mod listening;
mod options;
mod replies;
mod signals;
mod state;
mod terminal;
mod voice;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use hr_forkserver::protocol::{
    Call, MainModule, Open, ProcessContext, Request, RunId, TargetInterpreter, Work,
};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;

use self::listening::Listening;
pub(crate) use self::options::Options;
use self::replies::Question;
use self::signals::Signals;
use self::state::{Action, Changed, Event, Exit, State};
use self::terminal::Terminal;
use self::voice::Voice;
pub(crate) use self::voice::{Format, Verbosity};
use crate::client::{self, Client, ClientError, Replies};

/// A supervisor that lives less long is not started again.
const ENDURANCE: Duration = Duration::from_secs(5);

/// Runs a program, and keeps it up to date until somebody ends it. `find` says what is wanted; it is asked again when the
/// interpreter may look for modules elsewhere.
pub(crate) fn run(find: &dyn Fn() -> anyhow::Result<Options>) -> anyhow::Result<ExitCode> {
    let mut options = find()?;
    let terminal = Terminal::remember();
    let signals = Signals::hear().context("signals cannot be waited for")?;
    let mut voice = Voice::start(options.verbosity, options.format).context("no thread can be started")?;
    for notice in &options.command.notices {
        voice.notice(notice);
    }
    loop {
        let began = Instant::now();
        let mut client = Client::start_with(Stdio::null(), signals.before())?;
        let ended =
            Session::new(&options, find, &terminal, &signals, &mut voice, &mut client).and_then(Session::run);
        client.close();
        if ended.is_err() {
            terminal.restore(true);
        }
        match ended {
            Ok(exit) => {
                drop(voice);
                return Ok(signals::end(exit));
            }
            Err(Stopped::Failed(_)) if let Some(signal) = signals.ending() => {
                // Sent to the whole job, it has ended the supervisor as well.
                drop(voice);
                return Ok(signals::end(Exit::By(signal)));
            }
            // Everything below has ended with it.
            Err(Stopped::Failed(ClientError::Died)) if began.elapsed() > ENDURANCE => {
                voice.warning("the supervisor has died, and the program with it; starting again");
            }
            Err(Stopped::Failed(error)) => return Err(error.into()),
            Err(Stopped::Moved(now)) => {
                voice.notice("the interpreter looks for modules elsewhere now; starting again");
                options = *now;
            }
            Err(Stopped::NoTemplate(reason)) => {
                voice.warning(&format!("{reason}; running without a template, and without restarts"));
                drop(voice);
                return cold::become_program(&options, signals.before());
            }
        }
    }
}

/// Why a session has ended before its time.
enum Stopped {
    /// No template can be built, for this reason.
    NoTemplate(String),
    /// The interpreter looks for modules elsewhere. What is wanted in this environment.
    Moved(Box<Options>),
    Failed(ClientError),
}

impl<E: Into<ClientError>> From<E> for Stopped {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

fn timeout(deadline: Option<Instant>) -> PollTimeout {
    deadline.map_or(PollTimeout::NONE, |deadline| {
        // Rounded up: waking before the time would only mean waiting again.
        let left = deadline.saturating_duration_since(Instant::now()) + Duration::from_micros(999);
        PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
    })
}

struct Session<'a> {
    options: &'a Options,
    find: &'a dyn Fn() -> anyhow::Result<Options>,
    terminal: &'a Terminal,
    signals: &'a Signals,
    voice: &'a mut Voice,
    client: &'a mut Client,
    state: State,
    began: Instant,
    asked: Vec<(Question, Replies)>,
    /// The program, while it runs.
    run: Option<RunId>,
    /// The program was told to end.
    stopped: bool,
    /// What is listened to, if the program is to stay up to date.
    listening: Option<Listening>,
    /// Nothing was started yet.
    first: bool,
    /// The project's files that have changed since the program was started, relative to its root.
    sources: Vec<OsString>,
    /// Files that count by themselves and have changed since a run was last asked for, and those that had by then.
    watched: BTreeSet<PathBuf>,
    sent: BTreeSet<PathBuf>,
    /// The project's root.
    project: PathBuf,
    /// Whether an application is imported before the server that asks for it runs.
    early: bool,
    /// The program's environment when it was started last.
    environment: Vec<(OsString, OsString)>,
}

impl<'a> Session<'a> {
    fn new(
        options: &'a Options,
        find: &'a dyn Fn() -> anyhow::Result<Options>,
        terminal: &'a Terminal,
        signals: &'a Signals,
        voice: &'a mut Voice,
        client: &'a mut Client,
    ) -> Result<Self, Stopped> {
        let environment = options.environment().unwrap_or_else(|error| {
            voice.warning(&error.to_string());
            options.interpreter.environment.clone()
        });
        // What an import reads is to be what it will read in the program.
        let interpreter =
            TargetInterpreter { environment: environment.clone(), ..options.interpreter.clone() };
        let open = Open {
            programs: options.command.modules.clone(),
            spares: None,
            checkpoints: if options.checkpoints { None } else { Some(0) },
            learn_at_once: true,
            ..Open::new(options.command.target.clone(), interpreter)
        };
        let listening = match options.listening() {
            Some(Err(error)) => {
                voice.warning(&format!("{error}; nothing will be restarted"));
                None
            }
            Some(Ok(listening)) => Some(listening),
            None => None,
        };
        let asked = vec![(Question::Open, client.request(&Request::Open(Box::new(open)))?)];
        Ok(Self {
            state: State::new(options.reload, options.grace),
            options,
            find,
            terminal,
            signals,
            voice,
            client,
            began: Instant::now(),
            asked,
            run: None,
            stopped: false,
            listening,
            first: true,
            sources: Vec::new(),
            watched: BTreeSet::new(),
            sent: BTreeSet::new(),
            project: PathBuf::new(),
            early: options.checkpoints,
            environment,
        })
    }

    fn run(mut self) -> Result<Exit, Stopped> {
        loop {
            let (events, now) = self.wait()?;
            for event in events {
                if let Event::Changed(changed) = &event {
                    self.check_search_path(changed)?;
                    self.watched.extend(changed.watched.iter().cloned());
                }
                let scanned = matches!(event, Event::Updated(_));
                for action in self.state.on(event, now) {
                    if let Some(exit) = self.act(action)? {
                        return Ok(exit);
                    }
                }
                if scanned {
                    // Of a large project the answer is long, and the program does not wait for it.
                    self.ask_what_to_watch()?;
                }
            }
        }
    }

    /// Stops if the interpreter looks for modules elsewhere now: `.pth` files tell it where, when it starts.
    fn check_search_path(&self, changed: &Changed) -> Result<(), Stopped> {
        let is_path_file = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "pth");
        if changed.files.iter().any(is_path_file)
            // What cannot be found just now, while something is being installed, will be there in a moment.
            && let Ok(options) = (self.find)()
            && options.interpreter.sys_path != self.options.interpreter.sys_path
        {
            return Err(Stopped::Moved(Box::new(options)));
        }
        Ok(())
    }

    /// Waits until something has happened. Returns when that was noticed: at one time for all of it.
    fn wait(&mut self) -> Result<(Vec<Event>, Instant), Stopped> {
        let mut sources: Vec<BorrowedFd<'_>> = vec![self.signals.as_fd()];
        sources.extend(self.listening.as_ref().map(Listening::wake));
        sources.extend(self.asked.iter().map(|(_, replies)| replies.as_fd()));
        let mut sources: Vec<_> =
            sources.into_iter().map(|source| PollFd::new(source, PollFlags::POLLIN)).collect();
        let listening = self.listening.as_ref().and_then(Listening::deadline);
        let deadline = listening.into_iter().chain(self.state.deadline()).min();
        match poll(&mut sources, timeout(deadline)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(io::Error::from(error).into()),
        }
        let now = Instant::now();
        let answers = self.answers()?;
        // Looked for last and told of first: a signal to the whole job may be what an answer comes from, such as the
        // program's end.
        let mut events = self.signals.take();
        events.extend(terminal::is_unread().then_some(Event::Unread));
        events.extend(answers);
        let heard = self.listening.as_mut().map(|listening| listening.take(now));
        self.tell_trouble(heard);
        if let Some(listening) = &mut self.listening {
            let stirring = listening.is_stirring(now).then_some(Event::Stirring);
            events.extend(stirring.into_iter().chain(listening.settled(now).map(Event::Changed)));
        }
        events.extend(self.state.deadline().is_some_and(|deadline| deadline <= now).then_some(Event::Late));
        Ok((events, now))
    }

    /// Does something. Returns how to end, if it is time to.
    fn act(&mut self, action: Action) -> Result<Option<Exit>, Stopped> {
        match action {
            Action::Update => self.ask(Question::Update, &Request::Update)?,
            Action::Start => self.start()?,
            Action::Stop(grace) => {
                if let Some(run) = self.run {
                    self.stopped = true;
                    let again = !self.state.is_ending();
                    self.ask(Question::Stop, &Request::Stop { run, grace, again })?;
                }
            }
            Action::Send(signal) => self.send(signal)?,
            Action::Say(line) => self.voice.line(&line, &self.options.command.name),
            Action::End(exit) => return Ok(Some(exit)),
        }
        Ok(None)
    }

    fn ask(&mut self, question: Question, request: &Request) -> Result<(), ClientError> {
        let replies = self.client.request(request)?;
        self.asked.push((question, replies));
        Ok(())
    }

    fn send(&mut self, signal: Signal) -> Result<(), ClientError> {
        match self.run {
            Some(run) => self.ask(Question::Stop, &Request::Signal { run, signal: signal as i32 }),
            None => Ok(()),
        }
    }

    fn start(&mut self) -> Result<(), ClientError> {
        for source in std::mem::take(&mut self.sources) {
            bytecode::remove_outdated(&self.project.join(source));
        }
        let (open, streams) = terminal::streams()?;
        self.sent.append(&mut self.watched);
        let Options { command, interpreter, .. } = self.options;
        match self.options.environment() {
            Ok(environment) => self.environment = environment,
            Err(error) => self.voice.warning(&format!("{error}; the variables stay as they were")),
        }
        let context = ProcessContext {
            argv: command.argv.clone(),
            sys_path: interpreter.sys_path.clone(),
            environment: self.environment.iter().cloned().collect(),
            umask: client::umask(),
            stdio: open,
            main: MainModule::default(),
        };
        let call = Call {
            context,
            work: Work::Program {
                program: command.program.clone(),
                reloaded: self.options.reload,
                early: self.early,
                entry: self.options.entry.clone(),
                changed: self.sent.iter().map(OsString::from).collect(),
            },
        };
        // A program has no result.
        let (replies, _) = self.client.begin(call, streams)?;
        self.asked.push((Question::Run, replies));
        Ok(())
    }
}
