//! What a development loop tells: quiet lines for people, or JSON for tools, on stderr.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hr_forkserver::protocol::{BuildEvent, ExitStatus, Resumed, TemplateState};
use serde_json::{Value, json};

use super::diagnostic;
use super::state::{Line, Outlook};
use crate::supervisor::lines::Lines;
use crate::supervisor::voice::passing;

/// How long a template may be built before anybody is told of it.
const SILENCE: Duration = Duration::from_millis(500);

/// How many files or modules are named in one line.
const NAMED: usize = 2;

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verbosity {
    /// What needs somebody to do something.
    Quiet,
    Normal,
    /// What was found not to matter, too.
    Verbose,
}

/// For whom it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
}

/// Where it is told.
#[derive(Debug)]
pub(super) struct Voice {
    lines: Lines,
    verbosity: Verbosity,
    format: Format,
    /// The project's root: files are told relative to it.
    root: PathBuf,
    /// How long ago the build began that somebody waits for.
    began: Option<std::time::Instant>,
}

impl Voice {
    pub(super) fn start(verbosity: Verbosity, format: Format) -> io::Result<Self> {
        Ok(Self { lines: Lines::start()?, verbosity, format, root: PathBuf::new(), began: None })
    }

    /// Tells files relative to `root` from now on.
    pub(super) fn relative_to(&mut self, root: &Path) {
        root.clone_into(&mut self.root);
    }

    /// The program is about to start for the first time.
    pub(super) fn ready(&mut self, elapsed: Duration, state: &TemplateState, python: &str) {
        self.built();
        let modules = state.modules.len();
        let text = format!("ready in {:.2} s · {} · {python}", elapsed.as_secs_f64(), preloaded(modules));
        let data = &json!({"event": "ready", "seconds": elapsed.as_secs_f64(), "modules": modules,
            "excluded": state.excluded.len(), "python": python});
        self.say(Verbosity::Normal, &text, data);
        for excluded in &state.excluded {
            let (module, cause) = (&excluded.module, &excluded.cause);
            let text = format!("{module} is not preloaded: it {cause}");
            self.say(
                Verbosity::Verbose,
                &text,
                &json!({"event": "excluded", "module": module, "cause": cause}),
            );
        }
    }

    /// Something that is done otherwise than one might think.
    pub(super) fn notice(&mut self, text: &str) {
        self.say(Verbosity::Normal, text, &json!({"event": "notice", "message": text}));
    }

    /// Something that needs somebody to look at it.
    pub(super) fn warning(&mut self, text: &str) {
        self.say(
            Verbosity::Quiet,
            &format!("warning: {text}"),
            &json!({"event": "warning", "message": text}),
        );
    }

    /// A template is being built.
    pub(super) fn building(&mut self, event: &BuildEvent) {
        let began = *self.began.get_or_insert_with(std::time::Instant::now);
        let is_wanted = self.format == Format::Text && self.verbosity > Verbosity::Quiet;
        if let Some(line) = passing(event).filter(|_| is_wanted && began.elapsed() >= SILENCE) {
            self.lines.transient(&line);
        }
    }

    /// It is built: others may write to the terminal.
    pub(super) fn built(&mut self) {
        self.began = None;
        self.lines.clear();
    }

    /// The program leaves no more checkpoints.
    pub(super) fn checkpoints_over(&mut self, obstacle: &str, place: &str) {
        let at = if place.is_empty() { String::new() } else { format!(" ({place})") };
        let text = format!("what comes after is executed by each restart: {obstacle}{at}");
        let event = json!({"event": "checkpoints-over", "obstacle": obstacle, "place": place});
        self.say(Verbosity::Verbose, &text, &event);
    }

    /// The program starts from the template, since all checkpoints had read something that has `changed`.
    pub(super) fn checkpoints_outdated(&mut self, changed: &[PathBuf]) {
        let text = format!("from the template: all checkpoints have read {}", self.names(changed));
        let event = json!({"event": "checkpoints-outdated", "files": self.paths(changed)});
        self.say(Verbosity::Verbose, &text, &event);
    }

    /// Checkpoints were given up.
    pub(super) fn checkpoints_dropped(&mut self, number: u32) {
        let text =
            format!("{number} checkpoints given up: they took more memory than checkpoint-memory allows");
        self.say(Verbosity::Verbose, &text, &json!({"event": "checkpoints-dropped", "number": number}));
    }

    /// Tells what the loop has found or done.
    pub(super) fn line(&mut self, line: &Line, program: &str) {
        self.built();
        match line {
            Line::Restarted { files, after, resumed } => {
                let text = restarted(&self.names(files), *after, resumed.as_ref());
                let event = json!({"event": "restarted", "files": self.paths(files),
                    "seconds": after.map(|after| after.as_secs_f64()),
                    "resumed": resumed.as_ref().map(|resumed| json!({"module": resumed.module,
                        "kept": resumed.kept, "of": resumed.of, "saved_seconds": seconds(resumed.micros)}))});
                self.say(Verbosity::Normal, &text, &event);
            }
            Line::Nothing(files) if files.is_empty() => {}
            Line::Nothing(files) => {
                let text = format!("{} · nothing to do", self.names(files));
                self.say(Verbosity::Verbose, &text, &json!({"event": "nothing", "files": self.paths(files)}));
            }
            Line::Added(modules) => {
                let text = format!("{} · added to the template", listed(modules.iter().cloned()));
                self.say(Verbosity::Normal, &text, &json!({"event": "added", "modules": modules}));
            }
            Line::Rebuilt(files) => {
                let text = format!("{} · template built again", self.names(files));
                self.say(Verbosity::Normal, &text, &json!({"event": "rebuilt", "files": self.paths(files)}));
            }
            Line::Ended(status) => {
                let text = format!("{program} has ended{} · waiting for a change", described(*status));
                self.say(
                    Verbosity::Normal,
                    &text,
                    &json!({"event": "ended", "status": status_json(*status)}),
                );
            }
            Line::Failed(message) => {
                self.say(
                    Verbosity::Quiet,
                    &format!("error: {message}"),
                    &json!({"event": "error", "message": message}),
                );
            }
            Line::Unreadable(problems, outlook) => self.unreadable(problems, *outlook),
        }
    }

