//! The command line of `hr run` itself.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::analysis::Subject;

/// What follows the options in `--help`.
const MORE: &str = "\
Examples:
  hr run app.py --port 8000                  a script
  hr run -m mypackage                        a module, as python -m starts it
  hr run mypackage.main:main                 a function
  hr run uvicorn mypackage.web:app           a command of the environment
  hr run manage.py runserver                 Django's server
  hr run celery -A mypackage worker          a worker
  hr run python -m flask --app shop run      what one would type without hr
  hr run --watch 'templates/**' app.py       restart for other files as well
  hr run --env-file .env --grace 10 app.py   with variables of a file, and time to end

Options of hr stand before the program, all that follows it is the program's. Its own reloader \
(uvicorn --reload, flask --debug, …) is switched off: hr restarts it, and says so.

Exit codes:
  2      the command line, the settings or the interpreter are of no use; nothing was started
  other  the program's own, after Ctrl-C or with --no-reload; if a signal ended it, hr ends by the same";

/// Start a program, and restart it from a warm template whenever its source changes.
///
/// Takes what one would type to start the program by hand, and needs no change to it. Modules of others are imported once;
/// each save costs the time that the project's own modules need. A syntax error leaves the last good version running.
#[derive(Debug, Args)]
#[command(after_long_help = MORE)]
#[expect(clippy::struct_excessive_bools, reason = "independent flags of a command line")]
pub(crate) struct Run {
    /// The first word names a module, as after python -m
    #[arg(short, long)]
    pub(crate) module: bool,
    #[command(flatten)]
    pub(crate) subject: Subject,
    /// Run the program once, and exit as it does
    #[arg(long)]
    pub(crate) no_reload: bool,
    /// Begin each restart at the program's first line, instead of right before what has changed
    #[arg(long)]
    pub(crate) no_checkpoints: bool,
    /// Restart for these files, too (repeatable) [default: `watch` of the settings]
    #[arg(long, value_name = "GLOB")]
    pub(crate) watch: Vec<String>,
    /// Never restart for these files (repeatable) [default: `ignore` of the settings]
    #[arg(long, value_name = "GLOB")]
    pub(crate) ignore: Vec<String>,
    /// Set the variables of this file, unless they are set already (repeatable) [default: `env-file` of the settings]
    #[arg(long, value_name = "FILE")]
    pub(crate) env_file: Vec<PathBuf>,
    /// How long the program may take to end before it is killed [default: 2]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) grace: Option<Duration>,
    /// Tell nothing but errors
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Tell why each restart happened, or did not
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// How to tell it
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub(crate) log_format: LogFormat,
    /// The program and what it is given
    #[arg(value_name = "PROGRAM", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) words: Vec<OsString>,
}

/// Whom messages are for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    #[default]
    Text,
    /// For tools: one JSON object in each line
    Json,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let wrong = || "expected a number of seconds, at least 0".to_owned();
    Duration::try_from_secs_f64(text.parse().map_err(|_| wrong())?).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Alone {
        #[command(flatten)]
        run: Run,
    }

    fn parse(words: &[&str]) -> Result<Run, clap::Error> {
        Alone::try_parse_from(std::iter::once(&"hr").chain(words)).map(|alone| alone.run)
    }

    #[test]
    fn what_follows_the_program_is_the_programs() {
        let run = parse(&["-v", "app.py", "-q", "--watch", "x", "--", "-m"]).unwrap();
        assert_eq!(run.words, ["app.py", "-q", "--watch", "x", "--", "-m"]);
        assert!(run.verbose && !run.quiet && !run.module && run.watch.is_empty());
    }

    #[test]
    fn a_module_is_the_first_word() {
        let run = parse(&["-m", "shop", "-m", "x"]).unwrap();
        assert!(run.module);
        assert_eq!(run.words, ["shop", "-m", "x"]);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for words in [&["--grace", "-1", "a"][..], &["--grace", "x", "a"], &["-q", "-v", "a"], &[]] {
            assert!(parse(words).is_err(), "{words:?}");
        }
        assert_eq!(parse(&["--grace", "0.5", "a"]).unwrap().grace, Some(Duration::from_millis(500)));
    }
}
