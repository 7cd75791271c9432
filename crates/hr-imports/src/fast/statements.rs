//! Recognises plain statements, and notes the imports among them.

use crate::FileImports;
use crate::collect::handles_import_error;
use crate::import::{Context, Form, Import, ImportedName, Location, UnresolvedRelative};
use crate::names::Names;
use crate::target::{ModuleName, Target};

use super::grammar::{Grammar, Shape};
use super::lexer::Lexer;
use super::scope::{Range, Scope};
use super::token::{InDoubt, Kind, Sure, Token};

pub(super) fn scan(text: &str, module: ModuleName<'_>, target: &Target) -> Sure<FileImports> {
    let grammar = Grammar::new(Lexer::new(text))?;
    let mut statements = Statements {
        text,
        module,
        target,
        grammar,
        names: Names::default(),
        scope: Scope::default(),
        found: FileImports::default(),
    };
    while !statements.grammar.at(Kind::End) {
        statements.statement()?;
    }
    let Statements { grammar, mut found, .. } = statements;
    found.fingerprint = grammar.lexer.digest().ok_or(InDoubt)?.finish();
    Ok(found)
}

struct Statements<'a> {
    text: &'a str,
    module: ModuleName<'a>,
    target: &'a Target,
    grammar: Grammar<'a>,
    names: Names,
    scope: Scope,
    found: FileImports,
}

