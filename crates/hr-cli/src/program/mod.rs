//! From the words after `hr run` to what is started.

mod console;
mod error;
mod modules;
mod python;
mod reloader;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use hr_forkserver::protocol::{self, Program};
use hr_graph::Interpreter;

use self::console::Console;
pub(crate) use self::error::NotUnderstood;
use self::python::Started;
use self::reloader::Variables;
use crate::interpreter::is_path_safe;

/// Stands for Django's `manage.py`, whatever it is called.
const DJANGO_SCRIPT: &str = "manage.py";

/// What is to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommandLine {
    /// As the interpreter would be given it.
    pub(crate) program: Program,
    /// `sys.argv`. The first element is the script as it was typed; a module's name, until Python has found its file.
    pub(crate) argv: Vec<OsString>,
    /// What the interpreter would put first on `sys.path`.
    pub(crate) first_on_path: Option<PathBuf>,
    /// Modules of others that the program begins with, and that no source of the project need import.
    pub(crate) modules: Vec<String>,
    /// The project to find.
    pub(crate) target: protocol::Target,
    /// How the program is called in messages: `uvicorn`, `manage.py`, `python -m mypackage`.
    pub(crate) name: String,
    /// Reloaders that were switched off: one sentence each.
    pub(crate) notices: Vec<String>,
    /// Changes to the environment that switching off needed: variables to set, or to remove.
    pub(crate) environment: Vec<(OsString, Option<OsString>)>,
}

/// Tells what `words` start, in the directory `here` and in an environment of which `variables` tells; as after
/// `python -m` if they begin with a `module`.
pub(crate) fn understand(
    words: &[OsString],
    module: bool,
    interpreter: &Interpreter,
    here: &Path,
    variables: Variables<'_>,
) -> Result<CommandLine, NotUnderstood> {
    let (first, rest) = words.split_first().ok_or(NotUnderstood::Nothing)?;
    let place = Place { interpreter, here, variables };
    if module {
        return place.module(text(first)?, rest);
    }
    if let Some(word) = first.to_str().filter(|word| python::is_python(word)) {
        return match python::started(word, rest, interpreter)? {
            Started::Module(module, rest) => place.module(text(module)?, rest),
            Started::Script(script, rest) => place.script(script, rest),
        };
    }
    if is_path(first) { place.script(first, rest) } else { place.bare(first, rest) }
}

/// Whether a word can only be a path.
fn is_path(word: &OsStr) -> bool {
    let path = Path::new(word);
    let suffix = path.extension().and_then(|suffix| suffix.to_str());
    word.as_encoded_bytes().contains(&b'/') || matches!(suffix, Some("py" | "pyw" | "pyz"))
}

fn text(word: &OsStr) -> Result<&str, NotUnderstood> {
    word.to_str().ok_or_else(|| NotUnderstood::NotText(word.to_string_lossy().into_owned()))
}

fn is_dotted_name(name: &str) -> bool {
    name.split('.').all(hr_graph::is_identifier)
}

/// Where a command is given.
struct Place<'p> {
    interpreter: &'p Interpreter,
    here: &'p Path,
    variables: Variables<'p>,
}

