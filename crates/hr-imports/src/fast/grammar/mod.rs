//! Recognises plain expressions: a subset of what the full parser accepts without complaint.
//!
//! Source: <https://docs.python.org/3/reference/grammar.html>. Where a rule depends on more than the next token, or on
//! the version of Python, the rule is left out and the text is in doubt.

mod arguments;
mod atoms;
mod patterns;

use super::lexer::Lexer;
use super::token::{InDoubt, Kind, Sure, Token};

/// Deeper nesting is left to the full parser, which grows its stack.
const DEEPEST: usize = 80;

/// What an expression may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A name without parentheses.
    Name,
    /// An attribute or a subscript without parentheses.
    Place,
    /// Something else that may be assigned to: a target in parentheses, a tuple or list of targets.
    Targets,
    /// A value and nothing else.
    Value,
}

impl Shape {
    pub(super) fn is_target(self) -> bool {
        self != Self::Value
    }

    pub(super) fn is_single_target(self) -> bool {
        matches!(self, Self::Name | Self::Place)
    }
}

pub(super) struct Grammar<'a> {
    pub(super) lexer: Lexer<'a>,
    depth: usize,
}

impl<'a> Grammar<'a> {
    pub(super) fn new(lexer: Lexer<'a>) -> Self {
        Self { lexer, depth: 0 }
    }

    /// Checks the expressions of a replacement field.
    pub(super) fn check_expressions(text: &str) -> Sure<()> {
        let mut grammar = Grammar::new(Lexer::expression(text));
        grammar.test()?;
        while grammar.accept(Kind::Comma) {
            grammar.test()?;
        }
        // What is within a string is not where the full parser's tree is looked at piece by piece.
        if grammar.at(Kind::End) && !grammar.lexer.is_marked { Ok(()) } else { Err(InDoubt) }
    }

    /// The token that comes next.
    #[inline]
    pub(super) fn current(&self) -> Token {
        self.lexer.current
    }

    #[inline]
    pub(super) fn kind(&self) -> Kind {
        self.lexer.current.kind
    }

    #[inline]
    pub(super) fn at(&self, kind: Kind) -> bool {
        self.kind() == kind
    }

    #[inline]
    pub(super) fn advance(&mut self) {
        self.lexer.advance();
    }

    /// Moves on if the next token is of a kind.
    #[inline]
    pub(super) fn accept(&mut self, kind: Kind) -> bool {
        let found = self.at(kind);
        if found {
            self.advance();
        }
        found
    }

    /// Moves on, for which the next token must be of a kind.
    #[inline]
    pub(super) fn expect(&mut self, kind: Kind) -> Sure<()> {
        if self.accept(kind) { Ok(()) } else { Err(InDoubt) }
    }

