//! What surrounds an import, worked out only when there is one.
//!
//! Tests of `if` statements are kept as pieces of text. Most have no import below them; the others are parsed and
//! evaluated by the same code that the full path uses, when the first import below them is met. Names are bound by
//! imports alone, so nothing has been bound since the test was passed.

use ruff_python_parser::parse_expression;

use crate::collect::enter;
use crate::condition::{self, Basis, Verdict};
use crate::import::Context;
use crate::names::Names;
use crate::target::Target;

use super::token::{InDoubt, Sure};

/// The byte range of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Range {
    pub(super) fn text(self, whole: &str) -> &str {
        &whole[self.start as usize..self.end as usize]
    }
}

/// A test and, once that was needed, what it comes to.
#[derive(Debug, Clone, Copy)]
struct Test {
    range: Range,
    verdict: Option<Verdict>,
}

/// One construct around the current statement.
#[derive(Debug)]
enum Frame {
    Function,
    /// The tests of an `if` statement up to the current branch, and whether the last one must hold in it.
    Conditional {
        tests: Vec<Test>,
        in_else: bool,
    },
    Loop(Test),
    /// What need not be executed.
    Perhaps,
}

/// All constructs around the current statement, outermost first.
#[derive(Debug, Default)]
pub(super) struct Scope {
    frames: Vec<Frame>,
}

impl Scope {
    pub(super) fn enter_function(&mut self) {
        self.frames.push(Frame::Function);
    }

    pub(super) fn enter_perhaps(&mut self) {
        self.frames.push(Frame::Perhaps);
    }

    pub(super) fn enter_loop(&mut self, range: Range) {
        self.frames.push(Frame::Loop(Test { range, verdict: None }));
    }

    pub(super) fn enter_conditional(&mut self, range: Range) {
        let tests = vec![Test { range, verdict: None }];
        self.frames.push(Frame::Conditional { tests, in_else: false });
    }

    /// Goes on to the branch of `elif` or `else`.
    pub(super) fn next_branch(&mut self, range: Option<Range>) {
        if let Some(Frame::Conditional { tests, in_else }) = self.frames.last_mut() {
            match range {
                Some(range) => tests.push(Test { range, verdict: None }),
                None => *in_else = true,
            }
        }
    }

    pub(super) fn leave(&mut self) {
        self.frames.pop();
    }

    /// Whether names are needed to tell the context of a statement here.
    pub(super) fn asks_for_names(&self) -> bool {
        self.frames.iter().any(|frame| match frame {
            Frame::Function | Frame::Perhaps => false,
            Frame::Loop(test) => test.verdict.is_none(),
            Frame::Conditional { tests, .. } => tests.iter().any(|test| test.verdict.is_none()),
        })
    }

    /// The context of a statement here.
    pub(super) fn context(&mut self, text: &str, names: &Names, target: &Target) -> Sure<Context> {
        let mut context = Context::default();
        for frame in &mut self.frames {
            match frame {
                Frame::Function => context.in_function = true,
                Frame::Perhaps => context.uncertain = true,
                Frame::Loop(test) => {
                    let verdict = evaluated(test, text, names, target)?;
                    if verdict.value != Some(true) {
                        enter(&mut context, verdict);
                    }
                }
                Frame::Conditional { tests, in_else } => {
                    let last = tests.len() - 1;
                    for (number, test) in tests.iter_mut().enumerate() {
                        let verdict = evaluated(test, text, names, target)?;
                        let holds = number == last && !*in_else;
                        enter(&mut context, if holds { verdict } else { verdict.negated() });
                    }
                }
            }
        }
        Ok(context)
    }
}

fn evaluated(test: &mut Test, text: &str, names: &Names, target: &Target) -> Sure<Verdict> {
    if let Some(verdict) = test.verdict {
        return Ok(verdict);
    }
    let source = test.range.text(text);
    let verdict = if may_be_decided(source, names) {
        // In parentheses it may go on over several lines, as it did where it stood.
        let parsed = parse_expression(&format!("({source})")).map_err(|_| InDoubt)?;
        condition::evaluate(parsed.expr(), names, target)
    } else {
        Verdict { value: None, basis: Basis::Constant }
    };
    test.verdict = Some(verdict);
    Ok(verdict)
}

/// Whether a test could come to anything but "unknown": it names something that conditions know, or is a constant.
fn may_be_decided(source: &str, names: &Names) -> bool {
    const KNOWN: &[&str] = &[
        "TYPE_CHECKING",
        "MYPY",
        "PYRIGHT",
        "PY2",
        "PY3",
        "__debug__",
        "platform",
        "version_info",
        "implementation",
        "__name__",
        "os.name",
        "python_implementation",
        "system",
        "True",
        "False",
        "None",
    ];
    source.bytes().any(|byte| byte.is_ascii_digit())
        || KNOWN.iter().any(|known| source.contains(known))
        || names.renames_anything_in(source)
}
