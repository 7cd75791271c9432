//! The fast path: reads plain source text without building a tree.
//!
//! It recognises a subset of Python that every supported version accepts, token for token as the full parser would,
//! and gives up ([`InDoubt`]) at the first thing that is not plainly in that subset: broken text, syntax that depends on
//! the version, soft keywords, identifiers beyond ASCII, odd indentation. What it accepts, the full parser accepts
//! without complaint, so both give the same answer; what it does not is read by the full parser, which costs time and
//! nothing else.

mod bytes;
mod grammar;
mod interpolated;
mod keywords;
mod lexer;
mod marked;
mod scope;
mod statements;
mod token;

use crate::FileImports;
use crate::target::{ModuleName, Target};

/// What the full parser would find, or `None` where only that can tell.
pub(crate) fn scan(text: &str, module: ModuleName<'_>, target: &Target) -> Option<FileImports> {
    let is_supported = target.version >= (3, 10) && u32::try_from(text.len()).is_ok();
    let has_odd_bytes = memchr::memchr2(b'\r', 0, text.as_bytes()).is_some();
    if !is_supported || has_odd_bytes {
        return None;
    }
    statements::scan(text, module, target).ok()
}
