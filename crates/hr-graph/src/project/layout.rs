//! Where in a project's directory its modules begin: `src` layouts, flat layouts, workspaces.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

/// Files that mark a project's directory.
const MARKERS: &[&str] =
    &["pyproject.toml", "setup.py", "setup.cfg", "uv.lock", "poetry.lock", "Pipfile", ".git", ".hg"];

/// Directories that never hold a project's own modules.
const SKIPPED: &[&str] =
    &["node_modules", "__pycache__", "__pypackages__", "site-packages", "dist-packages", "venv", "env"];

/// Whether a directory is marked as a project's.
pub(crate) fn is_project_directory(directory: &Path) -> bool {
    MARKERS.iter().any(|marker| directory.join(marker).exists())
}

/// Whether a directory is a virtual environment.
fn is_environment(directory: &Path) -> bool {
    directory.join("pyvenv.cfg").exists()
        || (directory.join("conda-meta").is_dir() && directory.join("bin").is_dir())
}

/// The nearest directory at or above `directory` that is marked as a project's, else `directory`.
/// A home directory or file-system root under version control is no project.
pub(crate) fn project_root(directory: &Path) -> PathBuf {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    directory
        .ancestors()
        .take_while(|ancestor| ancestor.parent().is_some() && Some(*ancestor) != home.as_deref())
        .find(|ancestor| is_project_directory(ancestor))
        .unwrap_or(directory)
        .to_owned()
}

/// The directories in which a project's top-level modules lie: its own and its workspace's, the specific ones first,
/// its own directory last.
pub(crate) fn source_roots(root: &Path) -> Vec<PathBuf> {
    let mut roots = Vec::new();
    let configuration = read(root);
    for project in workspace(root, &configuration) {
        let configuration = if project == root { configuration.clone() } else { read(&project) };
        for source in configured(&configuration).into_iter().chain(["src".to_owned()]) {
            let source = clean(&project.join(source));
            if !source.join("__init__.py").exists() && source != project && holds_python(&source) {
                push(&mut roots, source);
            }
        }
        push(&mut roots, project);
    }
    // The longest paths first: a file belongs to the most specific root.
    roots.sort_by_key(|root| std::cmp::Reverse(root.components().count()));
    roots
}

/// The projects that are developed together with this one, itself first.
fn workspace(root: &Path, configuration: &Table) -> Vec<PathBuf> {
    let mut projects = vec![root.to_owned()];
    let (workspace_root, members) = match members(configuration) {
        members if !members.is_empty() => (root.to_owned(), members),
        _ => match root.ancestors().skip(1).find_map(|above| {
            let members = members(&read(above));
            (!members.is_empty()).then(|| (above.to_owned(), members))
        }) {
            Some((above, members)) if expand(&above, &members).contains(&root.to_owned()) => (above, members),
            _ => return with_nested(projects),
        },
    };
    for member in expand(&workspace_root, &members) {
        push(&mut projects, member);
    }
    with_nested(projects)
}

/// Adds the projects that lie inside of the first one without being declared: several packages in one repository.
fn with_nested(mut projects: Vec<PathBuf>) -> Vec<PathBuf> {
    let root = projects[0].clone();
    for directory in subdirectories(&root) {
        for nested in std::iter::once(directory.clone()).chain(subdirectories(&directory)) {
            let is_project = nested.join("pyproject.toml").is_file() || nested.join("setup.py").is_file();
            if is_project && !is_environment(&nested) && !is_environment(&directory) {
                push(&mut projects, nested);
            }
        }
    }
    projects
}

/// The globs of a workspace's members: uv, rye, hatch, pixi.
fn members(configuration: &Table) -> Vec<String> {
    [
        &["tool", "uv", "workspace", "members"][..],
        &["tool", "rye", "workspace", "members"],
        &["tool", "hatch", "workspace", "members"],
        &["tool", "hatch", "envs", "default", "workspace", "members"],
    ]
    .iter()
    .flat_map(|path| strings(configuration, path))
    .collect()
}

/// Directories that the build back end is told to take modules from.
fn configured(configuration: &Table) -> Vec<String> {
    let mut found = strings(configuration, &["tool", "setuptools", "packages", "find", "where"]);
    found.extend(strings(configuration, &["tool", "hotreload", "source-roots"]));
    // A package is imported from the directory that holds it.
    found.extend(strings(configuration, &["tool", "hotreload", "packages"]).iter().map(|package| {
        let package = package.trim_end_matches('/');
        package
            .rsplit_once('/')
            .map_or("", |(parent, _)| if parent.is_empty() { "/" } else { parent })
            .to_owned()
    }));
    for path in [
        &["tool", "setuptools", "package-dir", ""][..],
        &["tool", "pdm", "build", "package-dir"],
        &["tool", "maturin", "python-source"],
        &["tool", "uv", "build-backend", "module-root"],
    ] {
        found.extend(get(configuration, path).and_then(Value::as_str).map(str::to_owned));
    }
    let packages = get(configuration, &["tool", "poetry", "packages"]).and_then(Value::as_array);
    for package in packages.into_iter().flatten() {
        found.extend(package.get("from").and_then(Value::as_str).map(str::to_owned));
    }
    for package in strings(configuration, &["tool", "hatch", "build", "targets", "wheel", "packages"]) {
        found.extend(package.rsplit_once('/').map(|(parent, _)| parent.to_owned()));
    }
    found
}

