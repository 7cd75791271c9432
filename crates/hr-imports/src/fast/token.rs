//! Tokens of the fast path.

/// What a token is. Operators that the grammar treats alike share a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Name,
    Number,
    String,
    Bytes,
    /// An f-string: never a docstring.
    Interpolated,
    Newline,
    Indent,
    Dedent,
    End,
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
    /// The keyword that a word is, or a name.
    pub(super) fn of_word(word: &[u8]) -> Self {
        match word {
            b"False" => Self::False,
            b"None" => Self::None,
            b"True" => Self::True,
            b"and" => Self::And,
            b"as" => Self::As,
            b"assert" => Self::Assert,
            b"async" => Self::Async,
            b"await" => Self::Await,
            b"break" => Self::Break,
            b"class" => Self::Class,
            b"continue" => Self::Continue,
            b"def" => Self::Def,
            b"del" => Self::Del,
            b"elif" => Self::Elif,
            b"else" => Self::Else,
            b"except" => Self::Except,
            b"finally" => Self::Finally,
            b"for" => Self::For,
            b"from" => Self::From,
            b"global" => Self::Global,
            b"if" => Self::If,
            b"import" => Self::Import,
            b"in" => Self::In,
            b"is" => Self::Is,
            b"lambda" => Self::Lambda,
            b"nonlocal" => Self::Nonlocal,
            b"not" => Self::Not,
            b"or" => Self::Or,
            b"pass" => Self::Pass,
            b"raise" => Self::Raise,
            b"return" => Self::Return,
            b"try" => Self::Try,
            b"while" => Self::While,
            b"with" => Self::With,
            b"yield" => Self::Yield,
            _ => Self::Name,
        }
    }
}

/// A token and where it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Byte offsets.
    pub(super) start: usize,
    pub(super) end: usize,
    /// Counted from 1.
    pub(super) line: u32,
}

/// The text is not plain enough for the fast path: the full parser has to read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InDoubt;

/// What every part of the fast path returns.
pub(super) type Sure<T> = Result<T, InDoubt>;
