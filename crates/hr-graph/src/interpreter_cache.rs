//! Remembers what interpreters said about themselves, as long as nothing they said depends upon has changed.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::interpreter::{Interpreter, QueryError};
use crate::scan::Stamp;

/// To be raised whenever the question or what is stored changes.
const FORMAT: u32 = 2;
/// Variables that decide `sys.path`.
const VARIABLES: &[&str] =
    &["PYTHONPATH", "PYTHONHOME", "PYTHONNOUSERSITE", "PYTHONUSERBASE", "PYTHONSAFEPATH", "HOME"];

#[derive(Serialize, Deserialize)]
struct Stored {
    interpreter: Interpreter,
    /// The files and directories the answer depends upon, as they were. What was absent must stay absent.
    inputs: Vec<(PathBuf, Option<Stamp>)>,
}

impl Interpreter {
    /// Like [`Interpreter::query`], but starts the interpreter only if it or its `sys.path` has changed since the
    /// last time. A cache that cannot be read or written counts as empty.
    pub fn query_cached(executable: &Path, cache_dir: &Path) -> Result<Self, QueryError> {
        let file = cache_file(executable, cache_dir);
        let stored =
            std::fs::read(&file).ok().and_then(|bytes| serde_json::from_slice::<Stored>(&bytes).ok());
        if let Some(stored) = stored.filter(Stored::is_current) {
            return Ok(stored.interpreter);
        }
        let interpreter = Self::query(executable)?;
        let stored = Stored { inputs: inputs(executable, &interpreter), interpreter };
        // Without a cache the next query takes longer, nothing else.
        let _ = store(&file, &stored);
        Ok(stored.interpreter)
    }
}

impl Stored {
    fn is_current(&self) -> bool {
        self.inputs.iter().all(|(path, stamp)| stamp_of(path) == *stamp)
    }
}

fn cache_file(executable: &Path, cache_dir: &Path) -> PathBuf {
    let mut identity = executable.as_os_str().as_encoded_bytes().to_vec();
    for variable in VARIABLES {
        identity.push(0);
        identity.extend(std::env::var_os(variable).unwrap_or_default().as_encoded_bytes());
    }
    cache_dir.join(format!("interpreter-v{FORMAT}")).join(format!("{:016x}.json", xxh3_64(&identity)))
}

/// The executable, what makes it a virtual environment's, the directories of `sys.path` and the files in them that
/// add to it.
fn inputs(executable: &Path, interpreter: &Interpreter) -> Vec<(PathBuf, Option<Stamp>)> {
    let mut paths = vec![executable.to_owned()];
    for file in [executable, &interpreter.executable] {
        let mut ancestors = file.ancestors().skip(1).take(2);
        paths.extend(ancestors.by_ref().map(|directory| directory.join("pyvenv.cfg")));
    }
    for directory in &interpreter.sys_path {
        paths.push(directory.clone());
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
        paths.extend(entries.filter(|path| path.extension().is_some_and(|suffix| suffix == "pth")));
    }
    paths.into_iter().map(|path| (path.clone(), stamp_of(&path))).collect()
}

fn stamp_of(path: &Path) -> Option<Stamp> {
    std::fs::metadata(path).ok().map(|metadata| Stamp::of(&metadata))
}

fn store(file: &Path, stored: &Stored) -> std::io::Result<()> {
    let Some(directory) = file.parent() else { return Ok(()) };
    std::fs::create_dir_all(directory)?;
    let mut temporary = tempfile::NamedTempFile::new_in(directory)?;
    temporary.write_all(&serde_json::to_vec(stored)?)?;
    temporary.persist(file)?;
    Ok(())
}
