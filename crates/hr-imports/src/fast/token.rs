//! Tokens of the fast path.

/// What a token is. Operators that the grammar treats alike share a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    // What has no text of its own comes first.
    /// What only the full lexer can tell. No rule accepts it, so whatever meets it is in doubt.
    Doubt,
    Newline,
    Indent,
    Dedent,
    End,
    Name,
    Number,
    String,
    Bytes,
    /// An f-string: never a docstring.
    Interpolated,
    LeftParen,
    RightParen,
    LeftBracket,
    RightBracket,
    LeftBrace,
    RightBrace,
    Colon,
    Comma,
    Semicolon,
    Dot,
    Ellipsis,
    At,
    Equal,
    Arrow,
    Walrus,
    Star,
    DoubleStar,
    Slash,
    /// `+` and `-`, which may also stand before an operand.
    Sign,
    Tilde,
    /// `|`, which also stands between patterns.
    Pipe,
    /// The binary operators that are not listed above.
    Binary,
    /// `<`, `==`, ...
    Comparison,
    /// `+=`, `//=`, ...
    Augmented,
    // Keywords.
    False,
    None,
    True,
    And,
    As,
    Assert,
    Async,
    Await,
    Break,
    Class,
    Continue,
    Def,
    Del,
    Elif,
    Else,
    Except,
    Finally,
    For,
    From,
    Global,
    If,
    Import,
    In,
    Is,
    Lambda,
    Nonlocal,
    Not,
    Or,
    Pass,
    Raise,
    Return,
    Try,
    While,
    With,
    Yield,
}

impl Kind {
    /// Whether it stands for text in the source, rather than for the shape of its lines.
    pub(super) fn has_text(self) -> bool {
        self > Self::End
    }
}

/// A token and where it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Byte offsets: narrow ones, so that a token fits into two registers.
    pub(super) start: u32,
    pub(super) end: u32,
    /// Counted from 1.
    pub(super) line: u32,
}

impl Token {
    pub(super) fn text(self, whole: &str) -> &str {
        &whole[self.range()]
    }

    /// Whether this is its text. Most words differ in length already.
    #[inline]
    pub(super) fn is(self, whole: &str, text: &str) -> bool {
        (self.end - self.start) as usize == text.len() && self.text(whole) == text
    }

    pub(super) fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// The text is not plain enough for the fast path: the full parser has to read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InDoubt;

/// What every part of the fast path returns.
pub(super) type Sure<T> = Result<T, InDoubt>;
