//! Lines on stderr, written by a thread of their own: stderr may be a pipe that nobody reads, and the supervisor has
//! processes to look after.
//!
//! On a terminal the last line may be one that is written over again and again. It is taken away before anything else is
//! written, and whoever is to write there next can wait until it is gone.

use std::io::{self, IsTerminal as _};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// How many lines may wait to be written. Further ones are dropped.
const BACKLOG: usize = 10_000;

/// How long the last lines may take.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// How long a terminal may take to let a line disappear. One that was stopped (Ctrl-S) is not waited for.
const CLEARING: Duration = Duration::from_millis(100);

#[derive(Debug)]
enum Words {
    /// A line that stays.
    Line(String),
    /// The line that is written over.
    Transient(String),
    /// Take that away, and say so.
    Clear(SyncSender<()>),
}

/// Where lines go.
#[derive(Debug)]
pub(crate) struct Lines {
    words: Option<SyncSender<Words>>,
    /// Ends when the last line is written.
    written: Receiver<()>,
    /// Whether a line can be written over, and is to be.
    terminal: bool,
    /// Whether the last line is one to be written over.
    transient: bool,
}

impl Lines {
    /// Starts the thread.
    pub(crate) fn start() -> io::Result<Self> {
        let (words, to_write) = sync_channel(BACKLOG);
        let (done, written) = sync_channel(0);
        let write = move || {
            write_all(to_write, anstream::stderr());
            drop(done);
        };
        thread::Builder::new().name("voice".to_owned()).spawn(write)?;
        let dumb = std::env::var_os("TERM").is_none_or(|kind| kind == "dumb");
        let terminal = !dumb && io::stderr().is_terminal();
        Ok(Self { words: Some(words), written, terminal, transient: false })
    }

    /// Whether [`Lines::transient`] does anything.
    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Writes a line. One that cannot be written is dropped: nobody reads it, and the work goes on.
    pub(crate) fn line(&self, line: String) {
        self.send(Words::Line(line));
    }

    /// Writes a line over the one that was written like this before; on a terminal only.
    pub(crate) fn transient(&mut self, line: &str) {
        if self.terminal {
            self.transient = true;
            self.send(Words::Transient(fitting(line, columns())));
        }
    }

    /// Takes that line away. When this returns, others can write.
    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.transient) {
            let (done, cleared) = sync_channel(1);
            self.send(Words::Clear(done));
            let _ = cleared.recv_timeout(CLEARING);
        }
    }

    fn send(&self, words: Words) {
        if let Some(to_write) = &self.words {
            let _ = to_write.try_send(words);
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.clear();
        self.words = None;
        // It disconnects when all is written; whoever does not read by then does not want to know.
        let _ = self.written.recv_timeout(LAST_WORDS);
    }
}

fn write_all(all: Receiver<Words>, mut to: impl io::Write) {
    let mut written_over = 0;
    for words in all {
        let clear = cover(std::mem::take(&mut written_over));
        let _ = match words {
            // In one piece: programs write to the same terminal.
            Words::Line(line) => to.write_all(format!("{clear}{line}\n").as_bytes()),
            Words::Transient(line) => {
                written_over = line.chars().count();
                write!(to, "{clear}{line}").and_then(|()| to.flush())
            }
            Words::Clear(done) => {
                let cleared = write!(to, "{clear}").and_then(|()| to.flush());
                let _ = done.send(());
                cleared
            }
        };
    }
}

/// What takes a line of `length` away. No escape sequence: those are filtered out for people who want no colour.
fn cover(length: usize) -> String {
    if length == 0 { String::new() } else { format!("\r{:length$}\r", "") }
}

/// The width of the terminal.
fn columns() -> usize {
    /// What terminals had before they could be asked.
    const CLASSIC: usize = 80;
    let size = rustix::termios::tcgetwinsize(io::stderr());
    size.map(|size| usize::from(size.ws_col)).ok().filter(|columns| *columns > 0).unwrap_or(CLASSIC)
}

/// As much of `line` as fits into one line: what wraps cannot be taken away.
fn fitting(line: &str, columns: usize) -> String {
    line.chars().take(columns.saturating_sub(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_over_is_gone_before_the_next_line() {
        let (words, all) = sync_channel(9);
        let (done, cleared) = sync_channel(1);
        let line = |text: &str| Words::Line(text.to_owned());
        let transient = |text: &str| Words::Transient(text.to_owned());
        for next in [
            line("a"),
            transient("12"),
            transient("3"),
            Words::Clear(done),
            line("b"),
            transient("4"),
            line("c"),
        ] {
            words.send(next).unwrap();
        }
        drop(words);
        let mut written = Vec::new();
        write_all(all, &mut written);
        assert_eq!(cleared.recv(), Ok(()));
        assert_eq!(String::from_utf8(written).unwrap(), "a\n12\r  \r3\r \rb\n4\r \rc\n");
        assert_eq!(fitting("übermaß", 5), "über");
    }
}
