//! `hr verify`: whether a run is what a process started afresh would be.

mod compare;
mod observe;
mod pickle;
mod text;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, ValueEnum};
use hr_forkserver::protocol::TemplateState;
use hr_graph::{How, Target};
use serde::Serialize;

use self::compare::{Difference, compare};
use self::observe::{Entry, Observation};
use crate::analysis::{Analysis, Subject, print};
use crate::supervisor::voice;
use crate::{client, interpreter};

/// Version of the JSON output; raised when a field changes its meaning or goes away.
const SCHEMA: u32 = 1;

/// Exit code if a run differs from a fresh process in a way that nothing explains.
const DIFFERENT: u8 = 1;

/// What follows the options in `--help`.
const MORE: &str = "\
Examples:
  hr verify app.py                a script
  hr verify -m shop.web --debug   a module, that finds --debug in sys.argv

Exit codes:
  0  nothing unexpected differs
  1  something does
  2  there is no such program or interpreter, or no template can be built";

/// Compare a run with a process started afresh, at the end of a program's imports.
///
/// The program is imported, not run: a script under another name than `__main__`, as multiprocessing does it. Exit code 0
/// if nothing unexpected differs, 1 if something does.
#[derive(Debug, Args)]
#[command(after_long_help = MORE)]
pub(crate) struct Verify {
    /// For people, or for tools
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// ENTRY is a module's name, even if there is a file of that name
    #[arg(short)]
    module: bool,
    #[command(flatten)]
    subject: Subject,
    /// A script's path, or a module's name
    entry: OsString,
    /// What the program finds in `sys.argv`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
}

/// The JSON output.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    entry: &'a str,
    /// How the imports ended in a fresh process.
    imports: &'a str,
    identical: bool,
    differences: &'a [Difference],
    expected: &'a [Difference],
    ahead: &'a [Ahead],
}

/// A module that is in the template though no module of the program imports it while it is loaded itself.
#[derive(Serialize)]
struct Ahead {
    module: String,
    /// The function that may import it; nothing if an earlier run has loaded it though no import names it.
    file: Option<String>,
    line: Option<u32>,
}

/// Observes both kinds of processes, compares and prints.
pub(crate) fn run(arguments: &Verify) -> anyhow::Result<ExitCode> {
    let is_script = !arguments.module && is_script(Path::new(&arguments.entry));
    let Some(name) = arguments.entry.to_str() else { bail!("ENTRY must be text in UTF-8") };
    let target = if is_script { script(name)? } else { Target::Module(name.to_owned()) };
    let analysis = arguments.subject.analyse_target(target)?;
    let entry = if is_script { Entry::Script(name.to_owned()) } else { module(&analysis, name) };
    let mut interpreter = arguments.subject.interpreter()?;
    if let (Some(directory), false) = (entry.directory(), interpreter::is_path_safe(&interpreter)) {
        interpreter.sys_path.splice(..1, [directory]);
    }
    let first = if is_script { arguments.entry.clone() } else { module_file(&analysis, name) };
    let argv: Vec<OsString> = [first].into_iter().chain(arguments.arguments.iter().cloned()).collect();
    let interpreter = client::target_interpreter(&interpreter, argv)
        .map_err(|error| anyhow::Error::msg(error.hint()).context(error))?;
    let cold = observe::cold(&interpreter, &entry)?;
    let (warm, state) = observe::warm(interpreter, analysis.target.clone(), &entry)?;
    let is_first_party = |file: &str| analysis.project.is_first_party(Path::new(file));
    let (expected, differences): (Vec<_>, Vec<_>) =
        compare(&cold, &warm, &is_first_party).into_iter().partition(|one| one.reason.is_some());
    let imports = imports_of(&cold[0]);
    let ahead = ahead(&analysis, &state);
    print(&match arguments.format {
        Format::Text => text::render(name, imports, &differences, &expected, &ahead),
        Format::Json => {
            let document = Document {
                version: SCHEMA,
                entry: name,
                imports,
                identical: differences.is_empty(),
                differences: &differences,
                expected: &expected,
                ahead: &ahead,
            };
            serde_json::to_string_pretty(&document)? + "\n"
        }
    })?;
    Ok(if differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(DIFFERENT) })
}

fn is_script(entry: &Path) -> bool {
    entry.is_file()
        || entry.components().count() > 1
        || entry.extension().is_some_and(|suffix| suffix == "py")
}

fn script(path: &str) -> anyhow::Result<Target> {
    if Path::new(path).is_dir() {
        let hint = "hint: name a script or a module";
        return Err(anyhow::Error::msg(hint).context(format!("{path} is a directory")));
    }
    Ok(Target::Path(path.into()))
}

/// A module; or a package with its `__main__`, if that can be executed without running the program.
fn module(analysis: &Analysis, name: &str) -> Entry {
    let main = analysis.graph.module(&format!("{name}.__main__"));
    let source = main.and_then(|main| std::fs::read_to_string(&main.file).ok());
    match (main, source) {
        (Some(_), Some(source)) if is_guarded(&source) => Entry::Package(name.to_owned()),
        (Some(main), _) => {
            let file = analysis.graph.relative(&main.file).display().to_string();
            voice::note(&format!(
                "{file} is left out: it has no `if __name__ == \"__main__\":` and would run. Name what it imports instead."
            ));
            Entry::Module(name.to_owned())
        }
        (None, _) => Entry::Module(name.to_owned()),
    }
}

/// Whether a program's file asks whether it is the program.
fn is_guarded(source: &str) -> bool {
    let asks = |line: &str| {
        let words: String = line.split_whitespace().collect::<Vec<_>>().join(" ");
        words.starts_with("if __name__ == \"__main__\"") || words.starts_with("if __name__ == '__main__'")
    };
    source.lines().any(|line| !line.starts_with([' ', '\t']) && asks(line))
}

/// What `python -m` would put into `sys.argv`.
fn module_file(analysis: &Analysis, name: &str) -> OsString {
    let main = analysis.graph.module(&format!("{name}.__main__")).or_else(|| analysis.graph.module(name));
    main.map_or_else(|| name.into(), |module| module.file.clone().into())
}

fn ahead(analysis: &Analysis, state: &TemplateState) -> Vec<Ahead> {
    let planned = analysis.graph.plan(&analysis.options).modules.into_iter();
    let lazy = planned.filter(|planned| planned.how == How::Lazy && planned.resolved).map(|planned| Ahead {
        module: planned.name,
        file: Some(planned.location.file.to_string_lossy().into_owned()),
        line: Some(planned.location.line),
    });
    let learned = state.learned.iter().filter(|learned| learned.excluded.is_none());
    let learned = learned.map(|learned| Ahead { module: learned.module.clone(), file: None, line: None });
    lazy.chain(learned).collect()
}

fn imports_of(observation: &Observation) -> &str {
    let outcome = observation.get("outcome").and_then(|outcome| outcome.get("imports"));
    outcome.map_or("", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::is_guarded;

    #[test]
    fn a_program_asks_at_its_top_level_whether_it_is_one() {
        assert!(is_guarded("import app\nif __name__ == '__main__':\n    app.run()\n"));
        assert!(is_guarded("if __name__  ==  \"__main__\": run()"));
        assert!(!is_guarded("import app\napp.run()\n"));
        assert!(!is_guarded("def f():\n    if __name__ == '__main__':\n        pass\nf()\n"));
    }
}