impl Place<'_> {
    /// A word that may be a command, a file, or a function.
    fn bare(&self, word: &OsStr, rest: &[OsString]) -> Result<CommandLine, NotUnderstood> {
        let name = text(word)?;
        match console::find(name, self.interpreter) {
            Some(Console::Script(file)) => return Ok(self.console(name, &file, rest)),
            Some(Console::Function { module, function }) => {
                return Ok(self.declared(name, module, function, rest));
            }
            Some(Console::NotPython(path)) => return Err(NotUnderstood::NotPython { path }),
            None => {}
        }
        let path = self.here.join(name);
        if path.is_file() || path.join("__main__.py").is_file() {
            return self.script(word, rest);
        }
        if let Some((module, function)) = name.split_once(':')
            && is_dotted_name(module)
            && is_dotted_name(function)
        {
            return Ok(self.function(module, function, rest));
        }
        Err(self.unknown(name))
    }

    fn unknown(&self, name: &str) -> NotUnderstood {
        if is_dotted_name(name) && modules::exists(name, self.here, self.interpreter) {
            return NotUnderstood::Module { name: name.to_owned() };
        }
        if self.here.join(name).is_dir() {
            return NotUnderstood::NoMain { path: name.into() };
        }
        NotUnderstood::Unknown {
            name: name.to_owned(),
            python: self.interpreter.executable.clone(),
            nearest: console::nearest(name, self.interpreter),
        }
    }

    /// `python -m NAME`.
    fn module(&self, name: &str, rest: &[OsString]) -> Result<CommandLine, NotUnderstood> {
        if !is_dotted_name(name) {
            return Err(NotUnderstood::NotAModule { word: name.to_owned() });
        }
        let shown = format!("python -m {name}");
        let command = CommandLine {
            first_on_path: self.unless_safe(self.here.to_owned()),
            modules: modules::of_module(name, self.interpreter),
            ..self.command(Program::Module(name.to_owned()), OsStr::new(name), shown)
        };
        Ok(self.without_reloader(command, name, rest))
    }

    /// `module:function` of the project.
    fn function(&self, module: &str, function: &str, rest: &[OsString]) -> CommandLine {
        let name = format!("{module}:{function}");
        let program = Program::Function { module: module.to_owned(), function: function.to_owned() };
        let command = CommandLine {
            first_on_path: self.unless_safe(self.here.to_owned()),
            modules: modules::of_function(module, self.interpreter),
            ..self.command(program, OsStr::new(&name), name.clone())
        };
        self.without_reloader(command, "", rest)
    }

    /// A file or directory, as `python PATH` takes it.
    fn script(&self, word: &OsStr, rest: &[OsString]) -> Result<CommandLine, NotUnderstood> {
        let path = self.here.join(word);
        if !path.exists() {
            return Err(no_file(word, &path));
        }
        if path.is_dir() && !path.join("__main__.py").is_file() {
            return Err(NotUnderstood::NoMain { path: word.into() });
        }
        let scripts = console::scripts(self.interpreter);
        let is_console =
            path.parent().and_then(|parent| parent.canonicalize().ok()) == scripts.canonicalize().ok();
        let name = path.file_name().unwrap_or(word).to_string_lossy().into_owned();
        if is_console && path.is_file() {
            if !console::is_python(&path) {
                return Err(NotUnderstood::NotPython { path: word.into() });
            }
            let command = self.console(&name, Path::new(word), rest);
            return Ok(command);
        }
        if is_native(&path) {
            return Err(NotUnderstood::NotPython { path: word.into() });
        }
        let shown = word.to_string_lossy().into_owned();
        let command = CommandLine {
            first_on_path: self.first_for(&path),
            target: self.target_for(&path),
            ..self.command(Program::Script(word.into()), word, shown)
        };
        let known = if starts_django(&path) { DJANGO_SCRIPT } else { "" };
        Ok(self.without_reloader(command, known, rest))
    }

    /// A script that belongs to the environment.
    fn console(&self, name: &str, file: &Path, rest: &[OsString]) -> CommandLine {
        let path = self.here.join(file);
        let command = CommandLine {
            first_on_path: self.first_for(&path),
            modules: modules::of_script(&path, self.interpreter),
            ..self.command(Program::Script(file.into()), file.as_os_str(), name.to_owned())
        };
        self.without_reloader(command, name, rest)
    }

    /// A command that a distribution declares, for which there is no script.
    fn declared(&self, name: &str, module: String, function: String, rest: &[OsString]) -> CommandLine {
        let file = console::scripts(self.interpreter).join(name);
        let command = CommandLine {
            first_on_path: self.unless_safe(console::scripts(self.interpreter).to_owned()),
            modules: modules::of_function(&module, self.interpreter),
            ..self.command(Program::Function { module, function }, file.as_os_str(), name.to_owned())
        };
        self.without_reloader(command, name, rest)
    }

    /// One that is given no words, of the project in this directory.
    fn command(&self, program: Program, first: &OsStr, name: String) -> CommandLine {
        CommandLine {
            program,
            argv: vec![first.to_owned()],
            first_on_path: None,
            modules: Vec::new(),
            target: protocol::Target::Path(self.here.into()),
            name,
            notices: Vec::new(),
            environment: Vec::new(),
        }
    }

    fn without_reloader(&self, mut command: CommandLine, program: &str, rest: &[OsString]) -> CommandLine {
        let switched = reloader::switch_off(program, rest, self.variables);
        command.argv.extend(switched.words);
        command.notices.extend(switched.notice);
        command.environment = switched.environment;
        command
    }

    fn unless_safe(&self, directory: PathBuf) -> Option<PathBuf> {
        (!is_path_safe(self.interpreter)).then_some(directory)
    }

    /// What `python PATH` puts first: the directory of a script, links resolved, but a directory or archive itself.
    fn first_for(&self, path: &Path) -> Option<PathBuf> {
        if path.is_dir() || is_archive(path) {
            return Some(path.to_owned());
        }
        let file = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        self.unless_safe(file.parent()?.to_owned())
    }

    /// The script itself if it lies outside of the project in this directory.
    fn target_for(&self, path: &Path) -> protocol::Target {
        let resolved = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let (file, here) = (resolved(path), resolved(self.here));
        let interpreter = self.interpreter;
        let root = hr_graph::Project::locate(&hr_graph::Target::Path(here.clone()), interpreter)
            .map_or(here, |project| resolved(project.root()));
        let target = if file.starts_with(root) { self.here } else { path };
        protocol::Target::Path(target.into())
    }
}

fn no_file(word: &OsStr, path: &Path) -> NotUnderstood {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let beside = path.parent().and_then(|parent| parent.read_dir().ok()).into_iter().flatten().flatten();
    let names = beside
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| Path::new(name).extension() == path.extension());
    let nearest = console::most_alike(&name, names)
        .map(|name| Path::new(word).with_file_name(name).display().to_string());
    NotUnderstood::NoFile { path: word.into(), nearest }
}

/// Whether a file is a script as `django-admin startproject` makes it.
fn starts_django(file: &Path) -> bool {
    std::fs::read(file).is_ok_and(|source| {
        let call = b"execute_from_command_line";
        source.windows(call.len()).any(|window| window == call)
    })
}

fn is_archive(file: &Path) -> bool {
    begins(file, b"PK") || file.extension().is_some_and(|suffix| suffix == "pyz" || suffix == "zip")
}

/// Whether a file is executed by the system without an interpreter.
fn is_native(file: &Path) -> bool {
    begins(file, b"\x7fELF")
}

fn begins(file: &Path, with: &[u8]) -> bool {
    use std::io::Read as _;
    let mut beginning = vec![0; with.len()];
    std::fs::File::open(file).is_ok_and(|mut file| file.read_exact(&mut beginning).is_ok())
        && beginning == with
}

#[cfg(test)]
mod tests;