    /// Moves on past a name.
    pub(super) fn name(&mut self) -> Sure<&'a str> {
        let name = self.lexer.text(self.current());
        self.expect(Kind::Name)?;
        Ok(name)
    }

    /// Guards against nesting that the stack might not hold.
    pub(super) fn nested<T>(&mut self, rule: impl FnOnce(&mut Self) -> Sure<T>) -> Sure<T> {
        if self.depth >= DEEPEST {
            return Err(InDoubt);
        }
        self.depth += 1;
        let result = rule(self);
        self.depth -= 1;
        result
    }

    /// A list of expressions without brackets, starred ones among them: `a`, `a,`, `a, *b`.
    pub(super) fn expressions(&mut self) -> Sure<Shape> {
        let (mut shape, mut count, mut stars) = (Shape::Value, 0, 0);
        let comma = loop {
            let is_star = self.accept(Kind::Star);
            let element = if is_star { self.operand()? } else { self.test()? };
            stars += usize::from(is_star);
            count += 1;
            shape = if count == 1 { element } else { both(shape, element) };
            let comma = self.accept(Kind::Comma);
            if !comma || !self.begins_expression() {
                break comma;
            }
        };
        if count == 1 && !comma {
            return if stars > 0 { Err(InDoubt) } else { Ok(shape) };
        }
        Ok(if shape.is_target() && stars <= 1 { Shape::Targets } else { Shape::Value })
    }

    /// Whether the next token can begin an expression, a starred one included.
    pub(super) fn begins_expression(&self) -> bool {
        matches!(
            self.kind(),
            Kind::Name
                | Kind::Number
                | Kind::String
                | Kind::Bytes
                | Kind::Interpolated
                | Kind::LeftParen
                | Kind::LeftBracket
                | Kind::LeftBrace
                | Kind::Ellipsis
                | Kind::Sign
                | Kind::Tilde
                | Kind::Star
                | Kind::Not
                | Kind::Lambda
                | Kind::Await
                | Kind::True
                | Kind::False
                | Kind::None
        )
    }

    /// Targets of `for`: no comparison may be among them, as its `in` is the loop's.
    pub(super) fn loop_targets(&mut self) -> Sure<()> {
        let (mut stars, mut commas) = (0, 0);
        loop {
            stars += usize::from(self.accept(Kind::Star));
            if !self.operand()?.is_target() {
                return Err(InDoubt);
            }
            let comma = self.accept(Kind::Comma);
            commas += usize::from(comma);
            if !comma || self.at(Kind::In) {
                break;
            }
        }
        if stars > commas.min(1) { Err(InDoubt) } else { Ok(()) }
    }

    /// An expression, or an assignment expression where one may stand.
    pub(super) fn named_test(&mut self) -> Sure<Shape> {
        let shape = self.test()?;
        if shape == Shape::Name && self.accept(Kind::Walrus) {
            self.test()?;
            return Ok(Shape::Value);
        }
        Ok(shape)
    }

    pub(super) fn test(&mut self) -> Sure<Shape> {
        if self.depth >= DEEPEST {
            return Err(InDoubt);
        }
        if self.at(Kind::Lambda) {
            return self.nested(Self::lambda);
        }
        self.depth += 1;
        let shape = self.disjunction()?;
        self.depth -= 1;
        if self.at(Kind::If) { self.nested(Self::alternatives) } else { Ok(shape) }
    }

    /// What follows the first operand of a conditional expression.
    fn alternatives(&mut self) -> Sure<Shape> {
        self.expect(Kind::If)?;
        self.disjunction()?;
        self.expect(Kind::Else)?;
        self.test()?;
        Ok(Shape::Value)
    }

    fn lambda(&mut self) -> Sure<Shape> {
        self.expect(Kind::Lambda)?;
        self.parameters(Kind::Colon, false)?;
        self.expect(Kind::Colon)?;
        self.test()?;
        Ok(Shape::Value)
    }

    /// Everything up to, but not including, a conditional expression.
    fn disjunction(&mut self) -> Sure<Shape> {
        let mut is_value = false;
        // `not` may stand before a comparison, but within none.
        'comparisons: loop {
            while self.accept(Kind::Not) {
                is_value = true;
            }
            loop {
                let shape = self.unary()?;
                match self.kind() {
                    Kind::Sign
                    | Kind::Star
                    | Kind::DoubleStar
                    | Kind::Slash
                    | Kind::At
                    | Kind::Pipe
                    | Kind::Binary
                    | Kind::Comparison
                    | Kind::In => {}
                    Kind::Not => {
                        self.advance();
                        if !self.at(Kind::In) {
                            return Err(InDoubt);
                        }
                    }
                    Kind::Is => {
                        self.advance();
                        is_value = true;
                        if !self.at(Kind::Not) {
                            continue;
                        }
                    }
                    Kind::And | Kind::Or => {
                        self.advance();
                        is_value = true;
                        continue 'comparisons;
                    }
                    _ => return Ok(if is_value { Shape::Value } else { shape }),
                }
                self.advance();
                is_value = true;
            }
        }
    }

    /// Arithmetic, and everything that binds more tightly.
    pub(super) fn operand(&mut self) -> Sure<Shape> {
        let mut shape = self.unary()?;
        while let Kind::Sign
        | Kind::Star
        | Kind::DoubleStar
        | Kind::Slash
        | Kind::At
        | Kind::Pipe
        | Kind::Binary = self.kind()
        {
            self.advance();
            self.unary()?;
            shape = Shape::Value;
        }
        Ok(shape)
    }

    fn unary(&mut self) -> Sure<Shape> {
        let mut is_value = false;
        while matches!(self.kind(), Kind::Sign | Kind::Tilde) {
            self.advance();
            is_value = true;
        }
        is_value |= self.accept(Kind::Await);
        let shape = self.primary()?;
        Ok(if is_value { Shape::Value } else { shape })
    }

    fn primary(&mut self) -> Sure<Shape> {
        let mut shape = self.atom()?;
        loop {
            shape = match self.kind() {
                Kind::Dot => {
                    self.advance();
                    self.expect(Kind::Name)?;
                    Shape::Place
                }
                Kind::LeftParen => {
                    self.nested(Self::arguments)?;
                    Shape::Value
                }
                Kind::LeftBracket => {
                    self.nested(Self::subscript)?;
                    Shape::Place
                }
                _ => return Ok(shape),
            };
        }
    }

    pub(super) fn yield_expression(&mut self) -> Sure<()> {
        self.expect(Kind::Yield)?;
        if self.accept(Kind::From) {
            self.test()?;
        } else if self.begins_expression() {
            self.expressions()?;
        }
        Ok(())
    }
}

fn both(one: Shape, other: Shape) -> Shape {
    if one.is_target() && other.is_target() { Shape::Targets } else { Shape::Value }
}
