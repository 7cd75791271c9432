//! The programs whose reloaders are known.

/// A program with a reloader, or those subcommands of it that have one.
pub(super) struct Reloader {
    /// What people call it.
    pub(super) name: &'static str,
    /// Its console scripts and modules.
    pub(super) programs: &'static [&'static str],
    /// The subcommands that have it; none if the program has none.
    pub(super) subcommands: &'static [&'static str],
    /// Options before the subcommand whose value is a word of its own.
    pub(super) valued_before: &'static [&'static str],
    /// The options that are the reloader's.
    pub(super) options: &'static [(&'static str, Meaning)],
    /// The flag that starts it, among flags that can be written as one word with it.
    pub(super) combined: Option<(char, &'static str)>,
    /// The option that switches it off. Given in any case, where there is one: files may switch it on as well.
    pub(super) off: Option<&'static str>,
    /// Whether it is on if nothing is said.
    pub(super) by_default: bool,
    /// The variable that, as `--debug` does, starts it with other things.
    pub(super) debug: Option<&'static str>,
    /// Variables that stand for its options.
    pub(super) variables: &'static [&'static str],
    /// The variable that holds more words of the command line.
    pub(super) words_in: Option<&'static str>,
}

/// What an option is to a reloader.
#[derive(Clone, Copy)]
pub(super) enum Meaning {
    /// Starts it.
    Starts,
    /// Is of no use without it.
    Concerns,
    /// The same, with a value; some programs start it when they are given one.
    Value { starts: bool },
    /// Starts it, and does what this other option does.
    Mixed(&'static str),
}

const STARTS: Meaning = Meaning::Starts;
const VALUE: Meaning = Meaning::Value { starts: false };
const STARTING_VALUE: Meaning = Meaning::Value { starts: true };

const NONE: Reloader = Reloader {
    name: "",
    programs: &[],
    subcommands: &[],
    valued_before: &[],
    options: &[("--reload", STARTS)],
    combined: None,
    off: None,
    by_default: false,
    debug: None,
    variables: &[],
    words_in: None,
};

pub(super) const KNOWN: &[Reloader] = &[
    Reloader {
        name: "uvicorn",
        programs: &["uvicorn"],
        options: &[
            ("--reload", STARTS),
            ("--reload-dir", VALUE),
            ("--reload-include", VALUE),
            ("--reload-exclude", VALUE),
            ("--reload-delay", VALUE),
        ],
        variables: &["UVICORN_RELOAD"],
        ..NONE
    },
    Reloader {
        name: "Flask",
        programs: &["flask"],
        subcommands: &["run"],
        valued_before: &["-A", "--app", "-e", "--env-file"],
        off: Some("--no-reload"),
        debug: Some("FLASK_DEBUG"),
        variables: &["FLASK_RUN_RELOAD"],
        ..NONE
    },
    Reloader {
        name: "Quart",
        programs: &["quart"],
        subcommands: &["run"],
        valued_before: &["-A", "--app", "-e", "--env-file"],
        off: Some("--no-reload"),
        debug: Some("QUART_DEBUG"),
        variables: &["QUART_RUN_RELOAD"],
        ..NONE
    },
    Reloader {
        name: "Django",
        programs: &["django-admin", "django", super::super::DJANGO_SCRIPT],
        subcommands: &["runserver", "runserver_plus"],
        options: &[],
        off: Some("--noreload"),
        by_default: true,
        ..NONE
    },
    Reloader {
        name: "granian",
        programs: &["granian"],
        options: &[
            ("--reload", STARTS),
            ("--reload-paths", VALUE),
            ("--reload-ignore-dirs", VALUE),
            ("--reload-ignore-patterns", VALUE),
            ("--reload-ignore-paths", VALUE),
            ("--reload-tick", VALUE),
            ("--reload-ignore-worker-failure", Meaning::Concerns),
            ("--no-reload-ignore-worker-failure", Meaning::Concerns),
        ],
        variables: &["GRANIAN_RELOAD"],
        ..NONE
    },
    Reloader {
        name: "gunicorn",
        programs: &["gunicorn"],
        options: &[("--reload", STARTS), ("--reload-engine", VALUE), ("--reload-extra-file", VALUE)],
        words_in: Some("GUNICORN_CMD_ARGS"),
        ..NONE
    },
    Reloader { name: "Hypercorn", programs: &["hypercorn"], ..NONE },
    Reloader {
        name: "Sanic",
        programs: &["sanic"],
        options: &[
            ("--reload", STARTS),
            ("--auto-reload", STARTS),
            ("-r", STARTS),
            ("--reload-dir", STARTING_VALUE),
            ("-R", STARTING_VALUE),
            ("--dev", Meaning::Mixed("--debug")),
            ("-d", Meaning::Mixed("--debug")),
        ],
        ..NONE
    },
    Reloader {
        name: "FastAPI",
        programs: &["fastapi"],
        subcommands: &["dev"],
        options: &[("--reload", STARTS), ("--reload-dir", VALUE)],
        off: Some("--no-reload"),
        by_default: true,
        ..NONE
    },
    Reloader { name: "FastAPI", programs: &["fastapi"], subcommands: &["run"], ..NONE },
    Reloader {
        name: "Litestar",
        programs: &["litestar"],
        subcommands: &["run"],
        valued_before: &["--app", "--app-dir"],
        options: &[
            ("--reload", STARTS),
            ("-r", STARTS),
            ("--reload-dir", STARTING_VALUE),
            ("-R", STARTING_VALUE),
            ("--reload-include", STARTING_VALUE),
            ("-I", STARTING_VALUE),
            ("--reload-exclude", STARTING_VALUE),
            ("-E", STARTING_VALUE),
        ],
        combined: Some(('r', "rdP")),
        variables: &[
            "LITESTAR_RELOAD",
            "LITESTAR_RELOAD_DIRS",
            "LITESTAR_RELOAD_INCLUDES",
            "LITESTAR_RELOAD_EXCLUDES",
        ],
        ..NONE
    },
];
