//! Statements of one line.

use super::{InDoubt, Kind, Marked, Range, Shape, Statements, Sure};

impl Statements<'_> {
    /// The statements of one line, which is what follows the colon of another one if `is_inline`.
    pub(super) fn simple_statements(&mut self, is_inline: bool) -> Sure<()> {
        let mut is_first = !is_inline;
        loop {
            // `match`, `type` and `lazy` begin statements of their own where no operator follows: no expression, then.
            // Not at the start of a line, they need not be what they seem for the full parser.
            if !is_first && self.grammar.at(Kind::Name) {
                let word = self.grammar.lexer.text(self.grammar.current());
                if matches!(word, "match" | "type" | "lazy") {
                    return Err(InDoubt);
                }
            }
            is_first = false;
            let start = self.grammar.current().start;
            self.simple_statement()?;
            // The token that follows is no word, so the mark is this statement's.
            if self.grammar.lexer.is_marked {
                self.look_at(start)?;
            }
            if !self.grammar.accept(Kind::Semicolon) || self.grammar.at(Kind::Newline) {
                break;
            }
        }
        if self.grammar.accept(Kind::Newline) { Ok(()) } else { Err(InDoubt) }
    }

    /// Keeps the statement that ends here for a look at its tree.
    fn look_at(&mut self, start: u32) -> Sure<()> {
        if !matches!(self.grammar.kind(), Kind::Semicolon | Kind::Newline) {
            return Err(InDoubt);
        }
        let range = Range { start, end: self.grammar.current().start };
        let context = self.context()?;
        self.marked.push(Marked { range, context });
        self.grammar.lexer.is_marked = false;
        Ok(())
    }

    fn simple_statement(&mut self) -> Sure<()> {
        match self.grammar.kind() {
            Kind::Pass | Kind::Break | Kind::Continue => {
                self.grammar.advance();
                Ok(())
            }
            Kind::Import => self.import(),
            Kind::From => self.import_from(),
            Kind::Return => {
                self.grammar.advance();
                if self.grammar.begins_expression() {
                    self.grammar.expressions()?;
                }
                Ok(())
            }
            Kind::Raise => self.raise(),
            Kind::Assert => {
                self.grammar.advance();
                self.grammar.test()?;
                if self.grammar.accept(Kind::Comma) {
                    self.grammar.test()?;
                }
                Ok(())
            }
            Kind::Global | Kind::Nonlocal => {
                self.grammar.advance();
                self.grammar.expect(Kind::Name)?;
                while self.grammar.accept(Kind::Comma) {
                    self.grammar.expect(Kind::Name)?;
                }
                Ok(())
            }
            Kind::Del => self.deletion(),
            Kind::Yield => self.grammar.yield_expression(),
            _ => self.expression_statement(),
        }
    }

    fn raise(&mut self) -> Sure<()> {
        self.grammar.advance();
        // The full parser wants an expression before a semicolon, unlike Python.
        if self.grammar.at(Kind::Semicolon) {
            return Err(InDoubt);
        }
        if self.grammar.begins_expression() {
            self.grammar.test()?;
            if self.grammar.accept(Kind::From) {
                self.grammar.test()?;
            }
        }
        Ok(())
    }

    fn deletion(&mut self) -> Sure<()> {
        self.grammar.advance();
        loop {
            if !self.grammar.test()?.is_single_target() {
                return Err(InDoubt);
            }
            if !self.grammar.accept(Kind::Comma) || !self.grammar.begins_expression() {
                return Ok(());
            }
        }
    }

    /// An expression, an assignment, or an annotation.
    fn expression_statement(&mut self) -> Sure<()> {
        let mut shape = self.grammar.expressions()?;
        match self.grammar.kind() {
            Kind::Equal => {
                while self.grammar.accept(Kind::Equal) {
                    if !shape.is_target() {
                        return Err(InDoubt);
                    }
                    shape = self.value()?;
                }
                Ok(())
            }
            Kind::Augmented if shape.is_single_target() => {
                self.grammar.advance();
                self.value().map(drop)
            }
            Kind::Colon if shape.is_single_target() => {
                self.grammar.advance();
                self.grammar.test()?;
                if self.grammar.accept(Kind::Equal) {
                    self.value()?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn value(&mut self) -> Sure<Shape> {
        if self.grammar.at(Kind::Yield) {
            self.grammar.yield_expression()?;
            return Ok(Shape::Value);
        }
        self.grammar.expressions()
    }
}
