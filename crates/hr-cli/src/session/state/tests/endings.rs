//! Signals, and what they end.

use super::*;

#[test]
fn an_interrupt_leaves_the_program_its_own_clean_up_and_a_second_one_does_not() {
    let mut session = Session::running();
    assert_eq!(session.signal(Signal::SIGINT), [], "the terminal has sent it to the program as well");
    let status = ExitStatus::Exited(0);
    assert_eq!(session.on(Event::Ended(status)), [Action::End(Exit::Like(status))]);

    let mut session = Session::running();
    session.signal(Signal::SIGINT);
    assert_eq!(session.signal(Signal::SIGINT), [Action::Stop(Duration::ZERO)]);
    let by_interrupt = Action::End(Exit::By(Signal::SIGINT));
    assert_eq!(session.on(Event::Ended(ExitStatus::Signaled(9))), [by_interrupt]);

    let mut session = Session::running();
    let alone = Event::Signal { signal: Signal::SIGINT, to_us_alone: true };
    assert_eq!(session.on(alone), [Action::Send(Signal::SIGINT)]);
}

#[test]
fn a_program_that_lives_on_after_an_interrupt_is_still_worked_on() {
    let mut session = Session::running();
    session.signal(Signal::SIGINT);
    session.now += Duration::from_millis(500);
    assert_eq!(session.saved("a.py"), [Action::Update]);
    assert_eq!(session.on(update(&[("a.py", SourceChangeKind::Code)])), [Action::Stop(GRACE)]);

    let mut session = Session::running();
    session.signal(Signal::SIGINT);
    session.now += Duration::from_mins(1);
    assert_eq!(session.signal(Signal::SIGINT), [], "another first one");
}

#[test]
fn a_restart_that_is_interrupted_ends() {
    let mut session = Session::running();
    session.saved("a.py");
    session.on(update(&[("a.py", SourceChangeKind::Code)]));
    assert_eq!(session.signal(Signal::SIGINT), []);
    let by_interrupt = Action::End(Exit::By(Signal::SIGINT));
    assert_eq!(session.on(Event::Ended(ExitStatus::Signaled(15))), [by_interrupt]);
}

#[test]
fn whoever_ends_the_session_ends_the_program_first() {
    let mut session = Session::running();
    assert_eq!(session.signal(Signal::SIGTERM), [Action::Stop(GRACE)]);
    let by_term = Action::End(Exit::By(Signal::SIGTERM));
    assert_eq!(session.on(Event::Ended(ExitStatus::Exited(0))), [by_term]);

    let mut session = Session::running();
    session.on(Event::Ended(ExitStatus::Exited(0)));
    assert_eq!(session.signal(Signal::SIGINT), [Action::End(Exit::By(Signal::SIGINT))], "nothing runs");
}

#[test]
fn a_program_whose_output_nobody_reads_any_more_is_not_waited_with() {
    let mut session = Session::running();
    assert_eq!(session.on(Event::Unread), []);
    let status = ExitStatus::Exited(1);
    assert_eq!(session.on(Event::Ended(status)), [Action::End(Exit::Like(status))]);
}

#[test]
fn what_was_saved_before_an_interrupt_does_not_hold_the_end_up() {
    let mut session = Session::running();
    let saved = session.now;
    session.now += Duration::from_millis(3);
    assert_eq!(session.signal(Signal::SIGINT), []);
    let files = ["a.py".into()].into();
    assert_eq!(
        session.on(Event::Changed(Changed { files, decisive: false, at: Some(saved), ..Changed::default() })),
        []
    );
    let status = ExitStatus::Signaled(2);
    assert_eq!(session.on(Event::Ended(status)), [Action::End(Exit::Like(status))]);
}

#[test]
fn what_is_saved_after_an_interrupt_restarts_a_debugger() {
    let mut session = Session::running();
    assert_eq!(session.signal(Signal::SIGINT), []);
    session.now += Duration::from_secs(1);
    assert_eq!(session.saved("a.py"), [Action::Update]);
    assert_eq!(session.on(update(&[("a.py", SourceChangeKind::Code)])), [Action::Stop(GRACE)]);
    assert_eq!(session.on(Event::Ended(ExitStatus::Signaled(15))), [Action::Start]);
}

