//! Which modules a program imports before it comes to the project's own.

use std::path::{Path, PathBuf};

use hr_graph::Interpreter;
use hr_graph::imports::{ModuleName, scan_bytes};

/// What `python -m NAME` imports that the project need not: the packages around the module, and what its file imports. The
/// file itself is executed as `__main__`, and need not bear to be imported. Empty for a module of the project.
pub(super) fn of_module(name: &str, interpreter: &Interpreter) -> Vec<String> {
    let mut found = Vec::new();
    let Some(file) = find(name, interpreter) else { return found };
    let (file, executed) = if file.ends_with("__init__.py") {
        found.push(name.to_owned());
        (file.with_file_name("__main__.py"), format!("{name}.__main__"))
    } else {
        found.extend(name.rsplit_once('.').map(|(package, _)| package.to_owned()));
        (file, name.to_owned())
    };
    add(&mut found, imported_by(&file, ModuleName::module(&executed), interpreter));
    found
}

/// What a script that others wrote imports.
pub(super) fn of_script(file: &Path, interpreter: &Interpreter) -> Vec<String> {
    let mut found = Vec::new();
    add(&mut found, imported_by(file, ModuleName::script(), interpreter));
    found
}

/// The module of an entry point, if others wrote it.
pub(super) fn of_function(module: &str, interpreter: &Interpreter) -> Vec<String> {
    find(module, interpreter).map(|_| module.to_owned()).into_iter().collect()
}

fn imported_by(file: &Path, name: ModuleName<'_>, interpreter: &Interpreter) -> Vec<String> {
    let source = std::fs::read(file).unwrap_or_default();
    let imports = scan_bytes(&source, name, &interpreter.target()).imports;
    let mut modules = Vec::new();
    for import in imports.iter().filter(|import| import.context.runs_at_load(import.is_call())) {
        modules.push(import.module.clone());
        modules.extend(import.names().iter().map(|name| format!("{}.{}", import.module, name.name)));
    }
    modules.retain(|module| find(module, interpreter).is_some());
    modules
}

fn add(found: &mut Vec<String>, more: Vec<String>) {
    for module in more {
        if !found.contains(&module) {
            found.push(module);
        }
    }
}

/// The file of a module that others wrote: one of the standard library or of an installed distribution. None for others, as
/// for those that are compiled into the interpreter.
fn find(module: &str, interpreter: &Interpreter) -> Option<PathBuf> {
    let top = module.split('.').next().unwrap_or(module);
    let inner: PathBuf = module.split('.').collect();
    // Parts of a namespace package may lie in several directories.
    let leads_to = |directory: &&PathBuf| {
        file_at(&directory.join(top)).is_some() || file_at(&directory.join(&inner)).is_some()
    };
    let directory = interpreter.sys_path.iter().find(leads_to)?;
    let is_installed = directory
        .components()
        .any(|part| part.as_os_str() == "site-packages" || part.as_os_str() == "dist-packages");
    let is_stdlib = interpreter.is_stdlib(top) && directory.join("os.py").is_file();
    if is_installed || is_stdlib { file_at(&directory.join(inner)) } else { None }
}

/// Source, a package's or a module's.
fn file_at(path: &Path) -> Option<PathBuf> {
    [path.join("__init__.py"), path.with_extension("py")].into_iter().find(|file| file.is_file())
}

/// Whether there is a module of this name at all.
pub(super) fn exists(module: &str, here: &Path, interpreter: &Interpreter) -> bool {
    let inner: PathBuf = module.split('.').collect();
    let is_package = |path: &Path| path.join("__init__.py").is_file() || path.join("__main__.py").is_file();
    std::iter::once(here).chain(interpreter.sys_path.iter().map(PathBuf::as_path)).any(|directory| {
        let path = directory.join(&inner);
        is_package(&path) || path.with_extension("py").is_file()
    })
}
