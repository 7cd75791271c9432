//! Statements that hold others.

use super::{InDoubt, Kind, Range, Statements, Sure};
use crate::collect::handles_import_error;
use crate::names::{Names, binds_anything_in};

impl Statements<'_> {
    /// An expression in the head of a statement, and where it is.
    fn head(&mut self) -> Sure<Range> {
        let start = self.grammar.current().start;
        self.grammar.named_test()?;
        Ok(Range { start, end: self.grammar.current().start })
    }

    pub(super) fn if_statement(&mut self) -> Sure<()> {
        self.grammar.advance();
        let test = self.head()?;
        self.scope.enter_conditional(test);
        self.suite()?;
        while self.grammar.accept(Kind::Elif) {
            let test = self.head()?;
            self.scope.next_branch(Some(test));
            self.suite()?;
        }
        if self.grammar.accept(Kind::Else) {
            self.scope.next_branch(None);
            self.suite()?;
        }
        self.scope.leave();
        Ok(())
    }

    pub(super) fn while_statement(&mut self) -> Sure<()> {
        self.grammar.advance();
        let test = self.head()?;
        self.scope.enter_loop(test);
        self.suite()?;
        self.scope.leave();
        self.otherwise()
    }

    fn otherwise(&mut self) -> Sure<()> {
        if self.grammar.accept(Kind::Else) { self.perhaps() } else { Ok(()) }
    }

    /// A suite that need not be executed.
    fn perhaps(&mut self) -> Sure<()> {
        self.scope.enter_perhaps();
        self.suite()?;
        self.scope.leave();
        Ok(())
    }

    pub(super) fn for_statement(&mut self) -> Sure<()> {
        self.grammar.advance();
        self.grammar.loop_targets()?;
        self.grammar.expect(Kind::In)?;
        self.grammar.expressions()?;
        self.perhaps()?;
        self.otherwise()
    }

    pub(super) fn with_statement(&mut self) -> Sure<()> {
        self.grammar.advance();
        loop {
            self.grammar.test()?;
            if self.grammar.accept(Kind::As) && !self.grammar.operand()?.is_target() {
                return Err(InDoubt);
            }
            if !self.grammar.accept(Kind::Comma) {
                break;
            }
        }
        let before = self.progress();
        self.suite()?;
        // `with suppress(ImportError):`, under whatever name
        if self.progress() != before && self.text.contains("suppress") { Err(InDoubt) } else { Ok(()) }
    }

    /// How much has been found so far: imports, relative ones that lead nowhere, and statements to be looked at.
    fn progress(&self) -> [usize; 3] {
        [self.found.imports.len(), self.found.unresolved.len(), self.marked.len()]
    }

    pub(super) fn try_statement(&mut self) -> Sure<()> {
        self.grammar.advance();
        let before = self.progress();
        self.perhaps()?;
        let mut handlers: Vec<Option<Range>> = Vec::new();
        while self.grammar.accept(Kind::Except) {
            // A handler of everything must be the last one.
            if handlers.contains(&None) {
                return Err(InDoubt);
            }
            if self.grammar.at(Kind::Colon) {
                handlers.push(None);
            } else {
                let start = self.grammar.current().start;
                self.grammar.test()?;
                handlers.push(Some(Range { start, end: self.grammar.current().start }));
                if self.grammar.accept(Kind::As) {
                    self.grammar.expect(Kind::Name)?;
                }
            }
            self.perhaps()?;
        }
        if self.progress() != before {
            self.mark_optional(before, &handlers)?;
        }
        if handlers.is_empty() {
            if !self.grammar.at(Kind::Finally) {
                return Err(InDoubt);
            }
        } else {
            self.otherwise()?;
        }
        if self.grammar.accept(Kind::Finally) { self.suite() } else { Ok(()) }
    }

    /// Everything found in a `try` body, and in its handlers, may fail to be imported if one of them handles that.
    fn mark_optional(
        &mut self,
        [imports, unresolved, marked]: [usize; 3],
        handlers: &[Option<Range>],
    ) -> Sure<()> {
        // The exceptions were named before the imports bound anything; should that matter, it is in doubt.
        let expressions = handlers.iter().flatten().map(|range| range.text(self.text));
        let guarded = &self.found.imports[imports..];
        if expressions
            .clone()
            .any(|expression| guarded.iter().any(|import| binds_anything_in(import, expression)))
        {
            return Err(InDoubt);
        }
        self.bind_names();
        if !handlers.contains(&None) && !handles_any(expressions, &self.names)? {
            return Ok(());
        }
        for import in &mut self.found.imports[imports..] {
            import.context.optional = true;
        }
        for relative in &mut self.found.unresolved[unresolved..] {
            relative.context.optional = true;
        }
        for statement in &mut self.marked[marked..] {
            statement.context.optional = true;
        }
        Ok(())
    }

    pub(super) fn function(&mut self) -> Sure<()> {
        self.grammar.expect(Kind::Def)?;
        self.grammar.expect(Kind::Name)?;
        self.grammar.expect(Kind::LeftParen)?;
        self.grammar.parameters(Kind::RightParen, true)?;
        self.grammar.expect(Kind::RightParen)?;
        if self.grammar.accept(Kind::Arrow) {
            self.grammar.test()?;
        }
        self.scope.enter_function();
        self.suite()?;
        self.scope.leave();
        Ok(())
    }

    pub(super) fn class(&mut self) -> Sure<()> {
        self.grammar.advance();
        self.grammar.expect(Kind::Name)?;
        if self.grammar.at(Kind::LeftParen) {
            self.grammar.arguments()?;
        }
        self.suite()
    }

    pub(super) fn decorated(&mut self) -> Sure<()> {
        while self.grammar.accept(Kind::At) {
            self.grammar.test()?;
            self.grammar.expect(Kind::Newline)?;
        }
        match self.grammar.kind() {
            Kind::Def => self.function(),
            Kind::Class => self.class(),
            Kind::Async => {
                self.grammar.advance();
                self.function()
            }
            _ => Err(InDoubt),
        }
    }

    pub(super) fn asynchronous(&mut self) -> Sure<()> {
        self.grammar.advance();
        match self.grammar.kind() {
            Kind::Def => self.function(),
            Kind::For => self.for_statement(),
            Kind::With => self.with_statement(),
            _ => Err(InDoubt),
        }
    }

    /// Whether a statement begins with `match` and goes on as no expression could.
    pub(super) fn begins_match(&self) -> bool {
        self.grammar.current().is(self.text, "match") && self.grammar.lexer.an_operand_follows()
    }

    pub(super) fn match_statement(&mut self) -> Sure<()> {
        self.grammar.advance();
        self.grammar.test()?;
        if self.grammar.lexer.is_marked {
            return Err(InDoubt);
        }
        self.grammar.expect(Kind::Colon)?;
        self.grammar.expect(Kind::Newline)?;
        self.grammar.expect(Kind::Indent)?;
        while !self.grammar.accept(Kind::Dedent) {
            if self.grammar.name()? != "case" {
                return Err(InDoubt);
            }
            self.grammar.pattern()?;
            if self.grammar.accept(Kind::If) {
                self.grammar.named_test()?;
            }
            self.perhaps()?;
        }
        Ok(())
    }
}

/// Whether one of the handlers' expressions covers `ImportError`, decided by the full path's own rule.
fn handles_any<'e>(mut expressions: impl Iterator<Item = &'e str>, names: &Names) -> Sure<bool> {
    expressions.try_fold(false, |handles, expression| {
        let parsed = ruff_python_parser::parse_expression(&format!("({expression})")).map_err(|_| InDoubt)?;
        Ok(handles || handles_import_error(parsed.expr(), names))
    })
}
