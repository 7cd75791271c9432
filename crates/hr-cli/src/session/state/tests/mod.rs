use std::path::PathBuf;
use std::time::{Duration, Instant};

use hr_forkserver::protocol::{ExitStatus, Problem, SourceChange, SourceChangeKind, TemplateState, Update};
use nix::sys::signal::Signal;

use super::{Action, Changed, Event, Exit, Line, Outlook, State};

mod endings;

const GRACE: Duration = Duration::from_secs(2);

/// A development loop, and a clock that only moves when it is told to.
struct Session {
    state: State,
    now: Instant,
}

impl Session {
    fn running() -> Self {
        let mut session = Self { state: State::new(true, GRACE), now: Instant::now() };
        assert_eq!(session.on(Event::Opened), [Action::Start]);
        assert_eq!(session.on(Event::Started(None)), []);
        session
    }

    fn on(&mut self, event: Event) -> Vec<Action> {
        self.state.on(event, self.now)
    }

    fn saved(&mut self, file: &str) -> Vec<Action> {
        let files = [file.into()].into();
        self.on(Event::Changed(Changed { files, decisive: false, at: Some(self.now), ..Changed::default() }))
    }

    fn signal(&mut self, signal: Signal) -> Vec<Action> {
        self.on(Event::Signal { signal, to_us_alone: false })
    }
}

fn update(kinds: &[(&str, SourceChangeKind)]) -> Event {
    let source = kinds.iter().map(|(file, kind)| SourceChange {
        file: file.into(),
        module: String::new(),
        kind: *kind,
        importers: Vec::new(),
    });
    let unreadable = kinds.iter().filter(|(_, kind)| *kind == SourceChangeKind::Unreadable);
    let problems = unreadable.map(|(file, _)| problem(file)).collect();
    Event::Updated(Box::new(Update {
        changed: false,
        added: Vec::new(),
        removed: Vec::new(),
        files: Vec::new(),
        source: source.collect(),
        reason: String::new(),
        state: TemplateState { problems, ..TemplateState::default() },
    }))
}

fn problem(file: &str) -> Problem {
    Problem { file: file.into(), line: 1, column: 2, message: "expected ':'".to_owned() }
}

fn restarted(files: &[&str], milliseconds: u64) -> Action {
    let files = files.iter().map(Into::into).collect();
    Action::Say(Line::Restarted { files, after: Some(Duration::from_millis(milliseconds)), resumed: None })
}

#[test]
fn a_save_that_counts_restarts_the_program_once() {
    let mut session = Session::running();
    assert_eq!(session.saved("a.py"), [Action::Update]);
    assert_eq!(session.on(update(&[("a.py", SourceChangeKind::Code)])), [Action::Stop(GRACE)]);
    assert_eq!(session.saved("b.py"), [], "the next version begins with it");
    assert_eq!(session.on(Event::Ended(ExitStatus::Signaled(15))), [Action::Start]);
    session.now += Duration::from_millis(40);
    assert_eq!(session.on(Event::Started(None)), [restarted(&["a.py"], 40), Action::Update]);
    let nothing = Action::Say(Line::Nothing(vec!["b.py".into()]));
    assert_eq!(session.on(update(&[])), [nothing]);
}

#[test]
fn saves_during_an_update_are_asked_about_when_it_is_there() {
    let mut session = Session::running();
    assert_eq!(session.saved("a.py"), [Action::Update]);
    assert_eq!(session.saved("b.py"), []);
    assert_eq!(session.on(update(&[("a.py", SourceChangeKind::Code)])), [Action::Update]);
    let both = [("a.py", SourceChangeKind::Code), ("b.py", SourceChangeKind::Code)];
    assert_eq!(session.on(update(&both)), [Action::Stop(GRACE)]);
    session.on(Event::Ended(ExitStatus::Exited(0)));
    assert_eq!(session.on(Event::Started(None)), [restarted(&["a.py", "b.py"], 0)]);
}

#[test]
fn what_is_found_ahead_is_not_acted_upon_before_the_files_are_at_rest() {
    let code = || update(&[("a.py", SourceChangeKind::Code)]);
    let mut session = Session::running();
    assert_eq!(session.on(Event::Stirring), [Action::Update]);
    assert_eq!(session.on(code()), []);
    assert_eq!(session.saved("a.py"), [Action::Update]);
    assert_eq!(session.on(code()), [Action::Stop(GRACE)]);
    assert_eq!(session.on(Event::Stirring), [], "the next version begins with it");

    let mut session = Session::running();
    assert_eq!(session.on(Event::Stirring), [Action::Update]);
    assert_eq!(session.saved("a.py"), [], "one at a time");
    assert_eq!(session.on(code()), [Action::Update]);
    assert_eq!(session.on(code()), [Action::Stop(GRACE)]);
}

#[test]
fn a_library_that_was_found_changed_ahead_counts() {
    let mut session = Session::running();
    session.on(Event::Stirring);
    let Event::Updated(mut rebuilt) = update(&[]) else { unreachable!() };
    (rebuilt.changed, rebuilt.files) = (true, vec!["/lib/json.py".into()]);
    let told = Action::Say(Line::Rebuilt(vec!["/lib/json.py".into()]));
    assert_eq!(session.on(Event::Updated(rebuilt)), [told]);
    session.saved("a.py");
    assert_eq!(session.on(update(&[])), [Action::Stop(GRACE)]);
}

