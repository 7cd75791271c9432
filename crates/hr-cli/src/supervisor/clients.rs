//! What clients ask for, and what they are told.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hr_forkserver::protocol::{
    Call, ExitStatus, Failure, Hello, ImportsOver, Note, Notice, Reply, Request, Resumed, RunId,
};
use hr_forkserver::{Channel, Received, TreeEvent};

use super::refresh::{Outcome, Purpose};
use super::snapshots::MemorySaved;
use super::{GRACE, LOOK_DELAY, REFILL_DELAY, Stopping, Supervisor};

/// A stream on which one request is answered.
pub(crate) type Answer = Channel<Reply, Request>;

/// How often a run may find its template dead or out of date before it gives up.
const TRIES: u32 = 4;

/// For how long it may, at the least: the time of a file that was just written does not tell for a moment whether it will
/// be written again.
const PATIENCE: Duration = Duration::from_secs(1);

/// Answers that clients have not taken in yet.
#[derive(Default)]
pub(crate) struct Answers {
    unsent: Vec<Answer>,
}

impl Answers {
    /// Sends the last reply of a stream.
    pub(crate) fn send(&mut self, mut answer: Answer, reply: &Reply) {
        Self::say(&mut answer, reply, Vec::new());
        if answer.wants_to_write() {
            self.unsent.push(answer);
        }
    }

    /// Sends a reply that another will follow. If nobody reads it, nobody misses it.
    pub(crate) fn say(answer: &mut Answer, reply: &Reply, descriptors: Vec<OwnedFd>) {
        let _ = answer.queue(reply, descriptors).and_then(|()| answer.try_flush());
    }

    /// Streams that wait for their client to read.
    pub(crate) fn unsent(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.unsent.iter().map(AsFd::as_fd)
    }

    /// Goes on sending.
    pub(crate) fn flush(&mut self) {
        self.unsent.retain_mut(|answer| answer.try_flush().is_ok() && answer.wants_to_write());
    }
}

/// A run that was asked for and does not exist yet.
///
/// It is kept until its process is known: a template that dies in between has not forked it.
pub(crate) struct PendingRun {
    call: Arc<Call>,
    descriptors: Arc<[OwnedFd]>,
    answer: Answer,
    /// The scan it waits for.
    scan: u64,
    tries_left: u32,
    since: Instant,
    /// What the run has told before it was known to have started.
    notices: Vec<Notice>,
    /// The checkpoint it goes on from.
    resumed: Option<Resumed>,
}

impl Supervisor {
    pub(super) fn request(&mut self, received: Received<Request>) {
        let Received { message, mut descriptors } = received;
        if descriptors.is_empty() {
            return; // nowhere to answer
        }
        let mut answer = Answer::from(descriptors.remove(0));
        let goes_on = matches!(message, Request::Stop { .. } | Request::Signal { .. } | Request::Close);
        if self.closing.is_some() && !goes_on {
            return self.answers.send(answer, &invalid("the environment is being closed"));
        }
        match message {
            Request::Hello(_) => match own_handle() {
                Ok(handle) => Answers::say(&mut answer, &Reply::Hello(Hello::OURS), vec![handle]),
                Err(error) => self.answers.send(answer, &invalid(&format!("no pidfd to be had: {error}"))),
            },
            Request::Open(open) => {
                let done = self.refresh.open(&open, answer);
                self.refreshed(done);
            }
            Request::Exec(call) => self.exec(*call, descriptors, answer),
            Request::Stop { run, grace, again } => {
                self.stop(run, grace, again, answer);
                if again {
                    self.refresh.fork_ahead(&mut self.tree, run);
                }
            }
            Request::Signal { run, signal } => {
                let was_running = self.tree.signal(run, signal);
                self.answers.send(answer, &Reply::Stopped { was_running });
            }
            Request::Update => {
                self.refresh.request(Purpose::Update(answer));
                let done = self.refresh.advance(&mut self.tree);
                self.refreshed(done);
            }
            Request::Status => {
                let reply = match self.refresh.state(&self.tree) {
                    Some(state) => Reply::State(state),
                    None => invalid("no project is open"),
                };
                self.answers.send(answer, &reply);
            }
            Request::Watched => {
                let reply =
                    self.refresh.watched().map_or_else(|| invalid("no project is open"), Reply::Watched);
                self.answers.send(answer, &reply);
            }
            Request::Profile => {
                let reply = match self.refresh.profile(&self.tree) {
                    Some(profile) => Reply::Profile(profile.clone()),
                    None => invalid("the project was not opened with a profile of its imports"),
                };
                self.answers.send(answer, &reply);
            }
            Request::Close => {
                self.closers.push(answer);
                self.close(GRACE);
            }
        }
    }

