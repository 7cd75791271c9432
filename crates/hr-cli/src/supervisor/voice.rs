//! What the supervisor tells people: quiet lines on stderr.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use hr_forkserver::protocol::{BuildEvent, Exclusion, Problem};

use super::lines::Lines;

/// How long a template may take to build before anybody is told of it.
const SILENCE: Duration = Duration::from_secs(1);

/// How long one import may take before it is told where lines cannot be written over.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many of the slowest modules people are told.
const SLOWEST: usize = 3;

/// Reports an error that ends a command: the message, then its causes and hints.
pub(crate) fn error(error: &anyhow::Error) {
    let mut stderr = anstream::stderr().lock();
    let _ = writeln!(stderr, "hr  error: {error}");
    for cause in error.chain().skip(1) {
        let _ = writeln!(stderr, "    {cause}");
    }
}

/// Tells of something that a command does otherwise than one might think.
pub(crate) fn note(what: &str) {
    let _ = writeln!(anstream::stderr(), "hr  {what}");
}

/// Tells people what happens, and nothing twice.
#[derive(Debug)]
pub(crate) struct Reporter {
    said: BTreeSet<String>,
    /// The beginning of a line that a template is still printing.
    unfinished: Vec<u8>,
    /// When the build that somebody waits for began.
    began: Option<Instant>,
    lines: Lines,
}

impl Reporter {
    /// One that says nothing yet.
    pub(crate) fn start() -> io::Result<Self> {
        Ok(Self { said: BTreeSet::new(), unfinished: Vec::new(), began: None, lines: Lines::start()? })
    }

    /// Reports how a build goes on that somebody waits for. `alone` tells that no run can be writing to the same terminal.
    pub(crate) fn building(&mut self, event: &BuildEvent, alone: bool) {
        let began = *self.began.get_or_insert_with(Instant::now);
        if let BuildEvent::Imported { module, effects, .. } = event {
            for effect in effects {
                self.say_once(format!("hr  warning: {module} is preloaded although it {effect}"));
            }
        }
        if let Some(line) = lasting(event, self.lines.is_terminal()) {
            self.lines.clear();
            self.lines.line(line);
        } else if let Some(line) = passing(event).filter(|_| alone && began.elapsed() >= SILENCE) {
            self.lines.transient(&line);
        }
    }

    /// That build is over: the terminal is others' to write on.
    pub(crate) fn built(&mut self) {
        self.began = None;
        self.lines.clear();
    }

    /// Reports what a template lacks and which files could not be read.
    pub(crate) fn template(&mut self, excluded: &[Exclusion], problems: &[Problem]) {
        for Problem { file, line, column, message } in problems {
            let file = Path::new(file).display();
            self.say_once(format!("hr  warning: {file}:{line}:{column} {message}"));
        }
        for Exclusion { module, cause, file, line } in excluded {
            let place = match line {
                0 => String::new(), // the user asks for it
                _ => format!("{}:{line} ", Path::new(file).display()),
            };
            self.say_once(format!("hr  warning: {place}{module} is not preloaded: it {cause}"));
        }
    }

    /// Passes on what modules have printed while a template imported them.
    pub(crate) fn printed(&mut self, output: &[u8]) {
        self.unfinished.extend_from_slice(output);
        let Some(end) = self.unfinished.iter().rposition(|byte| *byte == b'\n') else { return };
        let rest = self.unfinished.split_off(end + 1);
        let whole = std::mem::replace(&mut self.unfinished, rest);
        for line in String::from_utf8_lossy(&whole).lines().filter(|line| !line.trim().is_empty()) {
            self.say_once(format!("hr  printed during import: {line}"));
        }
    }

    /// Reports that a template ended without being told to.
    pub(crate) fn template_died(&self, how: impl Display) {
        self.say(format!("hr  warning: the template ended ({how}); the next run gets a new one"));
    }

    fn say_once(&mut self, line: String) {
        if self.said.insert(line.clone()) {
            self.say(line);
        }
    }

    fn say(&self, line: String) {
        self.lines.line(line);
    }
}

/// What is worth a line that stays.
fn lasting(event: &BuildEvent, terminal: bool) -> Option<String> {
    match event {
        BuildEvent::StillImporting { module, elapsed, limit } if !terminal && *elapsed >= PATIENCE => {
            let (elapsed, limit) = (elapsed.as_secs(), limited(*limit));
            Some(format!("hr  still importing {module} after {elapsed} s{limit}"))
        }
        BuildEvent::Ready { imported, elapsed, slowest, .. } if *elapsed >= SILENCE => {
            let modules = if *imported == 1 { "1 module".to_owned() } else { format!("{imported} modules") };
            let slowest = slowest.iter().take(SLOWEST);
            let slowest: Vec<_> =
                slowest.map(|(module, elapsed)| format!("{module} {}", seconds(*elapsed))).collect();
            let slowest =
                if slowest.is_empty() { String::new() } else { format!(", slowest: {}", slowest.join(", ")) };
            Some(format!("hr  template ready after {}: {modules}{slowest}", seconds(*elapsed)))
        }
        _ => None,
    }
}

/// What is worth a line that the next one is written over.
pub(crate) fn passing(event: &BuildEvent) -> Option<String> {
    match event {
        BuildEvent::Importing { module, index, total } => {
            Some(format!("hr  importing {module} ({index} of {total})"))
        }
        BuildEvent::StillImporting { module, elapsed, limit } => {
            let (elapsed, limit) = (elapsed.as_secs(), limited(*limit));
            Some(format!("hr  importing {module} for {elapsed} s{limit}"))
        }
        _ => None,
    }
}

fn limited(limit: Duration) -> String {
    if limit == Duration::MAX { String::new() } else { format!(" (limit {} s)", limit.as_secs_f64()) }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_build_is_not_worth_a_word() {
        let ready = |milliseconds| BuildEvent::Ready {
            imported: 2,
            excluded: 0,
            elapsed: Duration::from_millis(milliseconds),
            slowest: vec![("torch".into(), Duration::from_millis(1449)), ("json".into(), Duration::ZERO)],
        };
        assert_eq!(lasting(&ready(999), false), None);
        let line = "hr  template ready after 1.5 s: 2 modules, slowest: torch 1.4 s, json 0.0 s";
        assert_eq!(lasting(&ready(1500), true).as_deref(), Some(line));
    }

    #[test]
    fn an_import_that_takes_long_is_told_in_the_way_that_fits() {
        let still = |elapsed| BuildEvent::StillImporting {
            module: "torch".into(),
            elapsed: Duration::from_secs(elapsed),
            limit: Duration::from_mins(2),
        };
        assert_eq!(lasting(&still(2), false), None);
        let line = "hr  still importing torch after 8 s (limit 120 s)";
        assert_eq!(lasting(&still(8), false).as_deref(), Some(line));
        assert_eq!(lasting(&still(8), true), None);
        assert_eq!(passing(&still(8)).as_deref(), Some("hr  importing torch for 8 s (limit 120 s)"));
    }
}
