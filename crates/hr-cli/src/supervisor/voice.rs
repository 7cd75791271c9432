//! What the supervisor tells people: quiet lines on stderr.
//!
//! A line that cannot be written is dropped: nobody reads it, and the work goes on.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::io::Write as _;
use std::path::Path;

use hr_forkserver::protocol::{Exclusion, Problem};

/// How many lines one occasion may print.
const LINES: usize = 20;

/// Reports an error that ends a command: the message, then its causes and hints.
pub(crate) fn error(error: &anyhow::Error) {
    let mut stderr = anstream::stderr().lock();
    let _ = writeln!(stderr, "hr  error: {error}");
    for cause in error.chain().skip(1) {
        let _ = writeln!(stderr, "    {cause}");
    }
}

/// Remembers what was reported, so that nothing is reported twice.
#[derive(Debug, Default)]
pub(crate) struct Reporter {
    said: BTreeSet<String>,
    /// The beginning of a line that is still being printed.
    unfinished: Vec<u8>,
}

impl Reporter {
    /// Reports what a template lacks and which files could not be read.
    pub(crate) fn template(&mut self, excluded: &[Exclusion], problems: &[Problem]) {
        let problems = problems.iter().map(|problem| {
            let Problem { file, line, column, message } = problem;
            format!("hr  warning: {}:{line}:{column} {message}", Path::new(file).display())
        });
        let excluded = excluded.iter().map(|exclusion| {
            let Exclusion { module, cause, file, line } = exclusion;
            format!("hr  warning: {}:{line} {module} is not preloaded: it {cause}", Path::new(file).display())
        });
        let lines: Vec<_> = problems.chain(excluded).collect();
        self.say(lines);
    }

    /// Passes on what modules have printed while a template imported them.
    pub(crate) fn printed(&mut self, output: &[u8]) {
        self.unfinished.extend_from_slice(output);
        let Some(end) = self.unfinished.iter().rposition(|byte| *byte == b'\n') else { return };
        let rest = self.unfinished.split_off(end + 1);
        let whole = std::mem::replace(&mut self.unfinished, rest);
        let text = String::from_utf8_lossy(&whole);
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        self.say(lines.map(|line| format!("hr  printed during import: {line}")).collect());
    }

    fn say(&mut self, lines: Vec<String>) {
        let new: Vec<_> = lines.into_iter().filter(|line| self.said.insert(line.clone())).collect();
        let mut stderr = anstream::stderr().lock();
        for line in new.iter().take(LINES) {
            let _ = writeln!(stderr, "{line}");
        }
        if let Some(more @ 1..) = new.len().checked_sub(LINES) {
            let _ = writeln!(stderr, "hr  … and {more} more lines like these");
        }
    }
}

/// Reports that a template ended without being told to.
pub(crate) fn template_died(how: impl Display) {
    let _ =
        writeln!(anstream::stderr(), "hr  warning: the template ended ({how}); the next run gets a new one");
}
