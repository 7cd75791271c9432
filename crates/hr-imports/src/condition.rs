//! Decides the tests of `if` statements as the target interpreter would.

use ruff_python_ast::{BoolOp, CmpOp, Expr, ExprCall, ExprCompare, ExprSubscript, Number, UnaryOp};

use crate::names::Names;
use crate::target::Target;

/// What is known about a test before the program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Its value, where that is known.
    pub(crate) value: Option<bool>,
    /// What the value rests upon.
    pub(crate) basis: Basis,
}

/// What a verdict rests upon. The later one prevails where a test mixes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Basis {
    /// A constant, or nothing known.
    Constant,
    /// Platform or version.
    Platform,
    /// `__name__ == "__main__"`.
    Main,
    /// `TYPE_CHECKING`.
    Typing,
}

impl Verdict {
    const UNKNOWN: Self = Self { value: None, basis: Basis::Constant };

    fn known(value: bool, basis: Basis) -> Self {
        Self { value: Some(value), basis }
    }

    pub(crate) fn negated(self) -> Self {
        Self { value: self.value.map(|value| !value), ..self }
    }
}

/// Evaluates a test.
pub(crate) fn evaluate(test: &Expr, names: &Names, target: &Target) -> Verdict {
    match test {
        Expr::BooleanLiteral(literal) => Verdict::known(literal.value, Basis::Constant),
        Expr::NoneLiteral(_) => Verdict::known(false, Basis::Constant),
        Expr::NumberLiteral(literal) => match &literal.value {
            Number::Int(int) => Verdict::known(int.as_i64() != Some(0), Basis::Constant),
            Number::Float(_) | Number::Complex { .. } => Verdict::UNKNOWN,
        },
        Expr::Name(_) | Expr::Attribute(_) => name(test, names, target),
        Expr::UnaryOp(unary) if unary.op == UnaryOp::Not => evaluate(&unary.operand, names, target).negated(),
        Expr::BoolOp(operation) => {
            let decisive = operation.op == BoolOp::Or;
            combine(operation.values.iter().map(|value| evaluate(value, names, target)), decisive)
        }
        Expr::Compare(comparison) => compare(comparison, names, target),
        Expr::Call(call) => starts_with(call, names, target),
        _ => Verdict::UNKNOWN,
    }
}

/// `and` and `or`: one decisive operand settles the test, otherwise all must be known.
fn combine(operands: impl Iterator<Item = Verdict>, decisive: bool) -> Verdict {
    let mut result = Verdict::known(!decisive, Basis::Constant);
    for verdict in operands {
        match verdict.value {
            Some(value) if value == decisive => return verdict,
            Some(_) => {
                if result.value.is_some() {
                    result.basis = result.basis.max(verdict.basis);
                }
            }
            None => result = Verdict::UNKNOWN,
        }
    }
    result
}

fn name(expr: &Expr, names: &Names, target: &Target) -> Verdict {
    let Some(path) = names.path(expr) else {
        return match expr {
            Expr::Attribute(attribute) if attribute.attr.as_str() == "TYPE_CHECKING" => {
                Verdict::known(false, Basis::Typing)
            }
            _ => Verdict::UNKNOWN,
        };
    };
    match path.rsplit('.').next().unwrap_or(&path) {
        "TYPE_CHECKING" | "MYPY" | "PYRIGHT" => Verdict::known(false, Basis::Typing),
        _ => match path.as_str() {
            "six.PY2" => Verdict::known(target.version.0 == 2, Basis::Platform),
            "six.PY3" => Verdict::known(target.version.0 == 3, Basis::Platform),
            "__debug__" => Verdict::known(true, Basis::Constant),
            _ => Verdict::UNKNOWN,
        },
    }
}

fn compare(comparison: &ExprCompare, names: &Names, target: &Target) -> Verdict {
    let ([op], [right]) = (&*comparison.ops, &*comparison.comparators) else { return Verdict::UNKNOWN };
    let left = &*comparison.left;
    if let Some(known) = known_string(left, names, target) {
        return compare_string(known, *op, right);
    }
    if let Some(known) = known_string(right, names, target) {
        return compare_string(known, *op, left);
    }
    if let Some(version) = version_value(left, names, target) {
        return compare_version(&version, *op, right);
    }
    if let Some(version) = version_value(right, names, target) {
        return compare_version(&version, mirrored(*op), left);
    }
    Verdict::UNKNOWN
}

/// The string an expression has on the target, and what that rests upon.
fn known_string(expr: &Expr, names: &Names, target: &Target) -> Option<(String, Basis)> {
    if let Expr::Call(call) = expr {
        let path = names.path(&call.func)?;
        return match path.as_str() {
            "platform.system" => Some((target.system()?.to_owned(), Basis::Platform)),
            "platform.python_implementation" => Some(("CPython".to_owned(), Basis::Platform)),
            _ => None,
        };
    }
    let value = match names.path(expr)?.as_str() {
        "sys.platform" => target.platform.clone(),
        "os.name" => target.os_name().to_owned(),
        "sys.implementation.name" => "cpython".to_owned(),
        "__name__" => return Some(("__main__".to_owned(), Basis::Main)),
        _ => return None,
    };
    Some((value, Basis::Platform))
}