    fn exec(&mut self, call: Call, descriptors: Vec<OwnedFd>, answer: Answer) {
        if !self.refresh.is_open() {
            return self.answers.send(answer, &invalid("no project is open"));
        }
        if descriptors.len() != call.descriptors() {
            return self.answers.send(answer, &invalid("the call came without its descriptors"));
        }
        let (call, descriptors) = (Arc::new(call), descriptors.into());
        let scan = self.refresh.scan_to_wait_for();
        let since = Instant::now();
        self.pending.push(PendingRun {
            call,
            descriptors,
            answer,
            scan,
            tries_left: TRIES,
            since,
            notices: Vec::new(),
            resumed: None,
        });
        self.start_pending();
    }

    /// Forks the runs that wait, if there is a template to fork; otherwise sees to it that there will be.
    pub(super) fn start_pending(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        for pending in std::mem::take(&mut self.pending) {
            let scanned = self.refresh.has_scanned(pending.scan);
            let kind = self.refresh.kind(&pending.call, &pending.descriptors);
            let start =
                scanned.then(|| self.refresh.start(&mut self.tree, &pending.call, kind.as_ref())).flatten();
            let Some(start) = start else {
                self.pending.push(pending);
                continue;
            };
            let (call, descriptors) = (Arc::clone(&pending.call), Arc::clone(&pending.descriptors));
            self.refresh.run_begins();
            let run = self.tree.run(start.snapshot, call, descriptors, start.checkpointing.clone());
            if let Some(kind) = kind {
                self.refresh.run_started(run, kind, &start);
            }
            let mut pending = PendingRun { resumed: start.resumed, ..pending };
            if !start.outdated_by.is_empty() {
                pending.notices.push(Notice::CheckpointsOutdated { changed: start.outdated_by });
            }
            self.starting.insert(run, pending);
        }
        if self.refresh.has_outdated() {
            self.refill_at.get_or_insert(Instant::now() + REFILL_DELAY);
        }
        if self.refresh.is_idle() {
            self.give_up_hopeless();
            if let Some(pending) = self.pending.first() {
                self.refresh.request(Purpose::Revive(Box::new(pending.call.context.clone())));
            }
        }
        let done = self.refresh.advance(&mut self.tree);
        self.refreshed(done);
    }

    /// A template that is out of date again and again, as soon as it is built, will not serve the runs that wait.
    fn give_up_hopeless(&mut self) {
        // The first of them is whom the next template is made for.
        if let Some(first) = self.pending.first_mut() {
            first.tries_left = first.tries_left.saturating_sub(1);
        }
        let (hopeless, waiting) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition(|pending| pending.tries_left == 0 && pending.since.elapsed() > PATIENCE);
        self.pending = waiting;
        let hopeless: Vec<PendingRun> = hopeless;
        for pending in hopeless {
            let message = "the files that the template has loaded keep changing";
            self.answers.send(pending.answer, &cannot_fork(message));
        }
    }

    fn stop(&mut self, run: RunId, grace: Duration, again: bool, answer: Answer) {
        // While this ends, all runs have been told to.
        let is_running = match self.closing {
            Some(_) => self.tree.runs().contains(&run),
            None => self.tree.terminate(run),
        };
        if is_running {
            let deadline = Instant::now() + grace;
            self.closing = self.closing.map(|before| before.max(deadline));
            let stopping = self.stopping.entry(run).or_insert_with(|| Stopping {
                deadline: Some(deadline),
                again,
                waiting: Vec::new(),
            });
            // Who asks again may be less patient.
            stopping.deadline = stopping.deadline.map(|before| before.min(deadline));
            stopping.waiting.push(answer);
        } else {
            self.answers.send(answer, &Reply::Stopped { was_running: false });
        }
    }

    /// Something happened to a process below.
    pub(super) fn below(&mut self, event: &TreeEvent) {
        match event {
            TreeEvent::RunStarted { run, pid } => {
                if let Some(PendingRun { mut answer, notices, resumed, .. }) = self.starting.remove(run) {
                    Answers::say(&mut answer, &Reply::Started { run: *run, pid: *pid, resumed }, Vec::new());
                    for notice in notices {
                        Answers::say(&mut answer, &Reply::Notice(notice), Vec::new());
                    }
                    self.running.insert(*run, answer);
                    self.refill_at.get_or_insert(Instant::now() + REFILL_DELAY);
                }
            }
            TreeEvent::RunFailed { run, message } => self.run_failed(*run, message),
            TreeEvent::RunEnded { run, status } => self.run_ended(*run, *status),
            TreeEvent::Output(bytes) => {
                self.refresh.keep_output(bytes);
                self.reporter.printed(bytes);
            }
            TreeEvent::Note(Note::Loaded { modules }) => {
                self.refresh.learn(modules.clone());
                let done = self.refresh.advance(&mut self.tree);
                self.refreshed(done);
            }
            TreeEvent::Note(Note::Notice { run, notice }) => self.notice(*run, notice),
            TreeEvent::Note(Note::ImportsOver(over)) => self.imports_over(over),
            TreeEvent::Checkpoint { snapshot, run, checkpoint } => {
                self.refresh.add_checkpoint(&mut self.tree, *snapshot, *run, (**checkpoint).clone());
                self.look_at = Some(Instant::now() + LOOK_DELAY);
            }
            TreeEvent::Died { snapshot, status }
                if self.refresh.served(*snapshot) && self.closing.is_none() =>
            {
                self.reporter.template_died(describe(*status));
            }
            _ => {}
        }
        if let TreeEvent::Died { snapshot, .. } = event {
            self.refresh.died(*snapshot);
        }
        let done = self.refresh.on_event(&mut self.tree, event);
        self.refreshed(done);
    }

