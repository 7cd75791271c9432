//! Cuts plain text into the tokens that the full lexer would cut it into, or gives up.

use crate::calls;
use crate::fingerprint::Digest;

use super::bytes;
use super::interpolated;
use super::token::{InDoubt, Kind, Sure, Token};

/// More than this is not plain.
const DEEPEST_INDENT: usize = 100;

pub(super) struct Lexer<'a> {
    text: &'a str,
    bytes: &'a [u8],
    position: usize,
    line: u32,
    /// Open brackets, in which newlines mean nothing.
    brackets: usize,
    indents: Vec<usize>,
    pending_dedents: usize,
    at_line_start: bool,
    /// Whether a newline token is due before the text may end.
    in_logical_line: bool,
    /// Collects for the fingerprint; absent for the expressions inside of f-strings.
    digest: Option<Digest>,
    /// A string that began a logical line: a docstring if the line ends right after it.
    held: Option<Token>,
    fresh_line: bool,
}

impl<'a> Lexer<'a> {
    /// For a whole file.
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            position: 0,
            line: 1,
            brackets: 0,
            indents: vec![0],
            pending_dedents: 0,
            at_line_start: true,
            in_logical_line: false,
            digest: Some(Digest::new()),
            held: None,
            fresh_line: true,
        }
    }

    /// For one expression within a line.
    pub(super) fn expression(text: &'a str) -> Self {
        Self { brackets: 1, at_line_start: false, digest: None, fresh_line: false, ..Self::new("") }
            .over(text)
    }

    fn over(self, text: &'a str) -> Self {
        Self { text, bytes: text.as_bytes(), ..self }
    }

    pub(super) fn digest(self) -> Option<Digest> {
        self.digest
    }

    pub(super) fn text(&self, token: Token) -> &'a str {
        token.text(self.text)
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.position + ahead).copied().unwrap_or(0)
    }

    pub(super) fn next(&mut self) -> Sure<Token> {
        let token = self.cut()?;
        if self.digest.is_some() {
            self.note(token);
        }
        Ok(token)
    }

    /// Feeds the fingerprint with exactly what `fingerprint::of_tokens` feeds it with.
    fn note(&mut self, token: Token) {
        let Some(digest) = &mut self.digest else { return };
        if self.held.is_some()
            && let Some(held) = self.held.take()
        {
            if matches!(token.kind, Kind::Newline | Kind::End) {
                digest.docstring(held.line, held.text(self.text));
            } else {
                digest.token(held.line, self.text, held.range());
            }
        }
        match token.kind {
            Kind::Newline => {
                digest.newline();
                self.fresh_line = true;
            }
            Kind::Indent => digest.indent(),
            Kind::Dedent => digest.dedent(),
            Kind::End => {}
            Kind::String | Kind::Bytes if self.fresh_line => {
                self.held = Some(token);
                self.fresh_line = false;
            }
            _ => {
                digest.token(token.line, self.text, token.range());
                self.fresh_line = false;
            }
        }
    }

    fn cut(&mut self) -> Sure<Token> {
        if self.pending_dedents > 0 {
            self.pending_dedents -= 1;
            return Ok(self.empty(Kind::Dedent));
        }
        if self.at_line_start
            && self.brackets == 0
            && let Some(token) = self.begin_line()?
        {
            return Ok(token);
        }
        loop {
            match self.peek(0) {
                b' ' | b'\t' => self.position += 1,
                b'#' => self.skip_comment(),
                b'\\' if self.peek(1) == b'\n' && self.position + 2 < self.bytes.len() => {
                    self.position += 2;
                    self.line += 1;
                }
                b'\n' => {
                    let start = self.position;
                    self.position += 1;
                    let token = self.since(start, Kind::Newline);
                    self.line += 1;
                    if self.brackets == 0 {
                        self.at_line_start = true;
                        self.in_logical_line = false;
                        return Ok(token);
                    }
                }
                0 if self.position >= self.bytes.len() => return self.finish(),
                _ => {
                    self.in_logical_line = true;
                    return self.significant();
                }
            }
        }
    }

    fn empty(&self, kind: Kind) -> Token {
        self.since(self.position, kind)
    }

    /// The token that began on this line at `start` and ends here.
    fn since(&self, start: usize, kind: Kind) -> Token {
        Token { kind, start: narrow(start), end: narrow(self.position), line: self.line }
    }

    fn finish(&mut self) -> Sure<Token> {
        if self.brackets > usize::from(self.digest.is_none()) {
            return Err(InDoubt);
        }
        if self.in_logical_line && self.digest.is_some() {
            self.in_logical_line = false;
            self.at_line_start = true;
            return Ok(self.empty(Kind::Newline));
        }
        if self.indents.len() > 1 {
            self.indents.pop();
            return Ok(self.empty(Kind::Dedent));
        }
        Ok(self.empty(Kind::End))
    }

    fn skip_comment(&mut self) {
        let rest = &self.bytes[self.position..];
        self.position += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
    }

    /// Skips empty lines and compares the indentation of the next one with what was before.
    fn begin_line(&mut self) -> Sure<Option<Token>> {
        let mut width;
        loop {
            width = bytes::spaces(&self.bytes[self.position..]);
            self.position += width;
            match self.peek(0) {
                b'#' => self.skip_comment(),
                b'\n' => {
                    self.position += 1;
                    self.line += 1;
                }
                0 if self.position >= self.bytes.len() => {
                    self.at_line_start = false;
                    return Ok(None);
                }
                // Tabs, form feeds, continuation lines: how wide they are is for the full lexer to say.
                b'\t' | 0x0c | b'\\' => return Err(InDoubt),
                _ => break,
            }
        }
        self.at_line_start = false;
        let current = self.indents.last().copied().unwrap_or(0);
        if width > current {
            if self.indents.len() > DEEPEST_INDENT {
                return Err(InDoubt);
            }
            self.indents.push(width);
            return Ok(Some(self.empty(Kind::Indent)));
        }
        while self.indents.last().is_some_and(|indent| *indent > width) {
            self.indents.pop();
            self.pending_dedents += 1;
        }
        if self.indents.last() != Some(&width) {
            return Err(InDoubt);
        }
        if self.pending_dedents > 0 {
            self.pending_dedents -= 1;
            return Ok(Some(self.empty(Kind::Dedent)));
        }
        Ok(None)
    }

    fn significant(&mut self) -> Sure<Token> {
        let (start, line) = (self.position, self.line);
        let first = self.peek(0);
        let kind = match first {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => self.word()?,
            b'0'..=b'9' => self.number()?,
            b'.' if self.peek(1).is_ascii_digit() => self.number()?,
            b'"' | b'\'' => self.string(Prefix::default())?,
            _ => self.operator()?,
        };
        Ok(Token { line, ..self.since(start, kind) })
    }

    fn word(&mut self) -> Sure<Kind> {
        let rest = &self.bytes[self.position..];
        let (word, after) = rest.split_at(bytes::word(rest));
        self.position += word.len();
        match after.first() {
            Some(b'"' | b'\'') => self.string(Prefix::of(word).ok_or(InDoubt)?),
            // An identifier beyond ASCII goes on.
            Some(128..) => Err(InDoubt),
            _ => match Kind::of_word(word) {
                // Calls that import, and the like, are for the full parser.
                Kind::Name if calls::is_mark(word, after) => Err(InDoubt),
                kind => Ok(kind),
            },
        }
    }

    fn number(&mut self) -> Sure<Kind> {
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

    fn string(&mut self, prefix: Prefix) -> Sure<Kind> {
        let quote = self.peek(0);
        let is_triple = self.peek(1) == quote && self.peek(2) == quote;
        let opening = if is_triple { 3 } else { 1 };
        self.position += opening;
        let start = self.position;
        loop {
            let rest = &self.bytes[self.position..];
            let Some(next) = memchr::memchr3(quote, b'\\', b'\n', rest) else { return Err(InDoubt) };
            self.position += next;
            match self.bytes[self.position] {
                b'\\' => {
                    match self.peek(1) {
                        0 => return Err(InDoubt),
                        b'\n' => self.line += 1,
                        _ if !prefix.is_raw => {
                            check_escape(&self.bytes[self.position + 1..], prefix.is_bytes)?;
                        }
                        _ => {}
                    }
                    self.position += 2;
                }
                b'\n' if !is_triple => return Err(InDoubt),
                b'\n' => {
                    self.line += 1;
                    self.position += 1;
                }
                _ if is_triple && !(self.peek(1) == quote && self.peek(2) == quote) => self.position += 1,
                _ => break,
            }
        }
        let content = &self.text[start..self.position];
        self.position += opening;
        if prefix.is_interpolated {
            interpolated::check(content, quote, prefix.is_raw)?;
            return Ok(Kind::Interpolated);
        }
        if prefix.is_bytes && !content.is_ascii() {
            return Err(InDoubt);
        }
        Ok(if prefix.is_bytes { Kind::Bytes } else { Kind::String })
    }

    fn operator(&mut self) -> Sure<Kind> {
        let (kind, length) = match (self.peek(0), self.peek(1), self.peek(2)) {
            (b'(', ..) => (Kind::LeftParen, 1),
            (b')', ..) => (Kind::RightParen, 1),
            (b'[', ..) => (Kind::LeftBracket, 1),
            (b']', ..) => (Kind::RightBracket, 1),
            (b'{', ..) => (Kind::LeftBrace, 1),
            (b'}', ..) => (Kind::RightBrace, 1),
            (b',', ..) => (Kind::Comma, 1),
            (b';', ..) => (Kind::Semicolon, 1),
            (b':', b'=', _) => (Kind::Walrus, 2),
            (b':', ..) => (Kind::Colon, 1),
            (b'.', b'.', b'.') => (Kind::Ellipsis, 3),
            (b'.', ..) => (Kind::Dot, 1),
            (b'-', b'>', _) => (Kind::Arrow, 2),
            (b'*', b'*', b'=') | (b'/', b'/', b'=') | (b'<', b'<', b'=') | (b'>', b'>', b'=') => {
                (Kind::Augmented, 3)
            }
            (b'*', b'*', _) => (Kind::DoubleStar, 2),
            (b'/', b'/', _) | (b'<', b'<', _) | (b'>', b'>', _) => (Kind::Binary, 2),
            (b'<', b'>', _) => return Err(InDoubt),
            (b'<' | b'>' | b'=' | b'!', b'=', _) => (Kind::Comparison, 2),
            (b'+' | b'-' | b'*' | b'/' | b'%' | b'@' | b'&' | b'|' | b'^', b'=', _) => (Kind::Augmented, 2),
            (b'<' | b'>', ..) => (Kind::Comparison, 1),
            (b'=', ..) => (Kind::Equal, 1),
            (b'*', ..) => (Kind::Star, 1),
            (b'/', ..) => (Kind::Slash, 1),
            (b'@', ..) => (Kind::At, 1),
            (b'+' | b'-', ..) => (Kind::Sign, 1),
            (b'~', ..) => (Kind::Tilde, 1),
            (b'%' | b'&' | b'|' | b'^', ..) => (Kind::Binary, 1),
            _ => return Err(InDoubt),
        };
        match kind {
            Kind::LeftParen | Kind::LeftBracket | Kind::LeftBrace => self.brackets += 1,
            Kind::RightParen | Kind::RightBracket | Kind::RightBrace => {
                self.brackets = self.brackets.checked_sub(1).ok_or(InDoubt)?;
            }
            _ => {}
        }
        self.position += length;
        Ok(kind)
    }
}

