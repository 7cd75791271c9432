//! What expressions are made of: names, literals, and what stands in brackets.

use super::{Grammar, InDoubt, Kind, Shape, Sure, both};

impl Grammar<'_> {
    pub(super) fn atom(&mut self) -> Sure<Shape> {
        match self.kind() {
            Kind::Name => {
                // The one name that nothing can be assigned to.
                let is_constant = self.current().is(self.lexer.whole(), "__debug__");
                self.advance();
                Ok(if is_constant { Shape::Value } else { Shape::Name })
            }
            Kind::Number | Kind::Ellipsis | Kind::True | Kind::False | Kind::None => {
                self.advance();
                Ok(Shape::Value)
            }
            Kind::Bytes => {
                while self.accept(Kind::Bytes) {}
                self.no_other_string()
            }
            Kind::String | Kind::Interpolated => {
                while matches!(self.kind(), Kind::String | Kind::Interpolated) {
                    self.advance();
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
        match self.kind() {
            Kind::String | Kind::Bytes | Kind::Interpolated => Err(InDoubt),
            _ => Ok(Shape::Value),
        }
    }

    fn parenthesised(&mut self) -> Sure<Shape> {
        self.expect(Kind::LeftParen)?;
        if self.accept(Kind::RightParen) {
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
        if self.accept(Kind::RightBracket) {
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
            let is_star = self.accept(Kind::Star);
            let element = if is_star { self.operand()? } else { self.named_test()? };
            stars += usize::from(is_star);
            count += 1;
            shape = if count == 1 { element } else { both(shape, element) };
            if matches!(self.kind(), Kind::For | Kind::Async) {
                if count > 1 || is_star {
                    return Err(InDoubt);
                }
                self.comprehension()?;
                self.expect(closing)?;
                return Ok((Shape::Value, 0, 0));
            }
            let comma = self.accept(Kind::Comma);
            commas += usize::from(comma);
            if self.accept(closing) {
                return Ok((shape, stars, commas));
            }
            if !comma {
                return Err(InDoubt);
            }
        }
    }

    fn set_or_dictionary(&mut self) -> Sure<Shape> {
        self.expect(Kind::LeftBrace)?;
        if self.accept(Kind::RightBrace) {
            return Ok(Shape::Value);
        }
        let mut is_dictionary = None;
        let mut count = 0;
        loop {
            count += 1;
            let is_unpacked = self.accept(Kind::DoubleStar);
            let is_star = !is_unpacked && self.accept(Kind::Star);
            if is_unpacked || is_star {
                self.operand()?;
            } else {
                self.test()?;
            }
            let has_value = !is_unpacked && !is_star && self.accept(Kind::Colon);
            if has_value {
                self.test()?;
            }
            if *is_dictionary.get_or_insert(has_value || is_unpacked) != (has_value || is_unpacked) {
                return Err(InDoubt);
            }
            if matches!(self.kind(), Kind::For | Kind::Async) {
                if count > 1 || is_unpacked || is_star {
                    return Err(InDoubt);
                }
                self.comprehension()?;
                self.expect(Kind::RightBrace)?;
                return Ok(Shape::Value);
            }
            let comma = self.accept(Kind::Comma);
            if self.accept(Kind::RightBrace) {
                return Ok(Shape::Value);
            }
            if !comma {
                return Err(InDoubt);
            }
        }
    }

    /// `for … in … if …`, as often as it comes.
    pub(super) fn comprehension(&mut self) -> Sure<()> {
        while matches!(self.kind(), Kind::For | Kind::Async) {
            self.accept(Kind::Async);
            self.expect(Kind::For)?;
            self.loop_targets()?;
            self.expect(Kind::In)?;
            self.disjunction()?;
            while self.accept(Kind::If) {
                self.disjunction()?;
            }
        }
        Ok(())
    }
}
