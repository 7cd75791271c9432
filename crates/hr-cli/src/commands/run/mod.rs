//! `hr run`: a program that is restarted from a warm template whenever its source changes.

mod arguments;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use hr_graph::ProjectSettings;

use self::arguments::LogFormat;
pub(crate) use self::arguments::Run;
use crate::session::{self, Format, Options, Verbosity};
use crate::watcher::Selection;
use crate::{client, env_file, interpreter, program, settings};

/// How long a program may take to end unless the user says otherwise.
const GRACE: Duration = Duration::from_secs(2);

/// Runs the program until it or the user ends.
pub(crate) fn run(arguments: &Run) -> anyhow::Result<ExitCode> {
    session::run(&|| options(arguments))
}

/// What the user wants, in the environment of this moment.
fn options(arguments: &Run) -> anyhow::Result<Options> {
    let here = env::current_dir().context("the current directory cannot be told")?;
    let project = settings::read(&here).map_err(|error| hinted(error.hint(), error))?;
    let mut found = arguments.subject.find_interpreter()?;
    let env_files = env_files(arguments, &project, &here);
    // Later versions of them may be wrong; the first may not.
    let variables = env_file::read(&env_files).map_err(|error| hinted(error.hint(), error))?;
    let variable = |name: &str| {
        let of_files = || variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.into());
        env::var_os(name).or_else(of_files)
    };
    let interpreter = &found.interpreter;
    let command = program::understand(&arguments.words, arguments.module, interpreter, &here, &variable)
        .map_err(|error| hinted(&error.hint(), error))?;
    if let (Some(directory), false) = (&command.first_on_path, interpreter::is_path_safe(&found.interpreter))
    {
        found.interpreter.sys_path.splice(..1, [directory.clone()]);
    }
    let target = client::target_interpreter(&found.interpreter, command.argv.clone())
        .map_err(|error| anyhow::Error::msg(error.hint()).context(error))?;
    let globs = globs(arguments, &project, &here).context("hint: globs are those of .gitignore files")?;
    Ok(Options {
        command,
        interpreter: target,
        python: found.describe(),
        globs,
        root: project.root,
        env_files,
        reload: !arguments.no_reload,
        // What runs once leaves nothing to go on from.
        checkpoints: !arguments.no_checkpoints && !arguments.no_reload,
        entry: project.settings.entry,
        grace: arguments.grace.or(project.settings.grace).unwrap_or(GRACE),
        verbosity: verbosity(arguments),
        format: match arguments.log_format {
            LogFormat::Text => Format::Text,
            LogFormat::Json => Format::Json,
        },
    })
}

/// Of the flag, or else of the settings; absolute.
fn env_files(arguments: &Run, project: &ProjectSettings, here: &Path) -> Vec<PathBuf> {
    match arguments.env_file.as_slice() {
        [] => project.settings.env_file.iter().map(|file| project.root.join(file)).collect(),
        files => files.iter().map(|file| here.join(file)).collect(),
    }
}

/// Of the flags, which are relative to where they are given, or else of the settings.
fn globs(arguments: &Run, project: &ProjectSettings, here: &Path) -> anyhow::Result<Selection> {
    let below = here.strip_prefix(&project.root).unwrap_or(Path::new(""));
    let root = project.root.to_string_lossy();
    let from_root = |glob: &String| {
        let (not, pattern) = glob.strip_prefix('!').map_or(("", glob.as_str()), |pattern| ("!", pattern));
        let anywhere = !pattern.trim_end_matches('/').contains('/') || pattern.starts_with(&*root);
        if anywhere {
            return glob.clone();
        }
        format!("{not}/{}", below.join(pattern.trim_start_matches('/')).display())
    };
    let chosen = |flags: &[String], settings: &[String]| match flags {
        [] => settings.to_vec(),
        flags => flags.iter().map(from_root).collect(),
    };
    let watch = chosen(&arguments.watch, &project.settings.watch);
    let ignore = chosen(&arguments.ignore, &project.settings.ignore);
    Ok(Selection::new(&project.root, &watch, &ignore)?)
}

fn verbosity(arguments: &Run) -> Verbosity {
    match (arguments.quiet, arguments.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Verbose,
        _ => Verbosity::Normal,
    }
}

fn hinted(hint: &str, error: impl std::error::Error + Send + Sync + 'static) -> anyhow::Error {
    // The error's own causes stand before the hint.
    let causes: Vec<String> =
        std::iter::successors(error.source(), |cause| cause.source()).map(ToString::to_string).collect();
    let message = std::iter::once(error.to_string()).chain(causes).collect::<Vec<_>>().join(": ");
    anyhow::Error::msg(format!("hint: {hint}")).context(message)
}
