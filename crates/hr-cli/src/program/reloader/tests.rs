use proptest::prelude::*;

use super::*;

fn unset(_: &str) -> Option<OsString> {
    None
}

/// The words that are left, and whether anything was said.
fn switched(line: &str) -> (String, bool) {
    let (program, words) = line.split_once(' ').unwrap_or((line, ""));
    let words: Vec<OsString> = words.split_whitespace().map(OsString::from).collect();
    let switched = switch_off(program, &words, &unset);
    assert_eq!(switched.environment, []);
    (switched.words.join(OsStr::new(" ")).into_string().unwrap(), switched.notice.is_some())
}

#[test]
fn reloaders_are_switched_off_and_nothing_else() {
    for (line, left) in [
        ("uvicorn a:b --reload --port 1", "a:b --port 1"),
        ("uvicorn --reload-dir x --reload-dir=y --reload --reload-delay 2 a:b", "a:b"),
        ("uvicorn --reload-include *.html --reload-exclude=*.py a:b --reload", "a:b"),
        ("flask run --debug", "run --no-reload --debug"),
        ("flask --debug run -p 1", "--debug run --no-reload -p 1"),
        ("flask -A run --debug run", "-A run --debug run --no-reload"),
        ("flask --app=x run --reload", "--app=x run --no-reload"),
        ("quart -A a --debug run", "-A a --debug run --no-reload"),
        ("quart run --reload", "run --no-reload"),
        ("manage.py runserver 0:8000", "runserver --noreload 0:8000"),
        ("django-admin runserver_plus", "runserver_plus --noreload"),
        ("django runserver --settings a.b", "runserver --noreload --settings a.b"),
        ("granian --reload --reload-tick 50 --interface asgi a:b", "--interface asgi a:b"),
        ("granian a:b --reload --reload-ignore-worker-failure --reload-paths=x", "a:b"),
        ("gunicorn --reload -w 2 --reload-engine poll a:b --reload-extra-file=x", "-w 2 a:b"),
        ("hypercorn a:b --reload", "a:b"),
        ("sanic a:b --dev", "a:b --debug"),
        ("sanic a:b -d -p 1", "a:b --debug -p 1"),
        ("sanic a:b --auto-reload -R src -Rlib", "a:b"),
        ("sanic a:b --reload-dir src", "a:b"),
        ("fastapi dev main.py", "dev --no-reload main.py"),
        ("fastapi dev --reload-dir x --reload", "dev --no-reload"),
        ("fastapi run --reload", "run"),
        ("litestar --app a:b run --reload -d", "--app a:b run -d"),
        ("litestar run -rd", "run -d"),
        ("litestar run -R src -I*.html", "run"),
    ] {
        assert_eq!(switched(line), (left.to_owned(), true), "{line}");
    }
}

#[test]
fn what_has_no_reloader_on_is_not_spoken_of() {
    for line in [
        "uvicorn a:b",
        "uvicorn a:b -- --reload",
        "flask routes --debug",
        "flask run --no-reload --debug --no-debug",
        "manage.py migrate --reload",
        "manage.py runserver --noreload",
        "fastapi dev --no-reload",
        "litestar info",
        "litestar run -dP",
        "celery -A a worker --reload",
        "daphne --reload a:b",
        "streamlit run --reload",
    ] {
        let words = line.split_once(' ').unwrap().1;
        assert_eq!(switched(line), (words.to_owned(), false), "{line}");
    }
    // Switched off in any case, as a .flaskenv may switch it on.
    assert_eq!(switched("flask run"), ("run --no-reload".to_owned(), false));
}

