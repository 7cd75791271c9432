//! Numbers and strings.

use super::{InDoubt, Kind, Lexer, Sure, bytes};
use crate::fast::interpolated;

impl Lexer<'_> {
    #[inline]
    pub(super) fn number(&mut self) -> Kind {
        // Most numbers are a few digits and nothing else.
        let digits = self.bytes[self.position..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let after = self.peek(digits);
        let is_plain = digits == 1 || self.peek(0) != b'0';
        if is_plain && !after.is_ascii_alphanumeric() && after != b'.' && after != b'_' && after < 128 {
            self.position += digits;
            return Kind::Number;
        }
        self.other_number().unwrap_or(Kind::Doubt)
    }

    fn other_number(&mut self) -> Sure<Kind> {
        let radix: Option<fn(&u8) -> bool> = match (self.peek(0), self.peek(1)) {
            (b'0', b'x' | b'X') => Some(u8::is_ascii_hexdigit),
            (b'0', b'o' | b'O') => Some(|byte| matches!(byte, b'0'..=b'7')),
            (b'0', b'b' | b'B') => Some(|byte| matches!(byte, b'0' | b'1')),
            _ => None,
        };
        if let Some(is_digit) = radix {
            self.position += 2;
            let start = self.position;
            while is_digit(&self.peek(0)) {
                self.position += 1;
            }
            if self.position == start {
                return Err(InDoubt);
            }
        } else {
            let start = self.position;
            self.digits();
            // Only zeros may follow a leading one.
            let integer = &self.bytes[start..self.position];
            let leading_zero =
                integer.len() > 1 && integer[0] == b'0' && integer.iter().any(|digit| *digit != b'0');
            if self.peek(0) == b'.' {
                self.position += 1;
                self.digits();
            }
            if matches!(self.peek(0), b'e' | b'E') {
                self.position += 1 + usize::from(matches!(self.peek(1), b'+' | b'-'));
                if !self.peek(0).is_ascii_digit() {
                    return Err(InDoubt);
                }
                self.digits();
            }
            if leading_zero {
                return Err(InDoubt);
            }
            if matches!(self.peek(0), b'j' | b'J') {
                self.position += 1;
            }
        }
        // `1if`, `0x_f`: rare, and with rules of their own.
        let next = self.peek(0);
        if next.is_ascii_alphanumeric() || next == b'_' || next >= 128 {
            Err(InDoubt)
        } else {
            Ok(Kind::Number)
        }
    }

    fn digits(&mut self) {
        while self.peek(0).is_ascii_digit()
            || (self.peek(0) == b'_' && self.peek(1).is_ascii_digit() && self.after_digit())
        {
            self.position += 1;
        }
    }

    fn after_digit(&self) -> bool {
        self.position.checked_sub(1).is_some_and(|before| self.bytes[before].is_ascii_digit())
    }

    pub(super) fn plain_string(&mut self) -> Kind {
        self.string(Prefix::default()).unwrap_or(Kind::Doubt)
    }

    pub(super) fn prefixed_string(&mut self, letters: &[u8]) -> Kind {
        Prefix::of(letters).and_then(|prefix| self.string(prefix).ok()).unwrap_or(Kind::Doubt)
    }

    fn string(&mut self, prefix: Prefix) -> Sure<Kind> {
        let quote = self.peek(0);
        let is_triple = self.peek(1) == quote && self.peek(2) == quote;
        let opening = if is_triple { 3 } else { 1 };
        self.position += opening;
        let start = self.position;
        if is_triple {
            self.pass_triple_quoted(quote, prefix)?;
        } else {
            self.pass_quoted(quote, prefix)?;
        }
        let content = &self.text[start..self.position];
        self.position += opening;
        if prefix.is_interpolated {
            interpolated::check(content, quote, is_triple, prefix.is_raw)?;
            return Ok(Kind::Interpolated);
        }
        if prefix.is_bytes && !content.is_ascii() {
            return Err(InDoubt);
        }
        Ok(if prefix.is_bytes { Kind::Bytes } else { Kind::String })
    }

    /// Moves to the closing quote.
    fn pass_quoted(&mut self, quote: u8, prefix: Prefix) -> Sure<()> {
        loop {
            self.position += bytes::within_string(&self.bytes[self.position..], quote);
            match self.peek(0) {
                b'\\' => self.escape(prefix)?,
                end if end == quote => return Ok(()),
                _ => return Err(InDoubt),
            }
        }
    }

    /// Moves to the three closing quotes.
    fn pass_triple_quoted(&mut self, quote: u8, prefix: Prefix) -> Sure<()> {
        let start = self.position;
        let mut escaped_lines = 0;
        loop {
            let rest = &self.bytes[self.position..];
            self.position += memchr::memchr2(quote, b'\\', rest).ok_or(InDoubt)?;
            if self.peek(0) == b'\\' {
                let line = self.line;
                self.escape(prefix)?;
                escaped_lines += self.line - line;
            } else if self.peek(1) == quote && self.peek(2) == quote {
                break;
            } else {
                self.position += 1;
            }
        }
        let lines = memchr::memchr_iter(b'\n', &self.bytes[start..self.position]).count();
        self.line += u32::try_from(lines).map_err(|_| InDoubt)? - escaped_lines;
        Ok(())
    }

    /// Passes a backslash and what it escapes.
    fn escape(&mut self, prefix: Prefix) -> Sure<()> {
        match self.peek(1) {
            0 => return Err(InDoubt),
            b'\n' => self.line += 1,
            _ if !prefix.is_raw => check_escape(&self.bytes[self.position + 1..], prefix.is_bytes)?,
            _ => {}
        }
        self.position += 2;
        Ok(())
    }
}

/// The letters before a string's quote.
#[derive(Clone, Copy, Default)]
struct Prefix {
    is_raw: bool,
    is_bytes: bool,
    is_interpolated: bool,
}

impl Prefix {
    fn of(letters: &[u8]) -> Option<Self> {
        let mut prefix = Self::default();
        match letters.len() {
            1 => match letters[0].to_ascii_lowercase() {
                b'u' => {}
                b'r' => prefix.is_raw = true,
                b'b' => prefix.is_bytes = true,
                b'f' => prefix.is_interpolated = true,
                _ => return None,
            },
            2 => match [letters[0].to_ascii_lowercase(), letters[1].to_ascii_lowercase()] {
                [b'r', b'b'] | [b'b', b'r'] => (prefix.is_raw, prefix.is_bytes) = (true, true),
                [b'r', b'f'] | [b'f', b'r'] => (prefix.is_raw, prefix.is_interpolated) = (true, true),
                _ => return None,
            },
            _ => return None,
        }
        Some(prefix)
    }
}

/// Whether what follows a backslash is an escape that no parser refuses.
pub(in crate::fast) fn check_escape(after: &[u8], is_bytes: bool) -> Sure<()> {
    let digits = match after.first() {
        Some(b'x') => 2,
        Some(b'u') if !is_bytes => 4,
        // Code points must be in range.
        Some(b'U') if !is_bytes && (after.starts_with(b"U000") || after.starts_with(b"U0010")) => 8,
        // Names must exist.
        Some(b'U' | b'N') if !is_bytes => return Err(InDoubt),
        Some(128..) => return Err(InDoubt),
        _ => 0,
    };
    let are_hexadecimal =
        after.get(1..=digits).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    if digits == 0 || are_hexadecimal { Ok(()) } else { Err(InDoubt) }
}
