//! Import statements: what they name, where they are, and what surrounds them.

use super::{InDoubt, Kind, Statements, Sure, Token};
use crate::calls;
use crate::import::{Context, Form, Import, ImportedName, Location};

impl Statements<'_> {
    pub(super) fn import(&mut self) -> Sure<()> {
        let statement = self.grammar.current();
        self.grammar.advance();
        let (location, context) = (self.location(statement), self.context()?);
        loop {
            let module = self.dotted_name()?;
            let alias = self.alias()?;
            if calls::leads_to_patches(&module) || (alias.is_some() && calls::may_hide_in(&module)) {
                return Err(InDoubt);
            }
            self.found.imports.push(Import { module, form: Form::Module { alias }, location, context });
            if !self.grammar.accept(Kind::Comma) {
                break;
            }
        }
        self.is_understood()
    }

    pub(super) fn import_from(&mut self) -> Sure<()> {
        let statement = self.grammar.current();
        self.grammar.advance();
        let (location, context) = (self.location(statement), self.context()?);
        let mut level = 0;
        loop {
            match self.grammar.kind() {
                Kind::Dot => level += 1,
                Kind::Ellipsis => level += 3,
                _ => break,
            }
            self.grammar.advance();
        }
        let written =
            if level == 0 || self.grammar.at(Kind::Name) { self.dotted_name()? } else { String::new() };
        self.grammar.expect(Kind::Import)?;
        let names = self.imported_names()?;
        match Import::from_statement(self.module, level, written, names, location, context) {
            Ok(import) => {
                let is_hidden = |name: &ImportedName| name.alias.is_some() && calls::may_hide_in(&name.name);
                if calls::may_hide_in(&import.module) || import.names().iter().any(is_hidden) {
                    return Err(InDoubt);
                }
                self.found.imports.push(import);
            }
            Err(unresolved) => self.found.unresolved.push(unresolved),
        }
        self.is_understood()
    }

    /// Whatever mark an import statement bears, there is no call in it.
    fn is_understood(&mut self) -> Sure<()> {
        if self.grammar.lexer.is_marked {
            // Another statement may already have begun with a mark.
            if !matches!(self.grammar.kind(), Kind::Semicolon | Kind::Newline) {
                return Err(InDoubt);
            }
            self.grammar.lexer.is_marked = false;
        }
        Ok(())
    }

    fn imported_names(&mut self) -> Sure<Vec<ImportedName>> {
        if self.grammar.accept(Kind::Star) {
            return Ok(vec![ImportedName { name: "*".to_owned(), alias: None }]);
        }
        let in_parentheses = self.grammar.accept(Kind::LeftParen);
        let mut names = Vec::new();
        loop {
            let name = self.grammar.name()?.to_owned();
            let alias = self.alias()?;
            names.push(ImportedName { name, alias });
            let comma = self.grammar.accept(Kind::Comma);
            if in_parentheses && self.grammar.accept(Kind::RightParen) {
                break;
            }
            match (comma, in_parentheses) {
                (true, _) => {}
                (false, true) => return Err(InDoubt),
                (false, false) => break,
            }
        }
        Ok(names)
    }

    fn dotted_name(&mut self) -> Sure<String> {
        let mut name = self.grammar.name()?.to_owned();
        while self.grammar.accept(Kind::Dot) {
            name.push('.');
            name.push_str(self.grammar.name()?);
        }
        Ok(name)
    }

    fn alias(&mut self) -> Sure<Option<String>> {
        if !self.grammar.accept(Kind::As) {
            return Ok(None);
        }
        Ok(Some(self.grammar.name()?.to_owned()))
    }

    /// What surrounds a statement here.
    pub(super) fn context(&mut self) -> Sure<Context> {
        if self.scope.asks_for_names() {
            self.bind_names();
        }
        self.scope.context(self.text, &self.names, self.target)
    }

    fn location(&self, token: Token) -> Location {
        let before = &self.text[..token.start as usize];
        let line_start = memchr::memrchr(b'\n', before.as_bytes()).map_or(0, |newline| newline + 1);
        let column = before[line_start..].chars().count() + 1;
        Location { line: token.line, column: u32::try_from(column).unwrap_or(u32::MAX) }
    }
}
