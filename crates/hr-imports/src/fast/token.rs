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
    /// The keyword that a word is, or a name. By its length first, as most words are names.
    pub(super) fn of_word(word: &[u8]) -> Self {
        match word.len() {
            2 => match word {
                b"as" => Self::As,
                b"if" => Self::If,
                b"in" => Self::In,
                b"is" => Self::Is,
                b"or" => Self::Or,
                _ => Self::Name,
            },
            3 => match word {
                b"and" => Self::And,
                b"def" => Self::Def,
                b"del" => Self::Del,
                b"for" => Self::For,
                b"not" => Self::Not,
                b"try" => Self::Try,
                _ => Self::Name,
            },
            4 => match word {
                b"None" => Self::None,
                b"True" => Self::True,
                b"elif" => Self::Elif,
                b"else" => Self::Else,
                b"from" => Self::From,
                b"pass" => Self::Pass,
                b"with" => Self::With,
                _ => Self::Name,
            },
            5 => match word {
                b"False" => Self::False,
                b"async" => Self::Async,
                b"await" => Self::Await,
                b"break" => Self::Break,
                b"class" => Self::Class,
                b"raise" => Self::Raise,
                b"while" => Self::While,
                b"yield" => Self::Yield,
                _ => Self::Name,
            },
            6 => match word {
                b"assert" => Self::Assert,
                b"except" => Self::Except,
                b"global" => Self::Global,
                b"import" => Self::Import,
                b"lambda" => Self::Lambda,
                b"return" => Self::Return,
                _ => Self::Name,
            },
            7 => match word {
                b"finally" => Self::Finally,
                _ => Self::Name,
            },
            8 => match word {
                b"continue" => Self::Continue,
                b"nonlocal" => Self::Nonlocal,
                _ => Self::Name,
            },
            _ => Self::Name,
        }
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

    pub(super) fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// The text is not plain enough for the fast path: the full parser has to read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InDoubt;

/// What every part of the fast path returns.
pub(super) type Sure<T> = Result<T, InDoubt>;
