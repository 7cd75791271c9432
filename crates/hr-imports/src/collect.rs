//! Walks a syntax tree and notes every import with what surrounds it.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{
    Alias, ElifElseClause, ExceptHandler, Expr, ExprCall, ExprSubscript, Stmt, StmtImport, StmtImportFrom,
    StmtTry, StmtWith,
};
use ruff_text_size::Ranged;

use crate::calls::{self, Meaning};
use crate::condition::{self, Basis, Verdict};
use crate::import::{Branch, Context, Form, Import, ImportedName};
use crate::names::Names;
use crate::position::Positions;
use crate::target::{ModuleName, Target};
use crate::{FileImports, import::Location};

/// What is known of a text beside its tree.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) module: ModuleName<'a>,
    pub(crate) target: &'a Target,
    pub(crate) positions: &'a Positions<'a>,
}

/// Collects from the statements of one file into `found`.
pub(crate) fn collect(body: &[Stmt], source: Source<'_>, with_expressions: bool, found: &mut FileImports) {
    let mut collector = Collector { with_expressions, ..Collector::new(source, found) };
    collector.visit_body(body);
    collector.understand();
    sort(found);
}

/// Collects from the expressions of statements without imports, given what surrounds them and what the file's names
/// stand for. Gives the names back. The result is to be [sorted](sort) at last.
pub(crate) fn collect_expressions(
    body: &[Stmt],
    source: Source<'_>,
    context: Context,
    names: Names,
    found: &mut FileImports,
) -> Names {
    let mut collector = Collector { names, context, ..Collector::new(source, found) };
    collector.visit_body(body);
    collector.understand();
    collector.names
}

/// Puts everything found into source order.
pub(crate) fn sort(found: &mut FileImports) {
    found.imports.sort_by_key(|import| import.location);
    found.environment.sort_by_key(|write| write.location);
    found.patches.sort_by_key(|patch| patch.location);
}

struct Collector<'a, 'f> {
    source: Source<'a>,
    /// Whether expressions are worth a visit; they are not in most files.
    with_expressions: bool,
    names: Names,
    context: Context,
    calls: Vec<(&'a ExprCall, Context)>,
    /// What is assigned to subscripts: absent where that depends on what was there.
    assignments: Vec<(&'a ExprSubscript, Option<&'a Expr>, Location, Context)>,
    found: &'f mut FileImports,
}

impl<'a, 'f> Collector<'a, 'f> {
    fn new(source: Source<'a>, found: &'f mut FileImports) -> Self {
        Self {
            source,
            with_expressions: true,
            names: Names::default(),
            context: Context::default(),
            calls: Vec::new(),
            assignments: Vec::new(),
            found,
        }
    }

    /// Visits something with a context of its own.
    fn within(&mut self, change: impl FnOnce(&mut Context), visit: impl FnOnce(&mut Self)) {
        let outer = self.context;
        change(&mut self.context);
        visit(self);
        self.context = outer;
    }

    /// Visits a body that runs if the test has the given verdict, all tests before it being false.
    fn branch(&mut self, verdict: Verdict, body: &'a [Stmt]) {
        self.within(|context| enter(context, verdict), |this| this.visit_body(body));
    }

    fn conditional(&mut self, test: &'a Expr, body: &'a [Stmt], clauses: &'a [ElifElseClause]) {
        let first = condition::evaluate(test, &self.names, self.source.target);
        self.visit_expr(test);
        self.branch(first, body);
        let outer = self.context;
        enter(&mut self.context, first.negated());
        for clause in clauses {
            if let Some(test) = &clause.test {
                let verdict = condition::evaluate(test, &self.names, self.source.target);
                self.visit_expr(test);
                self.branch(verdict, &clause.body);
                enter(&mut self.context, verdict.negated());
            } else {
                self.visit_body(&clause.body);
            }
        }
        self.context = outer;
    }

    fn try_statement(&mut self, statement: &'a StmtTry) {
        let handles_absence = statement.handlers.iter().any(|handler| {
            let ExceptHandler::ExceptHandler(handler) = handler;
            handler.type_.as_deref().is_none_or(|expr| handles_import_error(expr, &self.names))
        });
        let outer = self.context;
        self.context.uncertain = true;
        self.within(|context| context.optional |= handles_absence, |this| this.visit_body(&statement.body));
        for handler in &statement.handlers {
            let ExceptHandler::ExceptHandler(handler) = handler;
            if let Some(expr) = &handler.type_ {
                self.visit_expr(expr);
            }
            // What a handler of ImportError imports is a substitute that is needed only sometimes.
            self.within(|context| context.optional |= handles_absence, |this| this.visit_body(&handler.body));
        }
        self.visit_body(&statement.orelse);
        self.context = outer;
        self.visit_body(&statement.finalbody);
    }