    fn unreadable(&mut self, problems: &[hr_forkserver::protocol::Problem], outlook: Outlook) {
        let consequence = match outlook {
            Outlook::GoesOn => "still running the last good version",
            Outlook::Waits => "waiting for a change",
            Outlook::Indifferent => "the program has not loaded it",
        };
        let (running, needed) = (outlook == Outlook::GoesOn, outlook != Outlook::Indifferent);
        for problem in problems {
            let file = Path::new(&problem.file);
            let place = format!("{}:{}:{}", file.display(), problem.line, problem.column);
            let mut text = format!("{place} {} · {consequence}", problem.message);
            if let Some(excerpt) = diagnostic::excerpt(&self.root.join(file), problem.line, problem.column) {
                text.push('\n');
                text.push_str(&excerpt);
            }
            self.say(Verbosity::Quiet, &text, &json!({"event": "syntax-error", "file": file.to_string_lossy(),
                "line": problem.line, "column": problem.column, "message": problem.message, "running": running,
                "needed": needed}));
        }
    }

    fn say(&mut self, least: Verbosity, text: &str, data: &Value) {
        if self.verbosity < least {
            return;
        }
        match self.format {
            Format::Text => self.lines.line(format!("hr  {text}")),
            Format::Json => self.lines.line(data.to_string()),
        }
    }

    fn relative<'a>(&self, file: &'a Path) -> &'a Path {
        match file.strip_prefix(&self.root) {
            Ok(inside) if inside.as_os_str().is_empty() => Path::new("."),
            Ok(inside) => inside,
            Err(_) => file,
        }
    }

    fn paths(&self, files: &[PathBuf]) -> Vec<String> {
        files.iter().map(|file| self.relative(file).to_string_lossy().into_owned()).collect()
    }

    fn names(&self, files: &[PathBuf]) -> String {
        listed(files.iter().map(|file| self.relative(file).display().to_string()))
    }
}

/// The first of them by name, and how many more.
fn listed(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(NAMED);
    let named = names.take(NAMED).collect::<Vec<_>>().join(", ");
    if more == 0 { named } else { format!("{named} and {more} more") }
}

fn seconds(micros: u64) -> f64 {
    Duration::from_micros(micros).as_secs_f64()
}

fn restarted(files: &str, after: Option<Duration>, resumed: Option<&Resumed>) -> String {
    let Some(Resumed { module, kept, of, .. }) = resumed else {
        return format!(
            "{files} · restarted{}",
            after.map(|after| format!(" in {}", time(after))).unwrap_or_default()
        );
    };
    let kept = match of {
        Some(of) if of >= kept => {
            format!("{} of {} modules kept", grouped(*kept as usize), grouped(*of as usize))
        }
        _ => format!("{} modules kept", grouped(*kept as usize)),
    };
    let after = after.map(|after| format!(" · {}", time(after))).unwrap_or_default();
    format!("{files} · resumed before {module} ({kept}){after}")
}

fn preloaded(modules: usize) -> String {
    match modules {
        1 => "1 module preloaded".to_owned(),
        _ => format!("{} modules preloaded", grouped(modules)),
    }
}

/// A number as people write it.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

/// A time of which people see at a glance whether it is short.
fn time(time: Duration) -> String {
    let milliseconds = time.as_millis();
    if milliseconds < 1000 { format!("{milliseconds} ms") } else { format!("{:.2} s", time.as_secs_f64()) }
}

fn described(status: ExitStatus) -> String {
    match status {
        ExitStatus::Exited(0) => String::new(),
        ExitStatus::Exited(code) => format!(" with exit status {code}"),
        ExitStatus::Signaled(signal) => match nix::sys::signal::Signal::try_from(signal) {
            Ok(signal) => format!(" by {}", signal.as_str()),
            Err(_) => format!(" by signal {signal}"),
        },
        ExitStatus::Lost => " in an unknown way".to_owned(),
    }
}

fn status_json(status: ExitStatus) -> Value {
    match status {
        ExitStatus::Exited(code) => json!({"exit": code}),
        ExitStatus::Signaled(signal) => json!({"signal": signal}),
        ExitStatus::Lost => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_easy_to_read() {
        assert_eq!([7, 1204, 1_234_567].map(grouped), ["7", "1,204", "1,234,567"]);
        assert_eq!(time(Duration::from_micros(41_700)), "41 ms");
        assert_eq!(time(Duration::from_millis(2310)), "2.31 s");
    }

    #[test]
    fn an_end_is_told_as_what_it_was() {
        assert_eq!(described(ExitStatus::Exited(0)), "");
        assert_eq!(described(ExitStatus::Exited(3)), " with exit status 3");
        assert_eq!(described(ExitStatus::Signaled(11)), " by SIGSEGV");
    }
}
