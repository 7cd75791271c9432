//! Whether the content of an f-string is plain: expressions without backslashes, comments, and what would have ended the
//! string, as every version of Python since 3.6 accepts it.

use super::grammar::Grammar;
use super::lexer::check_escape;
use super::token::{InDoubt, Sure};

/// Checks what stands between the quotes, single ones or triple ones.
pub(super) fn check(content: &str, quote: u8, is_triple: bool, is_raw: bool) -> Sure<()> {
    // What may not stand in expressions: no byte at all, where only three quotes end the string.
    let quote = if is_triple { 0 } else { quote };
    let bytes = content.as_bytes();
    let mut position = 0;
    while let Some(&byte) = bytes.get(position) {
        match (byte, bytes.get(position + 1)) {
            (b'{', Some(b'{')) | (b'}', Some(b'}')) => position += 2,
            (b'{', _) => position = field(content, position + 1, quote, false)?,
            // Backslashes of raw text mean nothing to braces.
            (b'\\', Some(b'{' | b'}')) if is_raw => position += 1,
            (b'}', _) | (b'\\', Some(b'{' | b'}')) => return Err(InDoubt),
            (b'\\', _) => {
                if !is_raw {
                    check_escape(&bytes[position + 1..], false)?;
                }
                position += 2;
            }
            _ => position += 1,
        }
    }
    Ok(())
}

/// Checks a replacement field that begins after its brace, and gives the position after its closing brace.
fn field(content: &str, start: usize, quote: u8, is_nested: bool) -> Sure<usize> {
    let bytes = content.as_bytes();
    let mut position = start;
    let mut depth = 0_usize;
    loop {
        let byte = *bytes.get(position).ok_or(InDoubt)?;
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' => depth = depth.checked_sub(1).ok_or(InDoubt)?,
            b'}' if depth > 0 => depth -= 1,
            b'}' => break,
            // Comparisons, and what `=` ends otherwise.
            b'=' | b'!' | b'<' | b'>' if bytes.get(position + 1) == Some(&b'=') => position += 1,
            b':' | b'=' | b'!' if depth == 0 => break,
            b'\\' | b'#' => return Err(InDoubt),
            b'"' | b'\'' if byte == quote => return Err(InDoubt),
            b'"' | b'\'' => {
                let rest = &bytes[position + 1..];
                let end = memchr::memchr(byte, rest).ok_or(InDoubt)?;
                let begins_triple = end == 0 && rest.get(1) == Some(&byte);
                if begins_triple
                    || rest[..end].iter().any(|byte| *byte == b'\\' || *byte == b'\n' || *byte == quote)
                {
                    return Err(InDoubt);
                }
                position += end + 1;
            }
            _ => {}
        }
        position += 1;
    }
    Grammar::check_expressions(&content[start..position])?;
    if bytes[position] == b'=' {
        // Shows the expression, too.
        position += 1;
        position += super::bytes::spaces(&bytes[position..]);
    }
    if bytes.get(position) == Some(&b'!') {
        if !matches!(bytes.get(position + 1), Some(b'r' | b's' | b'a')) {
            return Err(InDoubt);
        }
        position += 2;
    }
    match bytes.get(position) {
        Some(b'}') => Ok(position + 1),
        Some(b':') if !is_nested => format_specification(content, position + 1, quote),
        _ => Err(InDoubt),
    }
}

fn format_specification(content: &str, start: usize, quote: u8) -> Sure<usize> {
    let bytes = content.as_bytes();
    let mut position = start;
    loop {
        match bytes.get(position) {
            Some(b'}') => return Ok(position + 1),
            Some(b'{') if bytes.get(position + 1) == Some(&b'{') => return Err(InDoubt),
            Some(b'{') => position = field(content, position + 1, quote, true)?,
            Some(b'\\' | b'\n' | b'"' | b'\'') | None => return Err(InDoubt),
            Some(_) => position += 1,
        }
    }
}