#[test]
fn variables_that_switch_reloaders_on_are_undone() {
    let with = |line: &str, name: &'static str, value: &'static str| {
        let (program, words) = line.split_once(' ').unwrap();
        let words: Vec<OsString> = words.split_whitespace().map(OsString::from).collect();
        let switched = switch_off(program, &words, &|asked| (asked == name).then(|| value.into()));
        (switched.environment, switched.notice.is_some())
    };
    let removed = |name: &str| vec![(OsString::from(name), None)];
    assert_eq!(with("uvicorn a:b", "UVICORN_RELOAD", "true"), (removed("UVICORN_RELOAD"), true));
    assert_eq!(with("uvicorn a:b", "UVICORN_RELOAD", "0"), (removed("UVICORN_RELOAD"), false));
    assert_eq!(with("granian a:b", "GRANIAN_RELOAD", "1"), (removed("GRANIAN_RELOAD"), true));
    assert_eq!(with("litestar run", "LITESTAR_RELOAD_DIRS", "src"), (removed("LITESTAR_RELOAD_DIRS"), true));
    assert_eq!(with("litestar info", "LITESTAR_RELOAD", "1"), (vec![], false));
    // Debugging stays.
    assert_eq!(with("flask run", "FLASK_DEBUG", "1"), (vec![], true));
    assert_eq!(with("flask run", "FLASK_DEBUG", "no"), (vec![], false));
    assert_eq!(with("quart run", "QUART_DEBUG", "1"), (vec![], true));
    let left = vec![(OsString::from("GUNICORN_CMD_ARGS"), Some(OsString::from("-w 2")))];
    assert_eq!(with("gunicorn a:b", "GUNICORN_CMD_ARGS", "-w 2 --reload"), (left, true));
    assert_eq!(with("gunicorn a:b", "GUNICORN_CMD_ARGS", "-w 2"), (vec![], false));
    assert_eq!(with("gunicorn a:b", "GUNICORN_CMD_ARGS", "-n 'a b' --reload"), (vec![], false));
}

/// Words that no reloader knows, among them some that look alike.
fn word() -> impl Strategy<Value = OsString> {
    let look_alike = prop::sample::select(vec![
        "--port",
        "8000",
        "a:b",
        "-p",
        "--reloaded",
        "--reload-x",
        "reload",
        "--no-debugger",
        "--devel",
        "é",
        "",
    ]);
    prop_oneof![
        look_alike.prop_map(OsString::from),
        "[a-z0-9/.=:]{1,8}".prop_map(OsString::from),
        "--[a-q]{3,8}=[a-z]{0,3}".prop_map(OsString::from),
    ]
}

proptest! {
    /// Whatever the program, words that are not a reloader's come out unchanged and in order.
    #[test]
    fn other_words_stay(words in prop::collection::vec(word(), 0..8), known in 0..KNOWN.len()) {
        let known = &KNOWN[known];
        let mut all: Vec<OsString> = known.subcommands.iter().take(1).map(OsString::from).collect();
        all.extend(words);
        let mut left = switch_off(known.programs[0], &all, &unset).words;
        left.retain(|word| known.off.is_none_or(|off| word != off));
        prop_assert_eq!(left, all);
    }

    /// Wherever they stand among others, those that start it go.
    #[test]
    fn words_that_start_it_go(
        before in prop::collection::vec(word(), 0..4),
        after in prop::collection::vec(word(), 0..4),
        known in 0..KNOWN.len(),
    ) {
        let known = &KNOWN[known];
        let Some((option, _)) =
            known.options.iter().find(|(_, meaning)| matches!(meaning, Meaning::Starts)) else { return Ok(()) };
        let subcommand = known.subcommands.iter().take(1).map(OsString::from);
        let without: Vec<OsString> = subcommand.chain(before.clone()).chain(after.clone()).collect();
        let mut with = without.clone();
        with.insert(without.len() - after.len(), option.into());
        let switched = switch_off(known.programs[0], &with, &unset);
        prop_assert!(switched.notice.is_some());
        let mut left = switched.words;
        left.retain(|word| known.off.is_none_or(|off| word != off));
        prop_assert_eq!(left, without);
    }

    /// Words of programs that are not known are the program's alone.
    #[test]
    fn unknown_programs_are_left_alone(words in prop::collection::vec("[ -~]{0,9}", 0..6)) {
        let words: Vec<OsString> = words.into_iter().map(OsString::from).collect();
        let switched = switch_off("mine", &words, &unset);
        prop_assert_eq!(switched, Switched { words, ..Switched::default() });
    }
}
