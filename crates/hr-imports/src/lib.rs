#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod calls;
mod collect;
mod condition;
mod decode;
mod fast;
mod fingerprint;
mod import;
mod names;
mod parse;
mod position;
mod target;

use serde::{Deserialize, Serialize};

pub use decode::decode;
pub use fingerprint::Fingerprint;
pub use import::{
    Branch, Context, EnvironmentWrite, Form, How, Import, ImportedName, Location, Problem,
    UnresolvedRelative, WorldPatch,
};
pub use target::{ModuleName, Target};

/// Everything one source file says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FileImports {
    /// The imports, in source order.
    pub imports: Vec<Import>,
    /// Relative imports that leave their top-level package.
    pub unresolved: Vec<UnresolvedRelative>,
    /// Constants written to the environment while the module is loaded.
    pub environment: Vec<EnvironmentWrite>,
    /// Calls that patch the standard library.
    pub patches: Vec<WorldPatch>,
    /// What Python would refuse, in source order; empty for a file that compiles as far as a parser can tell.
    pub problems: Vec<Problem>,
    /// For telling one version of the file from another.
    pub fingerprint: Fingerprint,
}

/// Scans the bytes of a source file: decodes them as Python does, then does what [`scan_text`] does.
pub fn scan_bytes(bytes: &[u8], module: ModuleName<'_>, target: &Target) -> FileImports {
    let (text, problem) = decode(bytes);
    let mut found = scan_text(&text, module, target);
    if let Some(problem) = problem {
        found.problems.insert(0, problem);
        found.problems.sort_by_key(|problem| problem.location);
    }
    found
}

/// Scans source text. Never fails: what cannot be parsed is among the problems, and the rest is still found.
pub fn scan_text(text: &str, module: ModuleName<'_>, target: &Target) -> FileImports {
    fast::scan(text, module, target).unwrap_or_else(|| parse::scan(text, module, target))
}

/// What [`scan_text`] does, always by the full parser: the fast path for plain text must give the same answer.
#[doc(hidden)]
pub fn scan_text_in_full(text: &str, module: ModuleName<'_>, target: &Target) -> FileImports {
    parse::scan(text, module, target)
}

/// What the fast path finds, where it is sure.
#[doc(hidden)]
pub fn scan_text_fast(text: &str, module: ModuleName<'_>, target: &Target) -> Option<FileImports> {
    fast::scan(text, module, target)
}