    /// Visits what need not be executed.
    fn perhaps(&mut self, visit: impl FnOnce(&mut Self)) {
        self.within(|context| context.uncertain = true, visit);
    }

    fn with_statement(&mut self, statement: &'a StmtWith) {
        let mut suppressed = false;
        for item in &statement.items {
            self.visit_expr(&item.context_expr);
            if let Some(target) = &item.optional_vars {
                self.visit_expr(target);
            }
            if let Expr::Call(call) = &item.context_expr
                && self
                    .names
                    .path(&call.func)
                    .is_some_and(|path| path == "contextlib.suppress" || path == "suppress")
            {
                suppressed |= call.arguments.args.iter().any(|expr| handles_import_error(expr, &self.names));
            }
        }
        let enter = |context: &mut Context| {
            context.optional |= suppressed;
            context.uncertain |= suppressed;
        };
        self.within(enter, |this| this.visit_body(&statement.body));
    }

    fn import(&mut self, statement: &StmtImport) {
        let location = self.source.positions.of(statement.start());
        for Alias { name, asname, .. } in &statement.names {
            if name.is_empty() {
                continue; // what recovery from a syntax error leaves behind
            }
            let form = Form::Module { alias: asname.as_ref().map(ToString::to_string) };
            let context = self.statement_context(statement.is_lazy);
            let import = Import { module: name.to_string(), form, location, context };
            self.names.bind_import(&import);
            self.found.imports.push(import);
        }
    }

    fn import_from(&mut self, statement: &StmtImportFrom) {
        let location = self.source.positions.of(statement.start());
        let context = self.statement_context(statement.is_lazy);
        let written = statement.module.as_ref().map_or("", |module| module.as_str());
        let names: Vec<ImportedName> = statement
            .names
            .iter()
            .filter(|alias| !alias.name.is_empty())
            .map(|alias| ImportedName {
                name: alias.name.to_string(),
                alias: alias.asname.as_ref().map(ToString::to_string),
            })
            .collect();
        if statement.level == 0 && written.is_empty() {
            return;
        }
        let written = written.to_owned();
        match Import::from_statement(self.source.module, statement.level, written, names, location, context) {
            Ok(import) => {
                self.names.bind_import(&import);
                self.found.imports.push(import);
            }
            Err(unresolved) => self.found.unresolved.push(unresolved),
        }
    }

    fn statement_context(&self, is_lazy: bool) -> Context {
        Context { lazy_keyword: is_lazy, ..self.context }
    }

    fn note_assignment(&mut self, target: &'a Expr, value: Option<&'a Expr>, statement: &'a Stmt) {
        if let Expr::Subscript(subscript) = target
            && !self.context.in_function
        {
            let location = self.source.positions.of(statement.start());
            self.assignments.push((subscript, value, location, self.context));
        }
    }

