//! Cuts plain text into the tokens that the full lexer would cut it into. Where it is not sure, it says so with a token
//! that no rule of the grammar accepts ([`Kind::Doubt`]).

mod literals;

pub(super) use literals::check_escape;

use crate::calls;
use crate::fingerprint::Digest;

use super::bytes;
use super::keywords;
use super::token::{InDoubt, Kind, Sure, Token};

/// More than this is not plain.
const DEEPEST_INDENT: usize = 100;

pub(super) struct Lexer<'a> {
    text: &'a str,
    bytes: &'a [u8],
    position: usize,
    line: u32,
    /// Open brackets, in which newlines mean nothing.
    brackets: u32,
    /// Whether indentation is to be read, or dedents are still to be told, before anything else.
    at_line_start: bool,
    place: Place,
    /// Whether a word was met that may be part of a call, or of an assignment, that matters as much as an import. The
    /// last token read counts, too.
    pub(super) is_marked: bool,
    indents: Vec<usize>,
    pending_dedents: usize,
    digest: Digest,
    /// A string that began a logical line: a docstring if the line ends right after it.
    held: Option<Token>,
    /// The last token read.
    pub(super) current: Token,
}

/// Where in a logical line the last token stood.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Nothing but the shape of lines has been met since the last one ended.
    Fresh,
    /// A string that began the line waits for what comes next.
    Held,
    Within,
    /// All of the text is one expression, which is part of a token already.
    Expression,
}

impl<'a> Lexer<'a> {
    /// For a whole file. The first token is read.
    pub(super) fn new(text: &'a str) -> Self {
        let mut lexer = Self::unread(text);
        lexer.advance();
        lexer
    }

    /// For one expression within a line.
    pub(super) fn expression(text: &'a str) -> Self {
        let before = Self::unread(text);
        let mut lexer = Self { brackets: 1, at_line_start: false, place: Place::Expression, ..before };
        lexer.advance();
        lexer
    }

