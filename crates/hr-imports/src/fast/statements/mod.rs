//! Recognises plain statements, and notes the imports among them.

mod compound;
mod imports;
mod simple;

use crate::FileImports;
use crate::names::Names;
use crate::target::{ModuleName, Target};

use super::grammar::{Grammar, Shape};
use super::lexer::Lexer;
use super::marked::{self, Marked};
use super::scope::{Range, Scope};
use super::token::{InDoubt, Kind, Sure, Token};

pub(super) fn scan(text: &str, module: ModuleName<'_>, target: &Target) -> Sure<FileImports> {
    let mut statements = Statements {
        text,
        module,
        target,
        grammar: Grammar::new(Lexer::new(text)),
        names: Names::default(),
        bound: 0,
        scope: Scope::default(),
        marked: Vec::new(),
        found: FileImports::default(),
    };
    while !statements.grammar.at(Kind::End) {
        statements.statement()?;
    }
    if !statements.marked.is_empty() {
        statements.bind_names();
    }
    let Statements { grammar, mut found, marked, names, .. } = statements;
    if !marked.is_empty() {
        marked::understand(&marked, text, module, target, names, &mut found)?;
    }
    found.fingerprint = grammar.lexer.digest().finish();
    Ok(found)
}

struct Statements<'a> {
    text: &'a str,
    module: ModuleName<'a>,
    target: &'a Target,
    grammar: Grammar<'a>,
    /// What the first imports bind; few files ask for it.
    names: Names,
    /// How many imports those are.
    bound: usize,
    scope: Scope,
    marked: Vec<Marked>,
    found: FileImports,
}

impl Statements<'_> {
    fn statement(&mut self) -> Sure<()> {
        match self.grammar.kind() {
            Kind::If => self.if_statement(),
            Kind::While => self.while_statement(),
            Kind::For => self.for_statement(),
            Kind::Try => self.try_statement(),
            Kind::With => self.with_statement(),
            Kind::Def => self.function(),
            Kind::Class => self.class(),
            Kind::At => self.decorated(),
            Kind::Async => self.asynchronous(),
            Kind::Name if self.begins_match() => self.match_statement(),
            _ => self.simple_statements(false),
        }
    }

    fn suite(&mut self) -> Sure<()> {
        if !self.grammar.at(Kind::Colon) || self.grammar.lexer.is_marked {
            return Err(InDoubt);
        }
        self.grammar.advance();
        if !self.grammar.accept(Kind::Newline) {
            return self.simple_statements(true);
        }
        self.grammar.expect(Kind::Indent)?;
        while !self.grammar.accept(Kind::Dedent) {
            self.statement()?;
        }
        Ok(())
    }

    /// Brings the names up to date with the imports found.
    fn bind_names(&mut self) {
        for import in &self.found.imports[self.bound..] {
            self.names.bind_import(import);
        }
        self.bound = self.found.imports.len();
    }
}
