//! The interpreter a project is read for.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use hr_imports::Target;
use serde::{Deserialize, Serialize};

/// What the scan must know about a Python interpreter. All of it can be asked of the interpreter itself
/// ([`Interpreter::query`]) or told by a process that runs in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interpreter {
    /// `sys.executable`.
    pub executable: PathBuf,
    /// `sys.version_info[:2]`.
    pub version: (u8, u8),
    /// `sys.platform`.
    pub platform: String,
    /// `sys.path`, absolute. What stands first wins.
    pub sys_path: Vec<PathBuf>,
    /// `sys.stdlib_module_names`: of all platforms, so not each of them can be imported.
    pub stdlib: BTreeSet<String>,
    /// `sys.builtin_module_names`: compiled into the interpreter, found before anything on `sys.path`.
    pub builtins: BTreeSet<String>,
}

/// Why an interpreter could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// It could not be started.
    #[error("cannot start {}", executable.display())]
    Start {
        /// The file that was to be executed.
        executable: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It gave no answer in time, and was ended.
    #[error("{} gave no answer within {} s", executable.display(), limit.as_secs())]
    Timeout {
        /// The interpreter.
        executable: PathBuf,
        /// How long it was waited for.
        limit: Duration,
    },
    /// It gave another answer than `CPython` of version 3.10 or later gives.
    #[error("{} did not answer as Python 3.10 or later does: {detail}", executable.display())]
    Answer {
        /// The interpreter.
        executable: PathBuf,
        /// Its exit status, last words, or what is wrong with the answer.
        detail: String,
    },
}

/// A Python that takes longer to start than this is broken.
const LIMIT: Duration = Duration::from_secs(30);
/// Stands before the answer: `sitecustomize` may print things of its own.
const MARK: &str = "\u{1}hr-interpreter\u{1}";
const QUESTION: &str = "\
import sys, json
json.dump({'executable': sys.executable, 'version': sys.version_info[:2], 'platform': sys.platform,
 'sys_path': [p for p in (sys.path if getattr(sys.flags, 'safe_path', False) else sys.path[1:]) if p], 'stdlib': sorted(sys.stdlib_module_names),
 'builtins': sorted(sys.builtin_module_names)}, sys.stdout.write('\\x01hr-interpreter\\x01') and sys.stdout)
";

impl Interpreter {
    /// Asks an interpreter about itself. Takes as long as Python takes to start, 30 s at most.
    pub fn query(executable: &Path) -> Result<Self, QueryError> {
        let mut child = Command::new(executable)
            .args(["-c", QUESTION])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|source| QueryError::Start { executable: executable.to_owned(), source })?;
        let answer = read_within(&mut child, LIMIT);
        if answer.is_none() {
            // Without effect on a child that has ended by itself; the wait below reaps it in any case.
            let _ = child.kill();
        }
        let status = child.wait();
        let Some((stdout, stderr)) = answer else {
            return Err(QueryError::Timeout { executable: executable.to_owned(), limit: LIMIT });
        };
        let wrong = |detail: String| QueryError::Answer { executable: executable.to_owned(), detail };
        let Some((_, json)) = stdout.rsplit_once(MARK) else {
            let last_words = stderr.trim().lines().last().unwrap_or_default().to_owned();
            let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
            return Err(wrong(format!("{status} {last_words}").trim().to_owned()));
        };
        serde_json::from_str(json).map_err(|error| wrong(error.to_string()))
    }

    /// The facts that decide branches in source code.
    pub fn target(&self) -> Target {
        Target { version: self.version, platform: self.platform.clone() }
    }

    /// Whether a top-level name is a module of the standard library, on whatever platform.
    pub fn is_stdlib(&self, top_level: &str) -> bool {
        self.stdlib.contains(top_level) || self.builtins.contains(top_level)
    }

    /// Whether a file of this name on `sys.path` is never looked for, because the module is built in or was
    /// loaded while the interpreter started.
    pub(crate) fn is_loaded_at_startup(&self, top_level: &str) -> bool {
        self.builtins.contains(top_level) || LOADED_AT_STARTUP.contains(&top_level)
    }

    /// Whether a directory holds the standard library.
    pub(crate) fn is_stdlib_directory(directory: &Path) -> bool {
        directory.join("os.py").is_file() && directory.join("encodings").is_dir()
    }
}

/// What `python -c "import sys; print(*sys.modules)"` shows beyond the builtins, for 3.10 to 3.14 alike.
const LOADED_AT_STARTUP: &[&str] = &[
    "_collections_abc",
    "_frozen_importlib",
    "_frozen_importlib_external",
    "_sitebuiltins",
    "abc",
    "builtins",
    "codecs",
    "encodings",
    "genericpath",
    "io",
    "os",
    "posixpath",
    "site",
    "stat",
    "sys",
    "zipimport",
];

/// Reads both streams of a child to their ends, or gives up after `limit`.
fn read_within(child: &mut Child, limit: Duration) -> Option<(String, String)> {
    let (mut stdout, mut stderr) = (child.stdout.take()?, child.stderr.take()?);
    let (sender, answers) = mpsc::channel();
    let errors = sender.clone();
    // Both threads end with the streams, that is with the child at the latest.
    std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = stdout.read_to_end(&mut text);
        let _ = sender.send((true, text));
    });
    std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = stderr.read_to_end(&mut text);
        let _ = errors.send((false, text));
    });
    let deadline = std::time::Instant::now() + limit;
    let (mut output, mut errors) = (String::new(), String::new());
    for _ in 0..2 {
        let left = deadline.saturating_duration_since(std::time::Instant::now());
        let (is_output, text) = answers.recv_timeout(left).ok()?;
        let text = String::from_utf8_lossy(&text).into_owned();
        if is_output { output = text } else { errors = text }
    }
    Some((output, errors))
}