    fn unread(text: &'a str) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            position: 0,
            line: 1,
            brackets: 0,
            at_line_start: true,
            place: Place::Fresh,
            is_marked: false,
            indents: vec![0],
            pending_dedents: 0,
            digest: Digest::default(),
            held: None,
            current: Token { kind: Kind::Doubt, start: 0, end: 0, line: 1 },
        }
    }

    pub(super) fn digest(self) -> Digest {
        self.digest
    }

    /// The text that is read.
    pub(super) fn whole(&self) -> &'a str {
        self.text
    }

    pub(super) fn text(&self, token: Token) -> &'a str {
        token.text(self.text)
    }

    /// The next bytes, and zero beyond the end: there are no zeros in plain text.
    #[inline]
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.position + ahead).copied().unwrap_or(0)
    }

    /// Reads the next token.
    #[inline(never)]
    pub(super) fn advance(&mut self) {
        let kind = self.cut();
        self.current.kind = kind;
        self.current.end = narrow(self.position);
        if self.place == Place::Within && kind.has_text() {
            let range = self.current.start as usize..self.position;
            self.digest.token(self.current.line, self.bytes, range);
        } else {
            self.note(self.current);
        }
    }

    /// Whether what follows the last token, on its line, plainly begins an operand.
    pub(super) fn an_operand_follows(&self) -> bool {
        let rest = &self.bytes[self.position..];
        let (length, packed) = bytes::word(&rest[bytes::spaces(rest)..]);
        length > 0
            && matches!(keywords::kind_of(packed), Kind::Name | Kind::None | Kind::True | Kind::False)
            && bytes::spaces(rest) > 0
    }

    /// Feeds the fingerprint with exactly what `fingerprint::of_tokens` feeds it with.
    #[inline(never)]
    fn note(&mut self, token: Token) {
        if self.place == Place::Expression {
            return;
        }
        if let Some(held) = self.held.take() {
            if matches!(token.kind, Kind::Newline | Kind::End) {
                self.digest.docstring(held.line, held.text(self.text));
            } else {
                self.digest.token(held.line, self.bytes, held.range());
            }
            self.place = Place::Within;
        }
        match token.kind {
            Kind::Newline => {
                self.digest.newline();
                self.place = Place::Fresh;
            }
            Kind::Indent => self.digest.indent(),
            Kind::Dedent => self.digest.dedent(),
            Kind::End | Kind::Doubt => {}
            Kind::String | Kind::Bytes if self.place == Place::Fresh => {
                self.held = Some(token);
                self.place = Place::Held;
            }
            _ => {
                self.digest.token(token.line, self.bytes, token.range());
                self.place = Place::Within;
            }
        }
    }

    /// Finds where the next token begins, and what it is. It ends where the lexer stands then.
    #[inline]
    fn cut(&mut self) -> Kind {
        let kind = if self.at_line_start { self.begin_line() } else { None };
        self.current.start = narrow(self.position);
        self.current.line = self.line;
        if let Some(kind) = kind {
            return kind;
        }
        loop {
            let kind = match self.peek(0) {
                b' ' | b'\t' => {
                    self.position += 1;
                    self.current.start = narrow(self.position);
                    continue;
                }
                b'a'..=b'z' | b'A'..=b'Z' | b'_' => self.word(),
                b'0'..=b'9' => self.number(),
                b'.' if self.peek(1).is_ascii_digit() => self.number(),
                b'"' | b'\'' => self.plain_string(),
                b'(' => self.opening(Kind::LeftParen),
                b')' => self.closing(Kind::RightParen),
                b'[' => self.opening(Kind::LeftBracket),
                b']' => self.closing(Kind::RightBracket),
                b'{' => self.opening(Kind::LeftBrace),
                b'}' => self.closing(Kind::RightBrace),
                b'.' if self.peek(1) == b'.' && self.peek(2) == b'.' => self.operator(Kind::Ellipsis, 3),
                b'.' => self.operator(Kind::Dot, 1),
                b',' => self.operator(Kind::Comma, 1),
                b':' if self.peek(1) == b'=' => self.operator(Kind::Walrus, 2),
                b':' => self.operator(Kind::Colon, 1),
                b'=' if self.peek(1) == b'=' => self.operator(Kind::Comparison, 2),
                b'=' => self.operator(Kind::Equal, 1),
                b'#' => {
                    self.skip_comment();
                    self.current.start = narrow(self.position);
                    continue;
                }
                b'\n' => {
                    self.position += 1;
                    self.line += 1;
                    if self.brackets > 0 {
                        self.position += bytes::spaces(&self.bytes[self.position..]);
                        self.current.start = narrow(self.position);
                        self.current.line = self.line;
                        continue;
                    }
                    self.at_line_start = true;
                    Kind::Newline
                }
                b'\\' if self.peek(1) == b'\n' && self.position + 2 < self.bytes.len() => {
                    self.position += 2;
                    self.line += 1;
                    self.current.start = narrow(self.position);
                    self.current.line = self.line;
                    continue;
                }
                0 if self.position >= self.bytes.len() => self.finish(),
                _ => self.other_operator(),
            };
            return kind;
        }
    }

    fn finish(&mut self) -> Kind {
        if self.place == Place::Expression {
            return if self.brackets > 1 { Kind::Doubt } else { Kind::End };
        }
        if self.brackets > 0 {
            return Kind::Doubt;
        }
        if self.place != Place::Fresh {
            self.at_line_start = true;
            return Kind::Newline;
        }
        if self.indents.len() > 1 {
            self.indents.pop();
            return Kind::Dedent;
        }
        Kind::End
    }

    fn skip_comment(&mut self) {
        let rest = &self.bytes[self.position..];
        self.position += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
    }

    /// Skips empty lines and compares the indentation of the next one with what was before.
    fn begin_line(&mut self) -> Option<Kind> {
        if self.pending_dedents > 0 {
            self.pending_dedents -= 1;
            self.at_line_start = self.pending_dedents > 0;
            return Some(Kind::Dedent);
        }
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
                    return None;
                }
                // Tabs, form feeds, continuation lines: how wide they are is for the full lexer to say.
                b'\t' | 0x0c | b'\\' => return Some(Kind::Doubt),
                _ => break,
            }
        }
        self.at_line_start = false;
        let current = self.indents.last().copied().unwrap_or(0);
        if width == current {
            return None;
        }
        if width > current {
            if self.indents.len() > DEEPEST_INDENT {
                return Some(Kind::Doubt);
            }
            self.indents.push(width);
            return Some(Kind::Indent);
        }
        while self.indents.last().is_some_and(|indent| *indent > width) {
            self.indents.pop();
            self.pending_dedents += 1;
        }
        if self.indents.last() != Some(&width) {
            return Some(Kind::Doubt);
        }
        self.pending_dedents -= 1;
        self.at_line_start = self.pending_dedents > 0;
        Some(Kind::Dedent)
    }

    #[inline]
    fn word(&mut self) -> Kind {
        let start = self.position;
        let (length, packed) = bytes::word(&self.bytes[start..]);
        self.position += length;
        match self.peek(0) {
            b'"' | b'\'' => {
                let bytes = self.bytes;
                self.prefixed_string(&bytes[start..start + length])
            }
            // An identifier beyond ASCII goes on.
            128.. => Kind::Doubt,
            _ => {
                let kind = keywords::kind_of(packed);
                if kind == Kind::Name && calls::may_be_mark(length) {
                    self.mark(start);
                }
                kind
            }
        }
    }

    fn mark(&mut self, start: usize) {
        let (word, after) = (&self.bytes[start..self.position], &self.bytes[self.position..]);
        self.is_marked |= calls::is_mark(word, after);
    }

    #[inline]
    fn opening(&mut self, kind: Kind) -> Kind {
        self.brackets += 1;
        self.operator(kind, 1)
    }

    #[inline]
    fn closing(&mut self, kind: Kind) -> Kind {
        let Some(brackets) = self.brackets.checked_sub(1) else { return Kind::Doubt };
        self.brackets = brackets;
        self.operator(kind, 1)
    }

    #[inline]
    fn operator(&mut self, kind: Kind, length: usize) -> Kind {
        self.position += length;
        kind
    }

    fn other_operator(&mut self) -> Kind {
        let (kind, length) = match (self.peek(0), self.peek(1), self.peek(2)) {
            (b';', ..) => (Kind::Semicolon, 1),
            (b'-', b'>', _) => (Kind::Arrow, 2),
            (b'*', b'*', b'=') | (b'/', b'/', b'=') | (b'<', b'<', b'=') | (b'>', b'>', b'=') => {
                (Kind::Augmented, 3)
            }
            (b'*', b'*', _) => (Kind::DoubleStar, 2),
            (b'/', b'/', _) | (b'<', b'<', _) | (b'>', b'>', _) => (Kind::Binary, 2),
            (b'<', b'>', _) => return Kind::Doubt,
            (b'<' | b'>' | b'!', b'=', _) => (Kind::Comparison, 2),
            (b'+' | b'-' | b'*' | b'/' | b'%' | b'@' | b'&' | b'|' | b'^', b'=', _) => (Kind::Augmented, 2),
            (b'<' | b'>', ..) => (Kind::Comparison, 1),
            (b'*', ..) => (Kind::Star, 1),
            (b'/', ..) => (Kind::Slash, 1),
            (b'@', ..) => (Kind::At, 1),
            (b'+' | b'-', ..) => (Kind::Sign, 1),
            (b'~', ..) => (Kind::Tilde, 1),
            (b'|', ..) => (Kind::Pipe, 1),
            (b'%' | b'&' | b'^', ..) => (Kind::Binary, 1),
            _ => return Kind::Doubt,
        };
        self.operator(kind, length)
    }
}

/// Longer texts are not read here.
#[inline]
fn narrow(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}
