//! A hash of a file's code that comments and formatting do not change, unless they move a line of code.

use std::cell::Cell;
use std::ops::Range;

use ruff_python_ast::token::{TokenKind, Tokens};
use ruff_text_size::Ranged;
use serde::{Deserialize, Serialize};

use crate::position::Positions;

/// Tells changes of code from changes of comments, formatting and docstrings.
///
/// Two texts with equal `code` have the same tokens on the same lines, docstrings aside: a program cannot tell
/// them apart, and its tracebacks name the same lines. Columns may differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Everything but comments, blanks and statements that are nothing but a string.
    pub code: u64,
    /// The statements that are nothing but a string: docstrings, mostly.
    pub docstrings: u64,
}

/// Collects the significant text of a file in a form that only code determines.
#[derive(Default)]
pub(crate) struct Digest {
    code: Vec<u8>,
    docstrings: Vec<u8>,
    /// That of the last token.
    line: u32,
}

/// Marks that no token's text begins with.
const LINE: &[u8] = b"\n#";
const NEWLINE: &[u8] = b"\n;";
const INDENT: &[u8] = b"\n>";
const DEDENT: &[u8] = b"\n<";
const DOCSTRING: &[u8] = b"\n\"";

impl Digest {
    /// An empty one, in the memory of the last one that this thread has finished: the text of a file is long, and
    /// fetching as much memory for each file would take longer than to read it.
    pub(crate) fn new() -> Self {
        SPARE.take()
    }

    /// Adds a token of a text.
    pub(crate) fn token(&mut self, line: u32, whole: &str, range: Range<usize>) {
        if line != self.line {
            self.line = line;
            self.code.extend_from_slice(LINE);
            self.code.extend_from_slice(&line.to_le_bytes());
        }
        let length = range.len();
        match whole.as_bytes()[range.start..].first_chunk::<8>() {
            // Most tokens are short, and copying a fixed number of bytes is a single instruction.
            Some(eight) if length < 8 => {
                let end = self.code.len() + length + 1;
                let token = u64::from_le_bytes(*eight) & ((1 << (8 * length)) - 1);
                self.code.extend_from_slice(&token.to_le_bytes());
                self.code.truncate(end);
            }
            _ => {
                self.code.extend_from_slice(&whole.as_bytes()[range]);
                self.code.push(0);
            }
        }
    }

    pub(crate) fn docstring(&mut self, line: u32, text: &str) {
        self.code.extend_from_slice(DOCSTRING);
        self.docstrings.extend_from_slice(&line.to_le_bytes());
        self.docstrings.extend_from_slice(text.as_bytes());
        self.docstrings.push(0);
    }

    pub(crate) fn newline(&mut self) {
        self.code.extend_from_slice(NEWLINE);
    }

    pub(crate) fn indent(&mut self) {
        self.code.extend_from_slice(INDENT);
    }

    pub(crate) fn dedent(&mut self) {
        self.code.extend_from_slice(DEDENT);
    }

    pub(crate) fn finish(mut self) -> Fingerprint {
        let fingerprint = Fingerprint {
            code: xxhash_rust::xxh3::xxh3_64(&self.code),
            docstrings: xxhash_rust::xxh3::xxh3_64(&self.docstrings),
        };
        if self.code.capacity() <= LARGEST_SPARE {
            self.code.clear();
            self.docstrings.clear();
            self.line = 0;
            SPARE.set(self);
        }
        fingerprint
    }
}

/// Memory of more bytes than this is given back.
const LARGEST_SPARE: usize = 4 << 20;

thread_local! {
    static SPARE: Cell<Digest> = Cell::default();
}

/// The fingerprint of a parsed text.
pub(crate) fn of_tokens(text: &str, tokens: &Tokens, positions: &Positions<'_>) -> Fingerprint {
    let mut digest = Digest::new();
    let mut lines = positions.lines();
    let significant: Vec<_> = tokens
        .iter()
        .filter(|token| !matches!(token.kind(), TokenKind::Comment | TokenKind::NonLogicalNewline))
        .collect();
    let mut at_start = true;
    let mut index = 0;
    while index < significant.len() {
        let token = significant[index];
        match token.kind() {
            TokenKind::Newline => {
                digest.newline();
                at_start = true;
            }
            TokenKind::Indent => digest.indent(),
            TokenKind::Dedent => digest.dedent(),
            TokenKind::EndOfFile => {}
            TokenKind::String
                if at_start
                    && significant.get(index + 1).is_none_or(|next| {
                        matches!(next.kind(), TokenKind::Newline | TokenKind::EndOfFile)
                    }) =>
            {
                digest.docstring(lines.at(token.start()), &text[token.range()]);
                at_start = false;
            }
            TokenKind::FStringStart | TokenKind::TStringStart => {
                // One token for the whole literal: blanks inside of it count, as they may be text.
                let last = end_of_interpolated(&significant, index);
                let range = token.range().cover(significant[last].range());
                digest.token(lines.at(token.start()), text, range.to_std_range());
                index = last;
                at_start = false;
            }
            _ => {
                digest.token(lines.at(token.start()), text, token.range().to_std_range());
                at_start = false;
            }
        }
        index += 1;
    }
    digest.finish()
}

fn end_of_interpolated(tokens: &[&ruff_python_ast::token::Token], start: usize) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(start) {
        match token.kind() {
            TokenKind::FStringStart | TokenKind::TStringStart => depth += 1,
            TokenKind::FStringEnd | TokenKind::TStringEnd => {
                depth -= 1;
                if depth == 0 {
                    return index;
                }
            }
            _ => {}
        }
    }
    tokens.len() - 1
}