fn compare_string((known, basis): (String, Basis), op: CmpOp, other: &Expr) -> Verdict {
    let value = match (op, other) {
        (CmpOp::Eq | CmpOp::Is, Expr::StringLiteral(literal)) => literal.value.to_str() == known,
        (CmpOp::NotEq | CmpOp::IsNot, Expr::StringLiteral(literal)) => literal.value.to_str() != known,
        (CmpOp::In | CmpOp::NotIn, collection) => {
            let elements = match collection {
                Expr::Tuple(tuple) => &tuple.elts[..],
                Expr::List(list) => &list.elts[..],
                Expr::Set(set) => &set.elts[..],
                _ => return Verdict::UNKNOWN,
            };
            let mut found = false;
            for element in elements {
                let Expr::StringLiteral(literal) = element else { return Verdict::UNKNOWN };
                found |= literal.value.to_str() == known;
            }
            found == (op == CmpOp::In)
        }
        _ => return Verdict::UNKNOWN,
    };
    if basis == Basis::Main && (op != CmpOp::Eq || !value) {
        return Verdict::UNKNOWN;
    }
    Verdict::known(value, basis)
}

/// A version as far as it is known: an exact tuple, the start of `sys.version_info`, or one number.
enum Version {
    Exact(Vec<i64>),
    Prefix(Vec<i64>),
    Number(i64),
}

fn version_value(expr: &Expr, names: &Names, target: &Target) -> Option<Version> {
    let (major, minor) = (i64::from(target.version.0), i64::from(target.version.1));
    match expr {
        Expr::Subscript(subscript) => version_part(subscript, names, [major, minor]),
        _ => match names.path(expr)?.as_str() {
            "sys.version_info" => Some(Version::Prefix(vec![major, minor])),
            "sys.version_info.major" => Some(Version::Number(major)),
            "sys.version_info.minor" => Some(Version::Number(minor)),
            _ => None,
        },
    }
}

fn version_part(subscript: &ExprSubscript, names: &Names, version: [i64; 2]) -> Option<Version> {
    if names.path(&subscript.value)? != "sys.version_info" {
        return None;
    }
    match &*subscript.slice {
        Expr::Slice(slice) if slice.lower.is_none() && slice.step.is_none() => {
            match slice.upper.as_deref().and_then(integer)? {
                1 => Some(Version::Exact(vec![version[0]])),
                2 => Some(Version::Exact(version.to_vec())),
                _ => None,
            }
        }
        index => match integer(index)? {
            0 => Some(Version::Number(version[0])),
            1 => Some(Version::Number(version[1])),
            _ => None,
        },
    }
}

fn integer(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::NumberLiteral(literal) => match &literal.value {
            Number::Int(int) => int.as_i64(),
            Number::Float(_) | Number::Complex { .. } => None,
        },
        _ => None,
    }
}

fn compare_version(version: &Version, op: CmpOp, other: &Expr) -> Verdict {
    let ordering = match version {
        Version::Number(number) => integer(other).map(|other| number.cmp(&other)),
        Version::Exact(known) => integers(other).map(|other| known.cmp(&other)),
        Version::Prefix(known) => integers(other).and_then(|other| {
            // `sys.version_info` has five elements, of which two are known.
            if other.len() <= known.len() && known.starts_with(&other) {
                Some(std::cmp::Ordering::Greater)
            } else if other.starts_with(known) {
                None
            } else {
                Some(known.cmp(&other))
            }
        }),
    };
    let Some(ordering) = ordering else { return Verdict::UNKNOWN };
    let value = match op {
        CmpOp::Eq => ordering.is_eq(),
        CmpOp::NotEq => ordering.is_ne(),
        CmpOp::Lt => ordering.is_lt(),
        CmpOp::LtE => ordering.is_le(),
        CmpOp::Gt => ordering.is_gt(),
        CmpOp::GtE => ordering.is_ge(),
        CmpOp::Is | CmpOp::IsNot | CmpOp::In | CmpOp::NotIn => return Verdict::UNKNOWN,
    };
    Verdict::known(value, Basis::Platform)
}

fn integers(expr: &Expr) -> Option<Vec<i64>> {
    match expr {
        Expr::Tuple(tuple) => tuple.elts.iter().map(integer).collect(),
        _ => None,
    }
}

fn mirrored(op: CmpOp) -> CmpOp {
    match op {
        CmpOp::Lt => CmpOp::Gt,
        CmpOp::LtE => CmpOp::GtE,
        CmpOp::Gt => CmpOp::Lt,
        CmpOp::GtE => CmpOp::LtE,
        CmpOp::Eq | CmpOp::NotEq | CmpOp::Is | CmpOp::IsNot | CmpOp::In | CmpOp::NotIn => op,
    }
}

/// `sys.platform.startswith("win")`, also with a tuple of prefixes.
fn starts_with(call: &ExprCall, names: &Names, target: &Target) -> Verdict {
    let Expr::Attribute(function) = &*call.func else { return Verdict::UNKNOWN };
    let [argument] = &*call.arguments.args else { return Verdict::UNKNOWN };
    if function.attr.as_str() != "startswith" || !call.arguments.keywords.is_empty() {
        return Verdict::UNKNOWN;
    }
    let Some((known, Basis::Platform)) = known_string(&function.value, names, target) else {
        return Verdict::UNKNOWN;
    };
    let prefixes = match argument {
        Expr::Tuple(tuple) => &tuple.elts[..],
        single => std::slice::from_ref(single),
    };
    let mut value = false;
    for prefix in prefixes {
        let Expr::StringLiteral(literal) = prefix else { return Verdict::UNKNOWN };
        value |= known.starts_with(literal.value.to_str());
    }
    Verdict::known(value, Basis::Platform)
}
