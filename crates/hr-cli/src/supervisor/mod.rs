//! The process that owns one project's template and runs.
//!
//! One loop waits for everything: the client, its process, children, timers, snapshots, and the scan thread. What
//! happens becomes an [`Event`], and each event is handled to its end before the next. Nothing in here waits
//! anywhere else.

mod absences;
mod basis;
mod change;
mod clients;
mod construction;
mod decide;
mod inputs;
pub(crate) mod lines;
mod listings;
mod memory;
mod opened;
mod refresh;
mod resolution;
mod scan;
mod snapshots;
mod stamp;
mod unchanged;
pub(crate) mod visitors;
pub(crate) mod voice;
mod watch;
mod writes;

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use hr_forkserver::protocol::{Reply, Request, RunId};
use hr_forkserver::{Channel, ChannelError, Received, SnapshotTree, Source, TreeEvent};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use self::clients::{Answers, PendingRun};
use self::refresh::Refresh;
use self::visitors::Visitors;
use self::voice::Reporter;

/// How long runs may take to end after SIGTERM when the client closes, or this process is to end.
const GRACE: Duration = Duration::from_secs(2);

/// The same when nobody waits for the end any more.
const GRACE_WITHOUT_CLIENT: Duration = Duration::from_millis(300);

/// How long after a run has started the next spare is forked, and what it has found out of date ends, if the run has not
/// ended before: the machine belongs to the run first.
const REFILL_DELAY: Duration = Duration::from_millis(50);

/// How long after the last snapshot was built it is compared for the first time with what it has consumed, if nobody has
/// asked for anything by then that needs that.
const LOOK_DELAY: Duration = Duration::from_millis(50);

/// Something the supervisor reacts to.
enum Event {
    /// The client asks for something.
    Request(Received<Request>),
    /// The client is gone, or breaks the protocol.
    ClientGone,
    /// Someone asked this process to end.
    Terminate,
    /// Something happened below.
    Tree(TreeEvent),
    /// A scan is there.
    Scanned(Box<scan::Scan>),
    /// A run did not heed SIGTERM.
    GraceOver(RunId),
    /// An import takes long, or too long.
    ImportOverdue,
    /// It is time to fork runs ahead.
    Refill,
    /// It is time to look at new snapshots.
    Look,
}

/// What the loop waits for.
#[derive(Clone, Copy)]
enum Token {
    Client,
    Owner,
    Signals,
    Scan,
    Answer,
    Visitors,
    Tree(Source),
}

/// A run that was asked to end.
struct Stopping {
    /// When it has had its time; `None` once it was killed.
    deadline: Option<Instant>,
    /// Whether another one is to take its place.
    again: bool,
    waiting: Vec<Channel<Reply, Request>>,
}

/// The state of a supervisor.
pub(crate) struct Supervisor {
    connection: Channel<(), Request>,
    /// Readable when the client's process has ended.
    owner: OwnedFd,
    signals: SignalFd,
    tree: SnapshotTree,
    refresh: Refresh,
    answers: Answers,
    /// Runs that were asked for and have not been forked yet.
    pending: Vec<PendingRun>,
    starting: BTreeMap<RunId, PendingRun>,
    /// Where the end of each run is reported.
    running: BTreeMap<RunId, Channel<Reply, Request>>,
    stopping: BTreeMap<RunId, Stopping>,
    /// When spares are to be forked, and what is out of date is to end.
    refill_at: Option<Instant>,
    /// When new snapshots are to be looked at.
    look_at: Option<Instant>,
    reporter: Reporter,
    visitors: Visitors,
    /// Until when runs have time to end, once the supervisor is ending.
    closing: Option<Instant>,
    client_gone: bool,
    closers: Vec<Channel<Reply, Request>>,
}

