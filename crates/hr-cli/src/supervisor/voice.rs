//! What the supervisor tells people: quiet lines on stderr.
//!
//! A line that cannot be written is dropped: nobody reads it, and the work goes on.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use hr_forkserver::protocol::{Exclusion, Problem};

/// How many lines may wait to be written. Further ones are dropped.
const BACKLOG: usize = 10_000;

/// How long the last lines may take.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// Reports an error that ends a command: the message, then its causes and hints.
pub(crate) fn error(error: &anyhow::Error) {
    let mut stderr = anstream::stderr().lock();
    let _ = writeln!(stderr, "hr  error: {error}");
    for cause in error.chain().skip(1) {
        let _ = writeln!(stderr, "    {cause}");
    }
}

/// Tells people what happens, and nothing twice.
///
/// Lines are written by a thread of their own: stderr may be a pipe that nobody reads, and the supervisor has processes
/// to look after.
#[derive(Debug)]
pub(crate) struct Reporter {
    said: BTreeSet<String>,
    /// The beginning of a line that a template is still printing.
    unfinished: Vec<u8>,
    lines: Option<SyncSender<String>>,
    /// Ends when the last line is written.
    written: Receiver<()>,
}

impl Reporter {
    /// Starts the thread.
    pub(crate) fn start() -> io::Result<Self> {
        let (lines, to_write) = sync_channel::<String>(BACKLOG);
        let (done, written) = sync_channel(0);
        let write = move || {
            for line in to_write {
                let _ = writeln!(anstream::stderr(), "{line}");
            }
            drop(done);
        };
        thread::Builder::new().name("voice".to_owned()).spawn(write)?;
        Ok(Self { said: BTreeSet::new(), unfinished: Vec::new(), lines: Some(lines), written })
    }

    /// Reports what a template lacks and which files could not be read.
    pub(crate) fn template(&mut self, excluded: &[Exclusion], problems: &[Problem]) {
        for Problem { file, line, column, message } in problems {
            let file = Path::new(file).display();
            self.say_once(format!("hr  warning: {file}:{line}:{column} {message}"));
        }
        for Exclusion { module, cause, file, line } in excluded {
            let file = Path::new(file).display();
            self.say_once(format!("hr  warning: {file}:{line} {module} is not preloaded: it {cause}"));
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
        if let Some(lines) = &self.lines {
            let _ = lines.try_send(line);
        }
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        self.lines = None;
        // It disconnects when all is written; whoever does not read by then does not want to know.
        let _ = self.written.recv_timeout(LAST_WORDS);
    }
}