impl Statements<'_> {
    fn statement(&mut self) -> Sure<()> {
        match self.grammar.current.kind {
            Kind::If => self.if_statement(),
            Kind::While => self.while_statement(),
            Kind::For => self.for_statement(),
            Kind::Try => self.try_statement(),
            Kind::With => self.with_statement(),
            Kind::Def => self.function(),
            Kind::Class => self.class(),
            Kind::At => self.decorated(),
            Kind::Async => self.asynchronous(),
            Kind::Indent | Kind::Dedent => Err(InDoubt),
            _ => self.simple_statements(false),
        }
    }

    fn suite(&mut self) -> Sure<()> {
        self.grammar.expect(Kind::Colon)?;
        if !self.grammar.accept(Kind::Newline)? {
            return self.simple_statements(true);
        }
        self.grammar.expect(Kind::Indent)?;
        while !self.grammar.accept(Kind::Dedent)? {
            self.statement()?;
        }
        Ok(())
    }

    /// An expression in the head of a statement, and where it is.
    fn test(&mut self) -> Sure<Range> {
        let start = self.grammar.current.start;
        self.grammar.named_test()?;
        Ok(Range { start, end: self.grammar.current.start })
    }

    fn if_statement(&mut self) -> Sure<()> {
        self.grammar.expect(Kind::If)?;
        let test = self.test()?;
        self.scope.enter_conditional(test);
        self.suite()?;
        while self.grammar.accept(Kind::Elif)? {
            let test = self.test()?;
            self.scope.next_branch(Some(test));
            self.suite()?;
        }
        if self.grammar.accept(Kind::Else)? {
            self.scope.next_branch(None);
            self.suite()?;
        }
        self.scope.leave();
        Ok(())
    }

    fn while_statement(&mut self) -> Sure<()> {
        self.grammar.expect(Kind::While)?;
        let test = self.test()?;
        self.scope.enter_loop(test);
        self.suite()?;
        self.scope.leave();
        self.otherwise()
    }

    fn otherwise(&mut self) -> Sure<()> {
        if self.grammar.accept(Kind::Else)? { self.suite() } else { Ok(()) }
    }

    fn for_statement(&mut self) -> Sure<()> {
        self.grammar.expect(Kind::For)?;
        self.grammar.loop_targets()?;
        self.grammar.expect(Kind::In)?;
        self.grammar.expressions()?;
        self.suite()?;
        self.otherwise()
    }

    fn with_statement(&mut self) -> Sure<()> {
        self.grammar.expect(Kind::With)?;
        loop {
            self.grammar.test()?;
            if self.grammar.accept(Kind::As)? && !self.grammar.operand()?.is_target() {
                return Err(InDoubt);
            }
            if !self.grammar.accept(Kind::Comma)? {
                break;
            }
        }
        let before = self.found.imports.len() + self.found.unresolved.len();
        self.suite()?;
        // `with suppress(ImportError):`, under whatever name
        let has_imports = self.found.imports.len() + self.found.unresolved.len() > before;
        if has_imports && self.text.contains("suppress") { Err(InDoubt) } else { Ok(()) }
    }

    fn try_statement(&mut self) -> Sure<()> {
        self.grammar.expect(Kind::Try)?;
        let (imports, unresolved) = (self.found.imports.len(), self.found.unresolved.len());
        let names = self.names.count();
        self.suite()?;
        let mut handlers: Vec<Option<Range>> = Vec::new();
        while self.grammar.accept(Kind::Except)? {
            // A handler of everything must be the last one.
            if handlers.contains(&None) {
                return Err(InDoubt);
            }
            if self.grammar.at(Kind::Colon) {
                handlers.push(None);
            } else {
                let start = self.grammar.current.start;
                self.grammar.test()?;
                handlers.push(Some(Range { start, end: self.grammar.current.start }));
                if self.grammar.accept(Kind::As)? {
                    self.grammar.expect(Kind::Name)?;
                }
            }
            self.suite()?;
        }
        let guarded = (self.found.imports.len(), self.found.unresolved.len());
        if guarded != (imports, unresolved) {
            // The exceptions were named before the imports bound anything; should that matter, it is in doubt.
            let expressions = handlers.iter().flatten().map(|range| range.text(self.text));
            if expressions.clone().any(|expression| self.names.bound_since(names, expression)) {
                return Err(InDoubt);
            }
            let handles = handlers.contains(&None) || handles_any(expressions, &self.names)?;
            for import in &mut self.found.imports[imports..] {
                import.context.optional |= handles;
            }
            for relative in &mut self.found.unresolved[unresolved..] {
                relative.context.optional |= handles;
            }
        }
        if handlers.is_empty() {
            if !self.grammar.at(Kind::Finally) {
                return Err(InDoubt);
            }
        } else {
            self.otherwise()?;
        }
        if self.grammar.accept(Kind::Finally)? { self.suite() } else { Ok(()) }
    }

    fn function(&mut self) -> Sure<()> {
        self.grammar.expect(Kind::Def)?;
        self.grammar.expect(Kind::Name)?;
        self.grammar.expect(Kind::LeftParen)?;
        self.grammar.parameters(Kind::RightParen, true)?;
        self.grammar.expect(Kind::RightParen)?;
        if self.grammar.accept(Kind::Arrow)? {
            self.grammar.test()?;
        }
        self.scope.enter_function();
        self.suite()?;
        self.scope.leave();
        Ok(())
    }

    fn class(&mut self) -> Sure<()> {
        self.grammar.expect(Kind::Class)?;
        self.grammar.expect(Kind::Name)?;
        if self.grammar.at(Kind::LeftParen) {
            self.grammar.arguments()?;
        }
        self.suite()
    }

    fn decorated(&mut self) -> Sure<()> {
        while self.grammar.accept(Kind::At)? {
            self.grammar.test()?;
            self.grammar.expect(Kind::Newline)?;
        }
        match self.grammar.current.kind {
            Kind::Def => self.function(),
            Kind::Class => self.class(),
            Kind::Async => {
                self.grammar.advance()?;
                self.function()
            }
            _ => Err(InDoubt),
        }
    }

    fn asynchronous(&mut self) -> Sure<()> {
        self.grammar.expect(Kind::Async)?;
        match self.grammar.current.kind {
            Kind::Def => self.function(),
            Kind::For => self.for_statement(),
            Kind::With => self.with_statement(),
            _ => Err(InDoubt),
        }
    }

    /// The statements of one line, which is what follows the colon of another one if `is_inline`.
    fn simple_statements(&mut self, is_inline: bool) -> Sure<()> {
        let mut is_first = !is_inline;
        loop {
            // `match`, `type` and `lazy` begin statements of their own where no operator follows: no expression, then.
            // Not at the start of a line, they need not be what they seem for the full parser.
            let is_soft = |word| matches!(word, "match" | "type" | "lazy");
            if !is_first
                && self.grammar.at(Kind::Name)
                && is_soft(self.grammar.lexer.text(self.grammar.current))
            {
                return Err(InDoubt);
            }
            is_first = false;
            self.simple_statement()?;
            if !self.grammar.accept(Kind::Semicolon)? {
                break;
            }
            if self.grammar.at(Kind::Newline) {
                break;
            }
        }
        self.grammar.expect(Kind::Newline).map(drop)
    }

    fn simple_statement(&mut self) -> Sure<()> {
        match self.grammar.current.kind {
            Kind::Pass | Kind::Break | Kind::Continue => self.grammar.advance().map(drop),
            Kind::Import => self.import(),
            Kind::From => self.import_from(),
            Kind::Return => {
                self.grammar.advance()?;
                if self.grammar.begins_expression() {
                    self.grammar.expressions()?;
                }
                Ok(())
            }
            Kind::Raise => {
                self.grammar.advance()?;
                // The full parser wants an expression before a semicolon, unlike Python.
                if self.grammar.at(Kind::Semicolon) {
                    return Err(InDoubt);
                }
                if self.grammar.begins_expression() {
                    self.grammar.test()?;
                    if self.grammar.accept(Kind::From)? {
                        self.grammar.test()?;
                    }
                }
                Ok(())
            }
            Kind::Assert => {
                self.grammar.advance()?;
                self.grammar.test()?;
                if self.grammar.accept(Kind::Comma)? {
                    self.grammar.test()?;
                }
                Ok(())
            }
            Kind::Global | Kind::Nonlocal => {
                self.grammar.advance()?;
                self.grammar.expect(Kind::Name)?;
                while self.grammar.accept(Kind::Comma)? {
                    self.grammar.expect(Kind::Name)?;
                }
                Ok(())
            }
            Kind::Del => self.deletion(),
            Kind::Yield => self.grammar.yield_expression(),
            _ => self.expression_statement(),
        }
    }

    fn deletion(&mut self) -> Sure<()> {
        self.grammar.advance()?;
        loop {
            if !self.grammar.test()?.is_single_target() {
                return Err(InDoubt);
            }
            if !self.grammar.accept(Kind::Comma)? || !self.grammar.begins_expression() {
                return Ok(());
            }
        }
    }

    /// An expression, an assignment, or an annotation.
    fn expression_statement(&mut self) -> Sure<()> {
        let mut shape = self.grammar.expressions()?;
        match self.grammar.current.kind {
            Kind::Equal => {
                while self.grammar.accept(Kind::Equal)? {
                    if !shape.is_target() {
                        return Err(InDoubt);
                    }
                    shape = self.value()?;
                }
                Ok(())
            }
            Kind::Augmented if shape.is_single_target() => {
                self.grammar.advance()?;
                self.value().map(drop)
            }
            Kind::Colon if shape.is_single_target() => {
                self.grammar.advance()?;
                self.grammar.test()?;
                if self.grammar.accept(Kind::Equal)? {
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

    fn import(&mut self) -> Sure<()> {
        let statement = self.grammar.expect(Kind::Import)?;
        let (location, context) = (self.location(statement), self.context()?);
        loop {
            let module = self.dotted_name()?;
            let alias = self.alias()?;
            if let Some(alias) = &alias {
                self.names.bind(alias, module.clone());
            } else {
                let top = module.split('.').next().unwrap_or(&module);
                self.names.bind(top, top.to_owned());
            }
            self.found.imports.push(Import { module, form: Form::Module { alias }, location, context });
            if !self.grammar.accept(Kind::Comma)? {
                return Ok(());
            }
        }
    }

    fn import_from(&mut self) -> Sure<()> {
        let statement = self.grammar.expect(Kind::From)?;
        let (location, context) = (self.location(statement), self.context()?);
        let mut level = 0;
        loop {
            match self.grammar.current.kind {
                Kind::Dot => level += 1,
                Kind::Ellipsis => level += 3,
                _ => break,
            }
            self.grammar.advance()?;
        }
        let written =
            if level == 0 || self.grammar.at(Kind::Name) { self.dotted_name()? } else { String::new() };
        self.grammar.expect(Kind::Import)?;
        let names = self.imported_names()?;
        let module = if level == 0 {
            written
        } else if let Some(module) = self.module.resolve_relative(level, Some(&written)) {
            module
        } else {
            let written = format!("{}{written}", ".".repeat(level as usize));
            self.found.unresolved.push(UnresolvedRelative { written, names, location, context });
            return Ok(());
        };
        for name in &names {
            if name.name != "*" {
                self.names.bind(name.alias.as_ref().unwrap_or(&name.name), format!("{module}.{}", name.name));
            }
        }
        let form = match names.as_slice() {
            [only] if only.name == "*" => Form::Star,
            _ => Form::Names(names),
        };
        self.found.imports.push(Import { module, form, location, context });
        Ok(())
    }

    fn imported_names(&mut self) -> Sure<Vec<ImportedName>> {
        if self.grammar.accept(Kind::Star)? {
            return Ok(vec![ImportedName { name: "*".to_owned(), alias: None }]);
        }
        let in_parentheses = self.grammar.accept(Kind::LeftParen)?;
        let mut names = Vec::new();
        loop {
            let name = self.grammar.expect(Kind::Name)?;
            let name = self.grammar.lexer.text(name).to_owned();
            let alias = self.alias()?;
            names.push(ImportedName { name, alias });
            let comma = self.grammar.accept(Kind::Comma)?;
            if in_parentheses && self.grammar.accept(Kind::RightParen)? {
                return Ok(names);
            }
            match (comma, in_parentheses) {
                (true, _) => {}
                (false, true) => return Err(InDoubt),
                (false, false) => return Ok(names),
            }
        }
    }

    fn dotted_name(&mut self) -> Sure<String> {
        let first = self.grammar.expect(Kind::Name)?;
        let mut name = self.grammar.lexer.text(first).to_owned();
        while self.grammar.accept(Kind::Dot)? {
            let part = self.grammar.expect(Kind::Name)?;
            name.push('.');
            name.push_str(self.grammar.lexer.text(part));
        }
        Ok(name)
    }

    fn alias(&mut self) -> Sure<Option<String>> {
        if !self.grammar.accept(Kind::As)? {
            return Ok(None);
        }
        let alias = self.grammar.expect(Kind::Name)?;
        Ok(Some(self.grammar.lexer.text(alias).to_owned()))
    }

    fn context(&mut self) -> Sure<Context> {
        self.scope.context(self.text, &self.names, self.target)
    }

    fn location(&self, token: Token) -> Location {
        let before = &self.text[..token.start as usize];
        let line_start = memchr::memrchr(b'\n', before.as_bytes()).map_or(0, |newline| newline + 1);
        let column = before[line_start..].chars().count() + 1;
        Location { line: token.line, column: u32::try_from(column).unwrap_or(u32::MAX) }
    }
}

/// Whether one of the handlers' expressions covers `ImportError`, decided by the full path's own rule.
fn handles_any<'e>(mut expressions: impl Iterator<Item = &'e str>, names: &Names) -> Sure<bool> {
    expressions.try_fold(false, |handles, expression| {
        let parsed = ruff_python_parser::parse_expression(&format!("({expression})")).map_err(|_| InDoubt)?;
        Ok(handles || handles_import_error(parsed.expr(), names))
    })
}