#[test]
fn what_was_found_by_looking_is_told_by_its_name() {
    let mut session = Session::running();
    assert_eq!(session.on(Event::Changed(Changed::default())), [Action::Update]);
    assert_eq!(session.on(update(&[("a.py", SourceChangeKind::Code)])), [Action::Stop(GRACE)]);
    assert_eq!(session.on(Event::Ended(ExitStatus::Signaled(15))), [Action::Start]);
    let files = ["a.py".into()].into();
    let told = Action::Say(Line::Restarted { files, after: None, resumed: None });
    assert_eq!(session.on(Event::Started(None)), [told]);
}

#[test]
fn what_does_not_count_restarts_nothing() {
    let mut session = Session::running();
    session.saved("a.py");
    let nothing = Action::Say(Line::Nothing(vec!["a.py".into()]));
    assert_eq!(session.on(update(&[("a.py", SourceChangeKind::Cosmetic)])), [nothing]);
}

#[test]
fn a_file_that_the_user_watches_counts_whatever_the_source_says() {
    let mut session = Session::running();
    let changed = Changed { files: ["page.html".into()].into(), decisive: true, ..Changed::default() };
    assert_eq!(session.on(Event::Changed(changed)), [Action::Update]);
    assert_eq!(session.on(update(&[])), [Action::Stop(GRACE)]);
}

#[test]
fn a_syntax_error_leaves_the_program_alone_until_it_is_repaired() {
    let mut session = Session::running();
    session.saved("a.py");
    let still = Action::Say(Line::Unreadable(vec![problem("a.py")], Outlook::GoesOn));
    assert_eq!(session.on(update(&[("a.py", SourceChangeKind::Unreadable)])), [still]);
    session.saved("a.py");
    assert_eq!(session.on(update(&[("a.py", SourceChangeKind::Code)])), [Action::Stop(GRACE)]);

    let mut session = Session::running();
    session.saved("a.py");
    session.on(update(&[("a.py", SourceChangeKind::Unreadable)]));
    session.saved("a.py");
    let nothing = Action::Say(Line::Nothing(vec!["a.py".into()]));
    assert_eq!(session.on(update(&[])), [nothing], "it is what runs");
}

#[test]
fn a_syntax_error_in_a_file_that_the_program_does_without_holds_up_nothing() {
    let unreadable = || update(&[("a.py", SourceChangeKind::Unreadable)]);
    let told = |outlook| Action::Say(Line::Unreadable(vec![problem("a.py")], outlook));
    let loads = |files: &[&str]| {
        let mut session = Session::running();
        assert_eq!(session.on(Event::Loaded(files.iter().map(PathBuf::from).collect())), []);
        session.saved("a.py");
        session
    };
    assert_eq!(loads(&["b.py"]).on(unreadable()), [told(Outlook::Indifferent), Action::Stop(GRACE)]);
    assert_eq!(loads(&["b.py", "a.py"]).on(unreadable()), [told(Outlook::GoesOn)]);
    let mut ended = loads(&["b.py"]);
    ended.on(Event::Ended(ExitStatus::Exited(1)));
    assert_eq!(ended.on(unreadable()), [told(Outlook::Indifferent), Action::Start]);
    assert_eq!(ended.on(Event::Started(None)), [restarted(&["a.py"], 0)]);
    ended.saved("a.py");
    assert_eq!(
        ended.on(unreadable()),
        [told(Outlook::GoesOn)],
        "this version has not told yet what it loads"
    );

    let mut imported = loads(&["b.py"]);
    let Event::Updated(mut update) = unreadable() else { unreachable!() };
    update.source[0].importers.push("b.py".into());
    assert_eq!(
        imported.on(Event::Updated(update)),
        [told(Outlook::GoesOn)],
        "the next version would load it"
    );
}

#[test]
fn a_program_that_has_ended_starts_at_the_next_save_whatever_it_changes() {
    let mut session = Session::running();
    let status = ExitStatus::Exited(3);
    assert_eq!(session.on(Event::Ended(status)), [Action::Say(Line::Ended(status))]);
    assert_eq!(session.saved("a.py"), [Action::Update]);
    assert_eq!(session.on(update(&[("a.py", SourceChangeKind::Cosmetic)])), [Action::Start]);
}

#[test]
fn without_reloading_the_session_ends_as_the_program_does() {
    let mut session = Session { state: State::new(false, GRACE), now: Instant::now() };
    session.on(Event::Opened);
    session.on(Event::Started(None));
    let status = ExitStatus::Exited(3);
    assert_eq!(session.on(Event::Ended(status)), [Action::End(Exit::Like(status))]);
}

#[test]
fn a_program_whose_output_nobody_reads_is_restarted_while_it_runs() {
    let mut session = Session::running();
    assert_eq!(session.on(Event::Unread), []);
    assert_eq!(session.saved("a.py"), [Action::Update]);
    assert_eq!(session.on(update(&[("a.py", SourceChangeKind::Code)])), [Action::Stop(GRACE)]);
    assert_eq!(session.on(Event::Ended(ExitStatus::Signaled(15))), [Action::Start]);
}

#[test]
fn a_new_directory_is_named_only_as_long_as_nothing_is_known_to_be_in_it() {
    let mut session = Session::running();
    session.saved("data/new");
    session.saved("data/new/prices.yaml");
    session.on(update(&[]));
    session.on(update(&[("data/new/prices.yaml", SourceChangeKind::Added)]));
    session.on(Event::Ended(ExitStatus::Signaled(15)));
    let told = session.on(Event::Started(None));
    let [Action::Say(Line::Restarted { files, .. })] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(*files, [PathBuf::from("data/new/prices.yaml")]);
}
