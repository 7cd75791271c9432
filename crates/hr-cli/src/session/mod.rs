//! A program that stays up to date: started from a template, watched, and started again.
//!
//! One loop waits for everything: signals, the supervisor's answers, and files that change. What happens becomes an
//! [`Event`], and [`State`] says what is to be done about it.

mod diagnostic;
mod signals;
mod state;
mod terminal;
mod voice;

use std::ffi::OsString;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use hr_forkserver::protocol::{
    Call, MainModule, Open, ProcessContext, Reply, Request, RunId, TargetInterpreter, TemplateState, Work,
};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;

use self::signals::Signals;
use self::state::{Action, Event, Exit, State};
use self::terminal::Terminal;
use self::voice::Voice;
pub(crate) use self::voice::{Format, Verbosity};
use crate::client::{self, Client, ClientError, Replies};
use crate::program::CommandLine;

/// What is to be run, and how.
pub(crate) struct Options {
    pub(crate) command: CommandLine,
    pub(crate) interpreter: TargetInterpreter,
    /// The interpreter for people.
    pub(crate) python: String,
    /// Variables of the program's environment that differ from this process's.
    pub(crate) environment: Vec<(OsString, Option<OsString>)>,
    pub(crate) reload: bool,
    /// How long the program may take to end after SIGTERM.
    pub(crate) grace: Duration,
    pub(crate) verbosity: Verbosity,
    pub(crate) format: Format,
}

/// Runs a program, and keeps it up to date until somebody ends it.
pub(crate) fn run(options: Options) -> anyhow::Result<ExitCode> {
    let terminal = Terminal::remember();
    let signals = Signals::hear().context("signals cannot be waited for")?;
    let mut voice = Voice::start(options.verbosity, options.format).context("no thread can be started")?;
    for notice in &options.command.notices {
        voice.notice(notice);
    }
    let mut client = Client::start(Stdio::null())?;
    let exit = Session::new(&options, &terminal, &signals, &mut voice, &mut client)?.run();
    client.close();
    drop(voice);
    Ok(signals::end(exit?))
}

/// What the supervisor was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Open,
    Run,
    Update,
    Stop,
}

struct Session<'a> {
    options: &'a Options,
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
}

impl<'a> Session<'a> {
    fn new(
        options: &'a Options,
        terminal: &'a Terminal,
        signals: &'a Signals,
        voice: &'a mut Voice,
        client: &'a mut Client,
    ) -> anyhow::Result<Self> {
        let open = Open {
            programs: options.command.modules.clone(),
            spares: None,
            ..Open::new(options.command.target.clone(), options.interpreter.clone())
        };
        let asked = vec![(Question::Open, client.request(&Request::Open(Box::new(open)))?)];
        Ok(Self {
            state: State::new(options.reload, options.grace),
            options,
            terminal,
            signals,
            voice,
            client,
            began: Instant::now(),
            asked,
            run: None,
            stopped: false,
        })
    }

    fn run(mut self) -> anyhow::Result<Exit> {
        loop {
            for event in self.wait()? {
                for action in self.state.on(event, Instant::now()) {
                    if let Some(exit) = self.act(action)? {
                        return Ok(exit);
                    }
                }
            }
        }
    }

    /// Waits until something has happened.
    fn wait(&mut self) -> anyhow::Result<Vec<Event>> {
        let mut sources: Vec<BorrowedFd<'_>> = vec![self.signals.as_fd()];
        sources.extend(self.asked.iter().map(|(_, replies)| replies.as_fd()));
        let mut sources: Vec<_> =
            sources.into_iter().map(|source| PollFd::new(source, PollFlags::POLLIN)).collect();
        match poll(&mut sources, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error).context("cannot wait for what happens"),
        }
        let mut events = self.signals.take();
        events.extend(self.answers()?);
        Ok(events)
    }

    /// What the supervisor has answered.
    fn answers(&mut self) -> Result<Vec<Event>, ClientError> {
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
    fn understand(&mut self, question: Question, reply: Reply) -> Result<(Option<Event>, bool), ClientError> {
        let understood = match (question, reply) {
            (_, Reply::Building(event)) => {
                self.voice.building(&event);
                (None, false)
            }
            (Question::Open, Reply::Opened(state)) => {
                self.opened(&state);
                (Some(Event::Opened), true)
            }
            (Question::Run, Reply::Started { run, .. }) => {
                self.run = Some(run);
                (Some(Event::Started), false)
            }
            (Question::Run, Reply::Ended(status)) => {
                self.run = None;
                if std::mem::take(&mut self.stopped) {
                    self.terminal.restore();
                }
                (Some(Event::Ended(status)), true)
            }
            (Question::Run, Reply::Failed(failure)) => {
                (Some(Event::NotStarted(client::reason(&failure).to_owned())), true)
            }
            (Question::Update, Reply::Updated(update)) => (Some(Event::Updated(Box::new(update))), true),
            (Question::Update, Reply::Failed(failure)) => {
                (Some(Event::UpdateFailed(client::reason(&failure).to_owned())), true)
            }
            // The end of the run tells the rest.
            (Question::Stop, Reply::Stopped { .. }) => (None, true),
            (_, other) => return Err(ClientError::unexpected(other)),
        };
        Ok(understood)
    }

    fn opened(&mut self, state: &TemplateState) {
        self.voice.ready(self.began.elapsed(), state, &self.options.python);
    }

    /// Does something. Returns how to end, if it is time to.
    fn act(&mut self, action: Action) -> anyhow::Result<Option<Exit>> {
        match action {
            Action::Update => self.ask(Question::Update, &Request::Update)?,
            Action::Start => self.start()?,
            Action::Stop(grace) => {
                if let Some(run) = self.run {
                    self.stopped = true;
                    self.ask(Question::Stop, &Request::Stop { run, grace })?;
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

    fn start(&mut self) -> anyhow::Result<()> {
        let (open, streams) = terminal::streams().context("the standard streams cannot be passed on")?;
        let Options { command, interpreter, .. } = self.options;
        let context = ProcessContext {
            argv: command.argv.clone(),
            sys_path: interpreter.sys_path.clone(),
            environment: interpreter.environment.clone(),
            umask: client::umask(),
            stdio: open,
            main: MainModule::default(),
        };
        let call = Call { context, work: Work::Program(command.program.clone()) };
        // A program has no result.
        let (replies, _) = self.client.begin(call, streams)?;
        self.asked.push((Question::Run, replies));
        Ok(())
    }
}
