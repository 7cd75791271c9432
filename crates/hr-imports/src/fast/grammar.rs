//! Recognises plain expressions: a subset of what the full parser accepts without complaint.
//!
//! Source: <https://docs.python.org/3/reference/grammar.html>. Where a rule depends on more than the next token, or on
//! the version of Python, the rule is left out and the text is in doubt.

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
    pub(super) current: Token,
    depth: usize,
}

impl<'a> Grammar<'a> {
    pub(super) fn new(mut lexer: Lexer<'a>) -> Sure<Self> {
        let current = lexer.next()?;
        Ok(Self { lexer, current, depth: 0 })
    }

    /// Checks the expression of a replacement field.
    pub(super) fn check_expression(text: &str) -> Sure<()> {
        let mut grammar = Grammar::new(Lexer::expression(text))?;
        grammar.test()?;
        if grammar.at(Kind::End) { Ok(()) } else { Err(InDoubt) }
    }

    pub(super) fn at(&self, kind: Kind) -> bool {
        self.current.kind == kind
    }

    pub(super) fn advance(&mut self) -> Sure<Token> {
        let next = self.lexer.next()?;
        Ok(std::mem::replace(&mut self.current, next))
    }

    /// Moves on if the next token is of a kind.
    pub(super) fn accept(&mut self, kind: Kind) -> Sure<bool> {
        let found = self.at(kind);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    pub(super) fn expect(&mut self, kind: Kind) -> Sure<Token> {
        if self.at(kind) { self.advance() } else { Err(InDoubt) }
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
            let is_star = self.accept(Kind::Star)?;
            let element = if is_star { self.operand()? } else { self.test()? };
            stars += usize::from(is_star);
            count += 1;
            shape = if count == 1 { element } else { both(shape, element) };
            let comma = self.accept(Kind::Comma)?;
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
            self.current.kind,
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
            stars += usize::from(self.accept(Kind::Star)?);
            if !self.operand()?.is_target() {
                return Err(InDoubt);
            }
            let comma = self.accept(Kind::Comma)?;
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
        if shape == Shape::Name && self.accept(Kind::Walrus)? {
            self.test()?;
            return Ok(Shape::Value);
        }
        Ok(shape)
    }

    pub(super) fn test(&mut self) -> Sure<Shape> {
        self.nested(|this| {
            if this.at(Kind::Lambda) {
                return this.lambda();
            }
            let shape = this.disjunction()?;
            if !this.accept(Kind::If)? {
                return Ok(shape);
            }
            this.disjunction()?;
            this.expect(Kind::Else)?;
            this.test()?;
            Ok(Shape::Value)
        })
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
        let mut shape = self.negation()?;
        while matches!(self.current.kind, Kind::And | Kind::Or) {
            self.advance()?;
            self.negation()?;
            shape = Shape::Value;
        }
        Ok(shape)
    }

    fn negation(&mut self) -> Sure<Shape> {
        let mut shape = None;
        while self.accept(Kind::Not)? {
            shape = Some(Shape::Value);
        }
        let operand = self.comparison()?;
        Ok(shape.unwrap_or(operand))
    }

    fn comparison(&mut self) -> Sure<Shape> {
        let mut shape = self.operand()?;
        loop {
            match self.current.kind {
                Kind::Comparison | Kind::In => {
                    self.advance()?;
                }
                Kind::Not => {
                    self.advance()?;
                    self.expect(Kind::In)?;
                }
                Kind::Is => {
                    self.advance()?;
                    self.accept(Kind::Not)?;
                }
                _ => return Ok(shape),
            }
            self.operand()?;
            shape = Shape::Value;
        }
    }

    /// Arithmetic, and everything that binds more tightly.
    pub(super) fn operand(&mut self) -> Sure<Shape> {
        let mut shape = self.unary()?;
        while matches!(
            self.current.kind,
            Kind::Sign | Kind::Star | Kind::DoubleStar | Kind::Slash | Kind::At | Kind::Binary
        ) {
            self.advance()?;
            self.unary()?;
            shape = Shape::Value;
        }
        Ok(shape)
    }

    fn unary(&mut self) -> Sure<Shape> {
        let mut is_value = false;
        while matches!(self.current.kind, Kind::Sign | Kind::Tilde) {
            self.advance()?;
            is_value = true;
        }
        is_value |= self.accept(Kind::Await)?;
        let shape = self.primary()?;
        Ok(if is_value { Shape::Value } else { shape })
    }

    fn primary(&mut self) -> Sure<Shape> {
        let mut shape = self.atom()?;
        loop {
            shape = match self.current.kind {
                Kind::Dot => {
                    self.advance()?;
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

    fn atom(&mut self) -> Sure<Shape> {
        match self.current.kind {
            Kind::Name => {
                let name = self.advance()?;
                // The one name that nothing can be assigned to.
                Ok(if self.lexer.text(name) == "__debug__" { Shape::Value } else { Shape::Name })
            }
            Kind::Number | Kind::Ellipsis | Kind::True | Kind::False | Kind::None => {
                self.advance()?;
                Ok(Shape::Value)
            }
            Kind::Bytes => {
                while self.accept(Kind::Bytes)? {}
                self.no_other_string()
            }
            Kind::String | Kind::Interpolated => {
                while matches!(self.current.kind, Kind::String | Kind::Interpolated) {
                    self.advance()?;
                }
                self.no_other_string()
            }
            Kind::LeftParen => self.nested(Self::parenthesised),
            Kind::LeftBracket => self.nested(Self::list),
            Kind::LeftBrace => self.nested(Self::set_or_dictionary),
            _ => Err(InDoubt),
        }
    }

    /// Bytes and text cannot be concatenated.
    fn no_other_string(&self) -> Sure<Shape> {
        match self.current.kind {
            Kind::String | Kind::Bytes | Kind::Interpolated => Err(InDoubt),
            _ => Ok(Shape::Value),
        }
    }

    fn parenthesised(&mut self) -> Sure<Shape> {
        self.expect(Kind::LeftParen)?;
        if self.accept(Kind::RightParen)? {
            return Ok(Shape::Value);
        }
        if self.at(Kind::Yield) {
            self.yield_expression()?;
            self.expect(Kind::RightParen)?;
            return Ok(Shape::Value);
        }
        let (shape, stars, commas) = self.elements(Kind::RightParen)?;
        match (stars, commas) {
            (0, 0) => Ok(if shape.is_target() { Shape::Targets } else { Shape::Value }),
            (_, 0) => Err(InDoubt),
            _ => Ok(if shape.is_target() && stars <= 1 { Shape::Targets } else { Shape::Value }),
        }
    }

    fn list(&mut self) -> Sure<Shape> {
        self.expect(Kind::LeftBracket)?;
        if self.accept(Kind::RightBracket)? {
            return Ok(Shape::Value);
        }
        let (shape, stars, _) = self.elements(Kind::RightBracket)?;
        Ok(if shape.is_target() && stars <= 1 { Shape::Targets } else { Shape::Value })
    }

    /// The elements of a tuple, list or set up to the closing bracket, or a comprehension. Gives the shape that all
    /// have, how many are starred, and how many commas there were.
    fn elements(&mut self, closing: Kind) -> Sure<(Shape, usize, usize)> {
        let (mut shape, mut stars, mut commas, mut count) = (Shape::Value, 0, 0, 0);
        loop {
            let is_star = self.accept(Kind::Star)?;
            let element = if is_star { self.operand()? } else { self.named_test()? };
            stars += usize::from(is_star);
            count += 1;
            shape = if count == 1 { element } else { both(shape, element) };
            if matches!(self.current.kind, Kind::For | Kind::Async) {
                if count > 1 || is_star {
                    return Err(InDoubt);
                }
                self.comprehension()?;
                self.expect(closing)?;
                return Ok((Shape::Value, 0, 0));
            }
            let comma = self.accept(Kind::Comma)?;
            commas += usize::from(comma);
            if self.accept(closing)? {
                return Ok((shape, stars, commas));
            }
            if !comma {
                return Err(InDoubt);
            }
        }
    }

    fn set_or_dictionary(&mut self) -> Sure<Shape> {
        self.expect(Kind::LeftBrace)?;
        if self.accept(Kind::RightBrace)? {
            return Ok(Shape::Value);
        }
        let mut is_dictionary = None;
        let mut count = 0;
        loop {
            count += 1;
            let is_unpacked = self.accept(Kind::DoubleStar)?;
            let is_star = !is_unpacked && self.accept(Kind::Star)?;
            if is_unpacked || is_star {
                self.operand()?;
            } else {
                self.test()?;
            }
            let has_value = !is_unpacked && !is_star && self.accept(Kind::Colon)?;
            if has_value {
                self.test()?;
            }
            if *is_dictionary.get_or_insert(has_value || is_unpacked) != (has_value || is_unpacked) {
                return Err(InDoubt);
            }
            if matches!(self.current.kind, Kind::For | Kind::Async) {
                if count > 1 || is_unpacked || is_star {
                    return Err(InDoubt);
                }
                self.comprehension()?;
                self.expect(Kind::RightBrace)?;
                return Ok(Shape::Value);
            }
            let comma = self.accept(Kind::Comma)?;
            if self.accept(Kind::RightBrace)? {
                return Ok(Shape::Value);
            }
            if !comma {
                return Err(InDoubt);
            }
        }
    }

    /// `for … in … if …`, as often as it comes.
    fn comprehension(&mut self) -> Sure<()> {
        while matches!(self.current.kind, Kind::For | Kind::Async) {
            self.accept(Kind::Async)?;
            self.expect(Kind::For)?;
            self.loop_targets()?;
            self.expect(Kind::In)?;
            self.disjunction()?;
            while self.accept(Kind::If)? {
                self.disjunction()?;
            }
        }
        Ok(())
    }

    /// The arguments of a call or of a class.
    pub(super) fn arguments(&mut self) -> Sure<()> {
        self.expect(Kind::LeftParen)?;
        let (mut keywords, mut count) = (false, 0);
        while !self.accept(Kind::RightParen)? {
            count += 1;
            if self.accept(Kind::DoubleStar)? {
                self.test()?;
                keywords = true;
                // What may follow has rules of its own.
                self.comma_or(Kind::RightParen)?;
                if self.at(Kind::Star) {
                    return Err(InDoubt);
                }
            } else if self.accept(Kind::Star)? {
                self.test()?;
                self.comma_or(Kind::RightParen)?;
            } else {
                let shape = self.named_test()?;
                if shape == Shape::Name && self.accept(Kind::Equal)? {
                    self.test()?;
                    keywords = true;
                } else if keywords {
                    return Err(InDoubt);
                }
                if matches!(self.current.kind, Kind::For | Kind::Async) {
                    if count > 1 || keywords {
                        return Err(InDoubt);
                    }
                    self.comprehension()?;
                    self.expect(Kind::RightParen)?;
                    return Ok(());
                }
                self.comma_or(Kind::RightParen)?;
            }
        }
        Ok(())
    }

    fn comma_or(&mut self, closing: Kind) -> Sure<()> {
        if self.accept(Kind::Comma)? || self.at(closing) { Ok(()) } else { Err(InDoubt) }
    }

    fn subscript(&mut self) -> Sure<()> {
        self.expect(Kind::LeftBracket)?;
        loop {
            let mut is_empty = true;
            for part in 0..3 {
                if !matches!(self.current.kind, Kind::Colon | Kind::Comma | Kind::RightBracket) {
                    self.test()?;
                    is_empty = false;
                }
                if part == 2 || !self.accept(Kind::Colon)? {
                    break;
                }
                is_empty = false;
            }
            if is_empty {
                return Err(InDoubt);
            }
            let comma = self.accept(Kind::Comma)?;
            if self.accept(Kind::RightBracket)? {
                return Ok(());
            }
            if !comma {
                return Err(InDoubt);
            }
        }
    }

    pub(super) fn yield_expression(&mut self) -> Sure<()> {
        self.expect(Kind::Yield)?;
        if self.accept(Kind::From)? {
            self.test()?;
        } else if self.begins_expression() {
            self.expressions()?;
        }
        Ok(())
    }

    /// The parameters of a function or a lambda, up to but not including the closing token.
    pub(super) fn parameters(&mut self, closing: Kind, annotated: bool) -> Sure<()> {
        let (mut default, mut star, mut slash, mut count, mut needs_name) = (false, false, false, 0, false);
        while !self.at(closing) {
            if self.accept(Kind::DoubleStar)? {
                self.parameter(annotated)?;
                if needs_name {
                    return Err(InDoubt);
                }
                self.accept(Kind::Comma)?;
                return if self.at(closing) { Ok(()) } else { Err(InDoubt) };
            }
            if self.accept(Kind::Slash)? {
                if slash || star || count == 0 {
                    return Err(InDoubt);
                }
                slash = true;
            } else if self.accept(Kind::Star)? {
                if star {
                    return Err(InDoubt);
                }
                star = true;
                if self.at(Kind::Name) {
                    self.parameter(annotated)?;
                } else {
                    needs_name = true;
                }
            } else {
                self.parameter(annotated)?;
                needs_name = false;
                count += 1;
                if self.accept(Kind::Equal)? {
                    self.test()?;
                    default = true;
                } else if default && !star {
                    return Err(InDoubt);
                }
            }
            self.comma_or(closing)?;
        }
        if needs_name { Err(InDoubt) } else { Ok(()) }
    }

    fn parameter(&mut self, annotated: bool) -> Sure<()> {
        self.expect(Kind::Name)?;
        if annotated && self.accept(Kind::Colon)? {
            self.test()?;
        }
        Ok(())
    }
}

fn both(one: Shape, other: Shape) -> Shape {
    if one.is_target() && other.is_target() { Shape::Targets } else { Shape::Value }
}