#[test]
fn what_is_saved_around_an_interrupt_restarts_a_debugger_at_last() {
    let heard_together = |session: &mut Session| {
        session.signal(Signal::SIGINT);
        assert_eq!(session.saved("a.py"), [], "it may have been saved before");
    };
    let saved_before = |session: &mut Session| {
        let files = ["a.py".into()].into();
        let at = Some(session.now);
        session.now += Duration::from_millis(3);
        session.signal(Signal::SIGINT);
        assert_eq!(
            session.on(Event::Changed(Changed { files, decisive: false, at, ..Changed::default() })),
            []
        );
    };
    let being_understood = |session: &mut Session| {
        session.saved("a.py");
        session.signal(Signal::SIGINT);
        assert_eq!(session.on(update(&[("a.py", SourceChangeKind::Code)])), []);
    };
    for happens in [&heard_together as &dyn Fn(&mut Session), &saved_before, &being_understood] {
        let mut session = Session::running();
        happens(&mut session);
        assert_eq!(session.on(Event::Late), [], "it still has time to end");
        session.now += GRACE;
        assert_eq!(session.on(Event::Late), [], "whoever waits for connections to close takes longer");
        session.now = session.state.deadline().expect("it is not left at that");
        assert_eq!(session.on(Event::Late), [Action::Update]);
        assert_eq!(session.on(update(&[("a.py", SourceChangeKind::Code)])), [Action::Stop(GRACE)]);
        assert_eq!(session.state.deadline(), None);
    }
}

#[test]
fn a_program_that_heeds_an_interrupt_late_is_not_started_again() {
    for status in [ExitStatus::Signaled(2), ExitStatus::Exited(130)] {
        let mut session = Session::running();
        session.signal(Signal::SIGINT);
        session.now += Duration::from_secs(1);
        session.saved("a.py");
        assert_eq!(session.on(update(&[("a.py", SourceChangeKind::Code)])), [Action::Stop(GRACE)]);
        assert_eq!(session.on(Event::Ended(status)), [Action::End(Exit::Like(status))]);
    }
    let mut session = Session::running();
    session.saved("a.py");
    session.on(update(&[("a.py", SourceChangeKind::Code)]));
    assert_eq!(
        session.on(Event::Ended(ExitStatus::Signaled(2))),
        [Action::Start],
        "nobody has interrupted it"
    );
}

#[test]
fn what_prevents_a_start_or_an_update_is_nothing_to_somebody_who_ends_it_all() {
    let closing = || "the environment is being closed".to_owned();
    let mut session = Session { state: State::new(true, GRACE), now: Instant::now() };
    session.on(Event::Opened);
    session.signal(Signal::SIGTERM);
    assert_eq!(session.on(Event::NotStarted(closing())), [Action::End(Exit::By(Signal::SIGTERM))]);

    let mut session = Session::running();
    session.saved("a.py");
    session.signal(Signal::SIGTERM);
    assert_eq!(session.on(Event::UpdateFailed(closing())), []);

    let mut session = Session::running();
    session.saved("a.py");
    assert_eq!(session.on(Event::UpdateFailed(closing())), [Action::Say(Line::Failed(closing()))]);
}

#[test]
fn a_program_that_takes_its_time_to_clean_up_is_not_started_again() {
    let mut session = Session::running();
    session.signal(Signal::SIGINT);
    assert_eq!(session.state.deadline(), None, "nothing was saved");
    session.now += Duration::from_mins(1);
    let status = ExitStatus::Exited(0);
    assert_eq!(session.on(Event::Ended(status)), [Action::End(Exit::Like(status))]);
}

#[test]
fn a_program_that_is_about_to_start_when_an_end_is_wanted_ends_by_itself() {
    for (signal, action) in
        [(Signal::SIGINT, Action::Send(Signal::SIGINT)), (Signal::SIGTERM, Action::Stop(GRACE))]
    {
        let mut session = Session { state: State::new(true, GRACE), now: Instant::now() };
        session.on(Event::Opened);
        assert_eq!(session.signal(signal), [], "in a moment it can clean up");
        assert_eq!(session.on(Event::Started(None)), [action]);
        let end = session.on(Event::Ended(ExitStatus::Signaled(signal as i32)));
        assert!(matches!(end[..], [Action::End(_)]), "{end:?}");
    }
    let mut session = Session { state: State::new(true, GRACE), now: Instant::now() };
    session.on(Event::Opened);
    session.signal(Signal::SIGINT);
    assert_eq!(session.signal(Signal::SIGINT), [Action::End(Exit::By(Signal::SIGINT))], "at once");
}
