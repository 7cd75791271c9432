//! Statements that may hold a call, or an assignment, that matters as much as an import does. Their trees are looked at
//! by the same code that the full path uses, when the names of the whole file are known.

use ruff_python_ast::{Mod, PySourceType};
use ruff_python_parser::{ParseOptions, parse_unchecked};
use ruff_text_size::TextSize;

use crate::FileImports;
use crate::collect::{self, Source};
use crate::import::Context;
use crate::names::Names;
use crate::position::Positions;
use crate::target::{ModuleName, Target};

use super::scope::Range;
use super::token::{InDoubt, Sure};

/// A simple statement, and what surrounds it.
#[derive(Debug)]
pub(super) struct Marked {
    pub(super) range: Range,
    pub(super) context: Context,
}

/// Adds what the statements of a text mean, given the names that its imports bind.
pub(super) fn understand(
    statements: &[Marked],
    text: &str,
    module: ModuleName<'_>,
    target: &Target,
    mut names: Names,
    found: &mut FileImports,
) -> Sure<()> {
    let mut positions = Positions::new(text);
    for statement in statements {
        let parsed = parse_unchecked(statement.range.text(text), ParseOptions::from(PySourceType::Python));
        let Mod::Module(tree) = parsed.syntax() else { return Err(InDoubt) };
        if !parsed.errors().is_empty() {
            return Err(InDoubt);
        }
        positions = positions.counted_from(TextSize::new(statement.range.start));
        let source = Source { module, target, positions: &positions };
        names = collect::collect_expressions(&tree.body, source, statement.context, names, found);
    }
    collect::sort(found);
    Ok(())
}
