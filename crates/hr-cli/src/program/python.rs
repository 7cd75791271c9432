//! The command line of the interpreter itself: `python -m flask run`, `python3 app.py`.

use std::ffi::OsString;
use std::path::Path;

use hr_graph::Interpreter;

use super::error::NotUnderstood;

/// What `python …` starts.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Started<'w> {
    /// `-m`, and what follows the module's name.
    Module(&'w OsString, &'w [OsString]),
    /// A script, and what follows.
    Script(&'w OsString, &'w [OsString]),
}

const ENVIRONMENT: &str =
    "set the variable of the environment that does the same (python --help-env lists them)";

/// Whether a word is how interpreters are called: `python`, `python3`, `python3.12`, or the path of such a file.
pub(super) fn is_python(word: &str) -> bool {
    let name = Path::new(word).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.strip_prefix("python").is_some_and(|version| {
        version.is_empty()
            || version
                .split('.')
                .all(|part| !part.is_empty() && part.chars().all(|letter| letter.is_ascii_digit()))
    })
}

/// Reads what follows `python`; `python` is the word itself.
pub(super) fn started<'w>(
    python: &str,
    words: &'w [OsString],
    interpreter: &Interpreter,
) -> Result<Started<'w>, NotUnderstood> {
    if !is_same(python, interpreter) {
        return Err(NotUnderstood::OtherPython {
            name: python.into(),
            found: interpreter.executable.clone(),
        });
    }
    let (first, rest) = words.split_first().ok_or(NotUnderstood::NoProgram)?;
    let refused =
        |instead| Err(NotUnderstood::PythonOption { option: first.to_string_lossy().into_owned(), instead });
    match first.to_string_lossy().as_ref() {
        "-m" => rest.split_first().map_or_else(
            || refused("name the module: `hr run -m package`"),
            |(module, rest)| Ok(Started::Module(module, rest)),
        ),
        "--" => rest
            .split_first()
            .map(|(script, rest)| Started::Script(script, rest))
            .ok_or(NotUnderstood::NoProgram),
        "-" | "-c" => refused("put the program into a file: `hr run app.py`"),
        "-i" => refused("use breakpoint() in the program, or python -i without hr"),
        "-u" => refused("set PYTHONUNBUFFERED=1 in the environment"),
        option if option.starts_with('-') => refused(ENVIRONMENT),
        _ => Ok(Started::Script(first, rest)),
    }
}

/// Whether a word means the interpreter that was found.
fn is_same(word: &str, interpreter: &Interpreter) -> bool {
    let path = Path::new(word);
    if path.components().count() > 1 {
        // Not resolved: the interpreters of all virtual environments are links to the same file.
        let directory = |file: &Path| file.parent().and_then(|parent| parent.canonicalize().ok());
        return directory(path).is_some_and(|found| Some(found) == directory(&interpreter.executable));
    }
    let (major, minor) = interpreter.version;
    let version = word.trim_start_matches("python");
    version.is_empty() || version == major.to_string() || version == format!("{major}.{minor}")
}
