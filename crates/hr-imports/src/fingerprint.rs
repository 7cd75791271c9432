//! A hash of a file's code that comments and formatting do not change, unless they move a line of code.

use std::ops::Range;

use ruff_python_ast::token::{TokenKind, Tokens};
use ruff_text_size::Ranged;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

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

/// Takes in the significant text of a file, in a form that only code determines.
///
/// Each step multiplies two 64-bit numbers, one of which depends on all that came before, and folds the 128-bit product,
/// as wyhash does (<https://github.com/wangyi-fudan/wyhash>): tokens are short, and collecting them for a hash of the
/// whole takes several times as long.
pub(crate) struct Digest {
    code: u64,
    docstrings: u64,
}

/// Digits of pi, without meaning.
const SEED: u64 = 0x243f_6a88_85a3_08d3;
const TOKEN: u64 = 0x1319_8a2e_0370_7344;
const NEWLINE: u64 = 0xa409_3822_299f_31d0;
const INDENT: u64 = 0x082e_fa98_ec4e_6c89;
const DEDENT: u64 = 0x4528_21e6_38d0_1377;
const DOCSTRING: u64 = 0xbe54_66cf_34e9_0c6c;

impl Default for Digest {
    fn default() -> Self {
        Self { code: SEED, docstrings: SEED }
    }
}

impl Digest {
    /// Adds a token of a text.
    #[inline]
    pub(crate) fn token(&mut self, line: u32, whole: &[u8], range: Range<usize>) {
        let length = range.len();
        let place = u64::from(line) << 32 | length as u64;
        let first = match whole[range.start..].first_chunk::<8>() {
            // Most tokens are short, and reading a fixed number of bytes is a single instruction.
            Some(eight) if length.wrapping_sub(1) < 8 => {
                u64::from_le_bytes(*eight) & (u64::MAX >> (64 - 8 * length))
            }
            _ => self.first_of(&whole[range]),
        };
        self.code = fold(self.code ^ first, place ^ TOKEN);
    }

    /// What stands for a token that is not short: all of it, after part of a longer one was taken in already.
    #[inline(never)]
    fn first_of(&mut self, text: &[u8]) -> u64 {
        match (text.len(), text.first_chunk::<8>(), text.last_chunk::<8>()) {
            (..=16, Some(first), Some(last)) => {
                self.code = fold(self.code ^ u64::from_le_bytes(*last), SEED);
                u64::from_le_bytes(*first)
            }
            // At the end of the text.
            (..8, ..) => text.iter().rev().fold(0, |packed, byte| packed << 8 | u64::from(*byte)),
            _ => xxh3_64(text),
        }
    }

    pub(crate) fn docstring(&mut self, line: u32, text: &str) {
        self.code = fold(self.code, DOCSTRING);
        self.docstrings = fold(self.docstrings ^ xxh3_64(text.as_bytes()), u64::from(line) ^ DOCSTRING);
    }

    pub(crate) fn newline(&mut self) {
        self.code = fold(self.code, NEWLINE);
    }

    pub(crate) fn indent(&mut self) {
        self.code = fold(self.code, INDENT);
    }

    pub(crate) fn dedent(&mut self) {
        self.code = fold(self.code, DEDENT);
    }

    pub(crate) fn finish(&self) -> Fingerprint {
        Fingerprint { code: fold(self.code, SEED), docstrings: fold(self.docstrings, SEED) }
    }
}

#[inline]
#[allow(clippy::cast_possible_truncation, reason = "both halves are taken")]
fn fold(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    (product >> 64) as u64 ^ product as u64
}

/// The fingerprint of a parsed text.
pub(crate) fn of_tokens(text: &str, tokens: &Tokens, positions: &Positions<'_>) -> Fingerprint {
    let mut digest = Digest::default();
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
                digest.token(lines.at(token.start()), text.as_bytes(), range.to_std_range());
                index = last;
                at_start = false;
            }
            _ => {
                digest.token(lines.at(token.start()), text.as_bytes(), token.range().to_std_range());
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