impl Supervisor {
    /// A supervisor for the client behind `connection`, whose process is `owner`.
    pub(crate) fn new(connection: OwnedFd, owner: OwnedFd) -> io::Result<Self> {
        let mask = SigSet::thread_get_mask()?;
        // What a terminal sends to its foreground job is for the client and for runs: if they end, so does this.
        let heard = SigSet::from_iter([Signal::SIGCHLD, Signal::SIGTERM]);
        let mut blocked =
            SigSet::from_iter([Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTSTP, Signal::SIGHUP]);
        blocked.extend(&heard);
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&blocked), None)?;
        let signals = SignalFd::with_flags(&heard, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        set_child_subreaper(true)?;
        Ok(Self {
            connection: connection.into(),
            owner,
            signals,
            tree: SnapshotTree::default(),
            refresh: Refresh::new(mask),
            answers: Answers::default(),
            pending: Vec::new(),
            starting: BTreeMap::new(),
            running: BTreeMap::new(),
            stopping: BTreeMap::new(),
            refill_at: None,
            look_at: None,
            reporter: Reporter::start()?,
            visitors: Visitors::let_in(),
            closing: None,
            client_gone: false,
            closers: Vec::new(),
        })
    }

    /// Serves until there is nobody left to serve. Every process below has ended by then.
    pub(crate) fn serve(mut self) {
        while !self.is_over() {
            for token in self.wait() {
                for event in self.events_of(token) {
                    self.handle(event);
                }
                self.handle_tree_events();
            }
            for event in self.due() {
                self.handle(event);
            }
            self.handle_tree_events();
        }
        self.tree.end_all();
        for closer in std::mem::take(&mut self.closers) {
            self.answers.send(closer, &Reply::Closed);
        }
    }

    fn is_over(&self) -> bool {
        self.closing.is_some_and(|deadline| self.tree.runs().is_empty() || deadline <= Instant::now())
    }

    /// Waits until something is ready, or due.
    fn wait(&self) -> Vec<Token> {
        let input = PollFlags::POLLIN;
        let mut tokens = vec![Token::Signals];
        let mut sources = vec![PollFd::new(self.signals.as_fd(), input)];
        if !self.client_gone {
            tokens.extend([Token::Client, Token::Owner]);
            sources.extend([
                PollFd::new(self.connection.as_fd(), input),
                PollFd::new(self.owner.as_fd(), input),
            ]);
        }
        if let Some(wake) = self.refresh.wake() {
            tokens.push(Token::Scan);
            sources.push(PollFd::new(wake, input));
        }
        if let Some(visitors) = self.visitors.as_fd() {
            tokens.push(Token::Visitors);
            sources.push(PollFd::new(visitors, input));
        }
        for answer in self.answers.unsent() {
            tokens.push(Token::Answer);
            sources.push(PollFd::new(answer, PollFlags::POLLOUT));
        }
        for (source, descriptor, flags) in self.tree.sources() {
            tokens.push(Token::Tree(source));
            sources.push(PollFd::new(descriptor, flags));
        }
        let timeout = self.next_deadline().map_or(PollTimeout::NONE, |deadline| {
            // Rounded up: waking before the time would only mean waiting again.
            let left = deadline.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
        });
        match poll(&mut sources, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            // Only memory can be short here; the next round finds out whether it still is.
            Err(_) => return Vec::new(),
        }
        let ready = sources.iter().zip(tokens).filter(|(source, _)| source.any().unwrap_or(false));
        ready.map(|(_, token)| token).collect()
    }

    fn next_deadline(&self) -> Option<Instant> {
        let grace = self.stopping.values().filter_map(|stopping| stopping.deadline);
        let later = self.refill_at.into_iter().chain(self.look_at);
        grace.chain(self.refresh.deadline()).chain(self.closing).chain(later).min()
    }

    /// What has become due.
    fn due(&mut self) -> Vec<Event> {
        let now = Instant::now();
        let is_over = |stopping: &Stopping| stopping.deadline.is_some_and(|deadline| deadline <= now);
        let over = self.stopping.iter().filter(|(_, stopping)| is_over(stopping));
        let mut events: Vec<_> = over.map(|(run, _)| Event::GraceOver(*run)).collect();
        if self.refresh.deadline().is_some_and(|deadline| deadline <= now) {
            events.push(Event::ImportOverdue);
        }
        if self.refill_at.take_if(|refill_at| *refill_at <= now).is_some() {
            events.push(Event::Refill);
        }
        if self.look_at.take_if(|look_at| *look_at <= now).is_some() {
            events.push(Event::Look);
        }
        events
    }

    /// What a ready descriptor means.
    fn events_of(&mut self, token: Token) -> Vec<Event> {
        match token {
            Token::Client => self.requests(),
            Token::Owner => vec![Event::ClientGone],
            Token::Signals => self.take_signals(),
            Token::Scan => self.refresh.scanned().map(Box::new).map(Event::Scanned).into_iter().collect(),
            Token::Answer => {
                self.answers.flush();
                Vec::new()
            }
            Token::Visitors => {
                while let Some(visitor) = self.visitors.next() {
                    let client = visitors::process_behind(&self.owner).unwrap_or_default();
                    let report = self.refresh.report(&self.tree, client);
                    self.answers.send(visitor.into(), &Reply::Tree(report));
                }
                Vec::new()
            }
            Token::Tree(source) => {
                self.tree.ready(source);
                Vec::new()
            }
        }
    }

    fn requests(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            match self.connection.try_receive() {
                Ok(Some(request)) => events.push(Event::Request(request)),
                Ok(None) => return events,
                Err(ChannelError::Closed | _) => {
                    events.push(Event::ClientGone);
                    return events;
                }
            }
        }
    }

    fn take_signals(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Ok(Some(signal)) = self.signals.read_signal() {
            if signal.ssi_signo == Signal::SIGTERM as u32 {
                events.push(Event::Terminate);
            }
        }
        self.tree.reap();
        events
    }

    fn handle_tree_events(&mut self) {
        while let Some(event) = self.tree.next_event() {
            self.handle(Event::Tree(event));
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Request(received) => self.request(received),
            Event::ClientGone => {
                self.client_gone = true;
                self.close(GRACE_WITHOUT_CLIENT);
            }
            // If that was sent to the whole job, the client has more to say about it.
            Event::Terminate => self.close(GRACE),
            Event::Tree(event) => self.below(&event),
            Event::Scanned(scan) => {
                let done = self.refresh.on_scan(&mut self.tree, *scan);
                self.refreshed(done);
            }
            Event::GraceOver(run) => {
                self.tree.kill_run(run);
                if let Some(stopping) = self.stopping.get_mut(&run) {
                    stopping.deadline = None;
                }
            }
            Event::ImportOverdue => {
                let done = self.refresh.on_overdue(&mut self.tree);
                self.refreshed(done);
            }
            Event::Refill => self.refill(),
            Event::Look => {
                self.refresh.look();
                self.save_memory();
            }
        }
    }

    /// Ends what is out of date, and forks runs ahead, as many as the client wants. Without them the next run is forked when it
    /// is asked for.
    fn refill(&mut self) {
        if self.closing.is_some() {
            return;
        }
        self.refresh.end_outdated(&mut self.tree);
        for (snapshot, number) in self.refresh.spares(&self.tree) {
            // Descriptors may be short just now.
            let _ = self.tree.keep_spares(snapshot, number);
        }
    }

    /// Begins to end: runs are asked to, and get `grace` to do so.
    fn close(&mut self, grace: Duration) {
        if self.closing.is_none() {
            self.closing = Some(Instant::now() + grace);
            self.pending.clear();
            for run in self.tree.runs() {
                self.tree.terminate(run);
            }
        }
    }
}