/// Longer texts are not read here.
fn narrow(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

/// The letters before a string's quote.
#[derive(Clone, Copy, Default)]
struct Prefix {
    is_raw: bool,
    is_bytes: bool,
    is_interpolated: bool,
}

impl Prefix {
    fn of(word: &[u8]) -> Option<Self> {
        let mut prefix = Self::default();
        match word.to_ascii_lowercase().as_slice() {
            b"u" => {}
            b"r" => prefix.is_raw = true,
            b"b" => prefix.is_bytes = true,
            b"f" => prefix.is_interpolated = true,
            b"rb" | b"br" => (prefix.is_raw, prefix.is_bytes) = (true, true),
            b"rf" | b"fr" => (prefix.is_raw, prefix.is_interpolated) = (true, true),
            _ => return None,
        }
        Some(prefix)
    }
}

/// Whether what follows a backslash is an escape that no parser refuses.
pub(super) fn check_escape(after: &[u8], is_bytes: bool) -> Sure<()> {
    let digits = match after.first() {
        Some(b'x') => 2,
        Some(b'u') if !is_bytes => 4,
        // Code points must be in range.
        Some(b'U') if !is_bytes && after.starts_with(b"U000") => 8,
        // Names must exist.
        Some(b'U' | b'N') if !is_bytes => return Err(InDoubt),
        Some(128..) => return Err(InDoubt),
        _ => 0,
    };
    let are_hexadecimal =
        after.get(1..=digits).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    if digits == 0 || are_hexadecimal { Ok(()) } else { Err(InDoubt) }
}