    /// Gives the noted calls and assignments their meaning.
    fn understand(&mut self) {
        for (call, context) in std::mem::take(&mut self.calls) {
            let location = self.source.positions.of(call.start());
            match calls::understand_call(call, &self.names, self.source.module, location, context) {
                Some(Meaning::Import(import)) => self.found.imports.push(import),
                Some(Meaning::Environment(writes)) => self.found.environment.extend(writes),
                Some(Meaning::Patch(patch)) => self.found.patches.push(patch),
                None => {}
            }
        }
        for (target, value, location, context) in std::mem::take(&mut self.assignments) {
            self.found.environment.extend(calls::environment_assignment(
                target,
                value,
                &self.names,
                location,
                context,
            ));
        }
    }
}

/// Whether an `except` clause with this expression catches `ImportError`.
pub(crate) fn handles_import_error(expr: &Expr, names: &Names) -> bool {
    match expr {
        Expr::Tuple(tuple) => tuple.elts.iter().any(|element| handles_import_error(element, names)),
        _ => names.path(expr).is_some_and(|path| {
            matches!(
                path.strip_prefix("builtins.").unwrap_or(&path),
                "ImportError" | "ModuleNotFoundError" | "Exception" | "BaseException"
            )
        }),
    }
}

/// Puts the consequences of a verdict into a context.
pub(crate) fn enter(context: &mut Context, verdict: Verdict) {
    match (verdict.value, verdict.basis) {
        (Some(false), Basis::Typing) => context.typing = true,
        (Some(true), Basis::Main) => context.main_only = true,
        (None, _) => context.uncertain = true,
        (Some(true), Basis::Typing | Basis::Constant) | (Some(false), Basis::Main) => {}
        (Some(false), Basis::Platform | Basis::Constant) => context.branch = Branch::NotTaken,
        (Some(true), Basis::Platform) => {
            if context.branch == Branch::Unconditional {
                context.branch = Branch::Taken;
            }
        }
    }
}

impl<'a> Visitor<'a> for Collector<'a, '_> {
    // Exhaustive on purpose: a kind of statement that a new parser brings must be looked at.
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Import(import) => self.import(import),
            Stmt::ImportFrom(import) => self.import_from(import),
            Stmt::FunctionDef(function) => {
                if self.with_expressions {
                    for decorator in &function.decorator_list {
                        self.visit_decorator(decorator);
                    }
                    self.visit_parameters(&function.parameters);
                    if let Some(returns) = &function.returns {
                        self.visit_annotation(returns);
                    }
                }
                self.within(|context| context.in_function = true, |this| this.visit_body(&function.body));
            }
            Stmt::ClassDef(class) => {
                if self.with_expressions {
                    for decorator in &class.decorator_list {
                        self.visit_decorator(decorator);
                    }
                    if let Some(arguments) = &class.arguments {
                        self.visit_arguments(arguments);
                    }
                }
                self.visit_body(&class.body);
            }
            Stmt::If(conditional) => {
                self.conditional(&conditional.test, &conditional.body, &conditional.elif_else_clauses);
            }
            Stmt::While(repeat) => {
                let verdict = condition::evaluate(&repeat.test, &self.names, self.source.target);
                self.visit_expr(&repeat.test);
                // Of tests that are known, only one that is false from the start says anything; `else` runs when it is.
                if verdict.value == Some(true) {
                    self.visit_body(&repeat.body);
                } else {
                    self.branch(verdict, &repeat.body);
                }
                self.perhaps(|this| this.visit_body(&repeat.orelse));
            }
            Stmt::For(repeat) => {
                self.visit_expr(&repeat.iter);
                self.perhaps(|this| {
                    this.visit_body(&repeat.body);
                    this.visit_body(&repeat.orelse);
                });
            }
            Stmt::With(with) => self.with_statement(with),
            Stmt::Try(attempt) => self.try_statement(attempt),
            Stmt::Match(choice) => {
                self.visit_expr(&choice.subject);
                for case in &choice.cases {
                    self.perhaps(|this| {
                        if let Some(guard) = &case.guard {
                            this.visit_expr(guard);
                        }
                        this.visit_body(&case.body);
                    });
                }
            }
            Stmt::Assign(assignment) => {
                for target in &assignment.targets {
                    self.note_assignment(target, Some(&assignment.value), statement);
                }
                self.walk_expressions(statement);
            }
            Stmt::AugAssign(assignment) => {
                self.note_assignment(&assignment.target, None, statement);
                self.walk_expressions(statement);
            }
            Stmt::AnnAssign(assignment) => {
                if let Some(value) = &assignment.value {
                    self.note_assignment(&assignment.target, Some(value), statement);
                }
                self.walk_expressions(statement);
            }
            Stmt::Return(_)
            | Stmt::Delete(_)
            | Stmt::TypeAlias(_)
            | Stmt::Raise(_)
            | Stmt::Assert(_)
            | Stmt::Expr(_) => self.walk_expressions(statement),
            Stmt::Global(_)
            | Stmt::Nonlocal(_)
            | Stmt::Pass(_)
            | Stmt::Break(_)
            | Stmt::Continue(_)
            | Stmt::IpyEscapeCommand(_) => {}
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        if !self.with_expressions {
            return;
        }
        match expr {
            Expr::Call(call) => {
                self.calls.push((call, self.context));
                visitor::walk_expr(self, expr);
            }
            Expr::Lambda(lambda) => {
                if let Some(parameters) = &lambda.parameters {
                    self.visit_parameters(parameters);
                }
                self.within(|context| context.in_function = true, |this| this.visit_expr(&lambda.body));
            }
            Expr::If(_)
            | Expr::BoolOp(_)
            | Expr::ListComp(_)
            | Expr::SetComp(_)
            | Expr::DictComp(_)
            | Expr::Generator(_) => self.perhaps(|this| visitor::walk_expr(this, expr)),
            _ => visitor::walk_expr(self, expr),
        }
    }
}

impl Collector<'_, '_> {
    fn walk_expressions<'a>(&mut self, statement: &'a Stmt)
    where
        Self: Visitor<'a>,
    {
        if self.with_expressions {
            visitor::walk_stmt(self, statement);
        }
    }
}