    fn imports_over(&mut self, over: &ImportsOver) {
        self.refresh.imports_over(over);
        // What it shares with its checkpoints is less than when they were made.
        self.look_at = Some(Instant::now() + LOOK_DELAY);
        if let Some((obstacle, place)) = over.obstacle.clone() {
            self.notice(over.run, &Notice::CheckpointsOver { obstacle, place });
        }
    }

    /// Lets checkpoints go for the memory that they take, and tells whoever has asked for runs.
    pub(super) fn save_memory(&mut self) {
        let MemorySaved { dropped, again } = self.refresh.save_memory(&mut self.tree);
        self.look_at = again.or(self.look_at);
        if let Ok(number @ 1..) = u32::try_from(dropped) {
            for answer in self.running.values_mut() {
                let notice = Notice::CheckpointsDropped { number };
                Answers::say(answer, &Reply::Notice(notice), Vec::new());
            }
        }
    }

    /// Passes on what a run tells.
    fn notice(&mut self, run: RunId, notice: &Notice) {
        if let Some(answer) = self.running.get_mut(&run) {
            Answers::say(answer, &Reply::Notice(notice.clone()), Vec::new());
        } else if let Some(pending) = self.starting.get_mut(&run) {
            pending.notices.push(notice.clone());
        }
    }

    fn run_failed(&mut self, run: RunId, message: &str) {
        let Some(mut pending) = self.starting.remove(&run) else { return };
        pending.tries_left = pending.tries_left.saturating_sub(1);
        if pending.tries_left == 0 || self.closing.is_some() {
            return self.answers.send(pending.answer, &cannot_fork(message));
        }
        self.pending.push(pending);
        self.start_pending();
    }

    fn run_ended(&mut self, run: RunId, status: ExitStatus) {
        self.refresh.run_ended(&mut self.tree, run);
        if let Some(answer) = self.running.remove(&run) {
            self.answers.send(answer, &Reply::Ended(status));
        }
        let stopping = self.stopping.remove(&run);
        // One that takes its place is not to wait for that.
        let again = stopping.as_ref().is_some_and(|stopping| stopping.again);
        self.refill_at = Some(Instant::now() + if again { REFILL_DELAY } else { Duration::ZERO });
        if let Some(stopping) = stopping {
            for answer in stopping.waiting {
                self.answers.send(answer, &Reply::Stopped { was_running: true });
            }
        }
    }

    /// Tells those who asked what became of a refresh.
    pub(super) fn refreshed(&mut self, outcomes: Vec<Outcome>) {
        for outcome in outcomes {
            match outcome {
                Outcome::Building(event) => self.reporter.building(&event, self.running.is_empty()),
                Outcome::Answer(answer, reply) => {
                    self.reporter.built();
                    if let Reply::Opened(state)
                    | Reply::Updated(hr_forkserver::protocol::Update { state, .. }) = &*reply
                    {
                        self.reporter.template(&state.excluded, &state.problems);
                    }
                    self.answers.send(answer, &reply);
                }
                Outcome::Ready => {
                    self.reporter.built();
                    self.start_pending();
                    self.refill();
                    if self.refresh.has_new_snapshots() {
                        self.look_at = Some(Instant::now() + LOOK_DELAY);
                    }
                }
                Outcome::NoTemplate(message) => {
                    self.reporter.built();
                    for pending in std::mem::take(&mut self.pending) {
                        self.answers.send(pending.answer, &cannot_fork(&message));
                    }
                }
            }
        }
    }
}

fn invalid(message: &str) -> Reply {
    Reply::Failed(Failure::Invalid { message: message.to_owned() })
}

fn cannot_fork(message: &str) -> Reply {
    Reply::Failed(Failure::Interpreter { message: format!("no run could be forked: {message}") })
}

fn describe(status: ExitStatus) -> String {
    match status {
        ExitStatus::Exited(code) => format!("exit code {code}"),
        ExitStatus::Signaled(signal) => format!("signal {signal}"),
        ExitStatus::Lost => "unknown status".to_owned(),
    }
}

fn own_handle() -> rustix::io::Result<OwnedFd> {
    rustix::process::pidfd_open(rustix::process::getpid(), rustix::process::PidfdFlags::empty())
}
