//! The full parser: Ruff's, which recovers from errors.

use ruff_python_ast::token::TokenKind;
use ruff_python_ast::{Mod, PySourceType, PythonVersion};
use ruff_python_parser::{ParseOptions, Parsed, parse_unchecked};
use ruff_text_size::Ranged;

use crate::collect::Source;
use crate::import::{Location, Problem};
use crate::position::Positions;
use crate::target::{ModuleName, Target};
use crate::{FileImports, calls, collect, fingerprint};

/// Bytes of stack that one level of an expression may need when the tree is walked or dropped.
const STACK_PER_LEVEL: usize = 1024;
/// What every thread is expected to have left.
const RED_ZONE: usize = 256 * 1024;
/// The longest text that is parsed: offsets are 32 bits wide.
const LONGEST: usize = u32::MAX as usize - 1;

pub(crate) fn scan(text: &str, module: ModuleName<'_>, target: &Target) -> FileImports {
    if text.len() > LONGEST {
        let location = Location { line: 1, column: 1 };
        let problem = Problem { location, message: "file is larger than 4 GiB".to_owned() };
        return FileImports { problems: vec![problem], ..FileImports::default() };
    }
    let version = PythonVersion { major: target.version.0, minor: target.version.1 };
    let options = ParseOptions::from(PySourceType::Python).with_target_version(version);
    let parsed = parse_unchecked(text, options);
    let need = deepest_nesting(&parsed) * STACK_PER_LEVEL;
    stacker::maybe_grow(need + RED_ZONE, need + 2 * RED_ZONE, move || walk(text, &parsed, module, target))
}

fn walk(text: &str, parsed: &Parsed<Mod>, module: ModuleName<'_>, target: &Target) -> FileImports {
    let positions = Positions::new(text);
    let mut found = FileImports::default();
    if let Mod::Module(tree) = parsed.syntax() {
        // Identifiers are compared after normalisation, so text beyond ASCII may spell them in other letters.
        let with_expressions = !text.is_ascii() || calls::may_occur_in(text);
        let source = Source { module, target, positions: &positions };
        collect::collect(&tree.body, source, with_expressions, &mut found);
    }
    for error in parsed.errors() {
        let location = positions.of(error.location.start());
        found.problems.push(Problem { location, message: format!("syntax error: {}", error.error) });
    }
    for error in parsed.unsupported_syntax_errors() {
        let location = positions.of(error.range().start());
        found.problems.push(Problem { location, message: format!("syntax error: {error}") });
    }
    // As Python does, report the first error only: what follows is mostly its consequence.
    found.problems.sort_by_key(|problem| problem.location);
    found.problems.truncate(1);
    found.fingerprint = fingerprint::of_tokens(text, parsed.tokens(), &positions);
    found
}

/// An upper bound of the depth of the tree: no expression is deeper than its statement has tokens.
fn deepest_nesting(parsed: &Parsed<Mod>) -> usize {
    let (mut longest, mut current, mut indents, mut deepest_indent) = (0_usize, 0_usize, 0_usize, 0_usize);
    for token in parsed.tokens() {
        match token.kind() {
            TokenKind::Newline => {
                longest = longest.max(current);
                current = 0;
            }
            TokenKind::Indent => {
                indents += 1;
                deepest_indent = deepest_indent.max(indents);
            }
            TokenKind::Dedent => indents = indents.saturating_sub(1),
            _ => current += 1,
        }
    }
    longest.max(current) + deepest_indent
}
