//! What imports have consumed, as `hotreload._template.Loaded` tells it.

use std::ffi::OsString;
use std::path::PathBuf;

use hr_forkserver::protocol::{
    Content, EnvironmentRead, FileStamp, ImportProfile, Listed, ListedDirectory, Loaded, OpenedFile,
    ProfiledImport,
};
use pyo3::prelude::*;

/// A hash of what is in a small file.
#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "it is extracted from a Python object")]
pub(crate) fn content_of(path: PathBuf) -> Option<u64> {
    hr_forkserver::content_of(&path).map(|content| content.0)
}

/// The fields are those of [`Loaded`].
#[derive(FromPyObject)]
pub(crate) struct PythonLoaded {
    files: Vec<OsString>,
    names: Vec<(String, OsString)>,
    absent: Vec<String>,
    variables: Vec<OsString>,
    opened: Vec<(OsString, Option<Stamp>, Option<u64>)>,
    listed: Vec<(OsString, String, Option<Vec<OsString>>)>,
    profile: Option<Profile>,
}

/// Size, times of modification and of change, inode, device.
type Stamp = (u64, i64, i64, u64, u64);

/// Imports, and environment variables with those who read them.
type Profile = (Vec<Import>, Vec<(OsString, Vec<String>)>);

/// Module, parent, start, duration, memory, threads, descriptors, failed: as in [`ProfiledImport`].
type Import = (String, Option<u32>, u64, u64, i64, Vec<String>, Vec<String>, bool);

impl From<PythonLoaded> for Loaded {
    fn from(loaded: PythonLoaded) -> Self {
        let PythonLoaded { files, names, absent, variables, opened, listed, profile } = loaded;
        let opened = opened.into_iter().map(|(path, stamp, content)| OpenedFile {
            path,
            stamp: stamp.map(file_stamp),
            content: content.map(Content),
        });
        let listed = listed.into_iter().map(|(path, listed, names)| ListedDirectory {
            path,
            listed: match listed.as_str() {
                "distributions" => Listed::Distributions,
                "modules" => Listed::Modules,
                _ => Listed::Everything,
            },
            names,
        });
        Self {
            files,
            names,
            absent,
            variables,
            opened: opened.collect(),
            listed: listed.collect(),
            profile: profile.map(import_profile).map(Box::new),
        }
    }
}

fn file_stamp((size, modified, changed, inode, device): Stamp) -> FileStamp {
    FileStamp { size, modified, changed, inode, device }
}

fn import_profile((imports, reads): Profile) -> ImportProfile {
    let imports = imports.into_iter().map(
        |(module, parent, start_micros, micros, memory, threads, descriptors, failed)| ProfiledImport {
            module,
            parent,
            start_micros,
            micros,
            memory,
            threads,
            descriptors,
            failed,
        },
    );
    let reads = reads.into_iter().map(|(variable, modules)| EnvironmentRead { variable, modules });
    ImportProfile { imports: imports.collect(), reads: reads.collect(), attempts: Vec::new() }
}