fn read(directory: &Path) -> Table {
    // A broken file says nothing here; the tools that own it complain about it.
    std::fs::read_to_string(directory.join("pyproject.toml"))
        .ok()
        .and_then(|text| text.parse::<Table>().ok())
        .unwrap_or_default()
}

fn get<'t>(table: &'t Table, path: &[&str]) -> Option<&'t Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(table.get(*first)?, |value, key| value.get(*key))
}

fn strings(table: &Table, path: &[&str]) -> Vec<String> {
    get(table, path)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|value| value.as_str().map(str::to_owned))
        .collect()
}

/// The directories with a `pyproject.toml` that globs of whole path components with `*` in them match.
fn expand(root: &Path, globs: &[String]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for glob in globs {
        let mut directories = vec![root.to_owned()];
        for part in glob.split('/').filter(|part| !part.is_empty() && *part != ".") {
            directories = if part.contains('*') {
                directories
                    .iter()
                    .flat_map(|directory| subdirectories(directory))
                    .filter(|directory| {
                        directory.file_name().is_some_and(|name| matches(part, &name.to_string_lossy()))
                    })
                    .collect()
            } else {
                directories.iter().map(|directory| clean(&directory.join(part))).collect()
            };
        }
        for directory in
            directories.into_iter().filter(|directory| directory.join("pyproject.toml").is_file())
        {
            push(&mut found, directory);
        }
    }
    found
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|tail| {
            (0..=tail.len())
                .any(|at| tail.is_char_boundary(at) && matches(rest.trim_start_matches('*'), &tail[at..]))
        }),
    }
}

/// Subdirectories that may hold a project's modules, sorted.
fn subdirectories(directory: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
        .map(|entry| entry.path())
        .filter(|path| !is_skipped(path))
        .collect();
    found.sort();
    found
}

fn is_skipped(directory: &Path) -> bool {
    directory.file_name().and_then(|name| name.to_str()).is_some_and(|name| SKIPPED.contains(&name))
}

/// Whether Python modules lie in a directory or, up to a small depth, below it.
pub(crate) fn holds_python(directory: &Path) -> bool {
    fn search(directory: &Path, depth: u8) -> bool {
        let is_python = |path: &Path| path.extension().is_some_and(|suffix| suffix == "py" || suffix == "so");
        let here = std::fs::read_dir(directory)
            .into_iter()
            .flatten()
            .flatten()
            .any(|entry| is_python(&entry.path()));
        here || (depth < 4
            && subdirectories(directory)
                .iter()
                .any(|below| !is_environment(below) && search(below, depth + 1)))
    }
    directory.is_dir() && search(directory, 0)
}

/// Packages and modules directly in a source root. A directory that holds packages and is none itself, nor one of
/// `roots`, is a namespace package.
pub(crate) fn top_level_names(root: &Path, roots: &[PathBuf]) -> Vec<String> {
    let is_package = |directory: &PathBuf| directory.join("__init__.py").is_file();
    let is_namespace =
        |directory: &PathBuf| !roots.contains(directory) && subdirectories(directory).iter().any(is_package);
    let mut names: Vec<String> = subdirectories(root)
        .into_iter()
        .filter(|directory| is_package(directory) || is_namespace(directory))
        .filter_map(|directory| directory.file_name().map(|name| name.to_string_lossy().into_owned()))
        .collect();
    for entry in std::fs::read_dir(root).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if let Some(stem) = name.to_str().and_then(|name| name.strip_suffix(".py"))
            && stem != "setup"
        {
            names.push(stem.to_owned());
        }
    }
    names
}

/// Resolves `.` and `..` in a path without asking the file system.
fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => {
                clean.pop();
            }
            std::path::Component::CurDir => {}
            part => clean.push(part),
        }
    }
    clean
}

fn push(paths: &mut Vec<PathBuf>, path: PathBuf) {
    if !paths.contains(&path) {
        paths.push(path);
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn globs_match_whole_names() {
        assert!(matches("*", "anything"));
        assert!(matches("lib-*", "lib-a"));
        assert!(matches("a*c", "abc"));
        assert!(!matches("a*c", "abd"));
        assert!(!matches("lib", "lib-a"));
    }
}
