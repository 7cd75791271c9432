//! Calls and assignments that matter as much as import statements do: `importlib.import_module("x")`,
//! `os.environ["K"] = "v"`, `gevent.monkey.patch_all()`.
//!
//! They are noted while the tree is walked and understood afterwards, when all imports of the file are known:
//! a function body may well use a name that is imported below it.

use ruff_python_ast::{Expr, ExprCall, ExprSubscript};

use crate::import::{Context, EnvironmentWrite, Form, Import, ImportedName, Location, WorldPatch};
use crate::names::Names;
use crate::target::{ModuleName, resolve_in_package};

/// Functions that replace parts of the standard library.
const WORLD_PATCHES: &[&str] = &[
    "gevent.monkey.patch_all",
    "gevent.monkey.patch_socket",
    "gevent.monkey.patch_thread",
    "gevent.monkey.patch_ssl",
    "gevent.monkey.patch_select",
    "gevent.monkey.patch_time",
    "gevent.monkey.patch_os",
    "gevent.monkey.patch_subprocess",
    "gevent.monkey.patch_dns",
    "gevent.monkey.patch_queue",
    "eventlet.monkey_patch",
    "eventlet.patcher.monkey_patch",
];

/// The words one of which a text contains if this module can find anything in it: letters beyond ASCII aside, which
/// Python normalises, nothing can be named without its name.
const MARKS: &[&str] = &["import_module", "__import__", "putenv", "gevent", "eventlet"];

/// The lengths of the marks and of `environ`, a bit for each.
const MARK_LENGTHS: u64 = {
    let mut lengths = 1 << "environ".len();
    let mut number = 0;
    while number < MARKS.len() {
        lengths |= 1 << MARKS[number].len();
        number += 1;
    }
    lengths
};

/// Whether this module might find anything in a text whose identifiers are all ASCII.
pub(crate) fn may_occur_in(text: &str) -> bool {
    MARKS.iter().any(|mark| memchr::memmem::find(text.as_bytes(), mark.as_bytes()).is_some())
        || memchr::memmem::find_iter(text.as_bytes(), "environ")
            .any(|at| may_write(&text.as_bytes()[at + "environ".len()..]))
}

/// Whether a word of this length might be a mark.
#[inline]
pub(crate) fn may_be_mark(length: usize) -> bool {
    length < 64 && MARK_LENGTHS >> length & 1 == 1
}

/// Whether this module might find anything because of an identifier in plain code, given what follows it.
pub(crate) fn is_mark(word: &[u8], after: &[u8]) -> bool {
    match word.first() {
        Some(b'e') if word == b"environ" => may_write(after),
        Some(b'i' | b'_' | b'p' | b'g' | b'e') => MARKS.iter().any(|mark| word == mark.as_bytes()),
        _ => false,
    }
}

/// Whether giving another name to this path, or to something in it, hides what this module looks for behind a name that
/// is none of the marks.
pub(crate) fn may_hide_in(path: &str) -> bool {
    path.split('.').any(|word| word == "environ" || MARKS.contains(&word))
}

/// Whether a path leads into a package that patches the standard library with functions of any name.
pub(crate) fn leads_to_patches(path: &str) -> bool {
    path.split('.').any(|word| word == "gevent" || word == "eventlet")
}

/// Whether what follows the word `environ` could be a write to it, or give it another name.
fn may_write(after: &[u8]) -> bool {
    let start =
        after.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\\' | b')' | b'\r' | 0x0c));
    let Some(rest) = start.map(|start| &after[start..]) else { return false };
    match rest[0] {
        b'#' => true,
        b'.' => [&b"setdefault"[..], b"update", b"__setitem__"].iter().any(|method| {
            let name = rest[1..].trim_ascii_start();
            name.starts_with(method) || name.starts_with(b"\\") || name.starts_with(b"#")
        }),
        b'[' => !is_read(&rest[1..]),
        b'a' => rest.starts_with(b"as"),
        _ => false,
    }
}

/// Whether a subscript is plainly a read: of a name, or of a plain literal that no `=` or `+=` follows.
fn is_read(subscript: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'\'' | b'"');
    let end = subscript.iter().position(|byte| !is_plain(byte)).unwrap_or(subscript.len());
    let Some((b']', after)) = subscript[end..].split_first() else { return false };
    let names_variable = !subscript[..end].contains(&b'"') && !subscript[..end].contains(&b'\'');
    let start = after.iter().position(|byte| !matches!(byte, b' ' | b'\n'));
    names_variable
        || match start.map(|start| &after[start..]) {
            Some([b'=', next, ..]) => *next == b'=',
            Some([b'+', next, ..]) => *next != b'=',
            Some([b'=' | b'+' | b':' | b'\\' | b')' | b'\t' | b'#', ..]) => false,
            _ => true,
        }
}

/// What a call turned out to be.
pub(crate) enum Meaning {
    Import(Import),
    Environment(Vec<EnvironmentWrite>),
    Patch(WorldPatch),
}

/// Understands a call.
pub(crate) fn understand_call(
    call: &ExprCall,
    names: &Names,
    module: ModuleName<'_>,
    location: Location,
    context: Context,
) -> Option<Meaning> {
    let path = names.path(&call.func)?;
    let import = |(module, names): (String, Vec<ImportedName>)| {
        let form = Form::Call(names);
        is_dotted_name(&module).then_some(Meaning::Import(Import { module, form, location, context }))
    };
    match path.as_str() {
        "importlib.import_module" => import(import_module(call, module)?),
        "__import__" | "builtins.__import__" | "importlib.__import__" => import(dunder_import(call, module)?),
        "os.environ.setdefault" | "os.putenv" | "os.environ.update" | "os.environ.__setitem__"
            if !context.in_function =>
        {
            let writes = environment_call(call, &path, location, context);
            (!writes.is_empty()).then_some(Meaning::Environment(writes))
        }
        _ if WORLD_PATCHES.contains(&path.as_str()) => {
            Some(Meaning::Patch(WorldPatch { function: path, location, context }))
        }
        _ => None,
    }
}

/// `os.environ[key] = value`, where the key is a constant.
pub(crate) fn environment_assignment(
    target: &ExprSubscript,
    value: Option<&Expr>,
    names: &Names,
    location: Location,
    context: Context,
) -> Option<EnvironmentWrite> {
    if names.path(&target.value)? != "os.environ" {
        return None;
    }
    let (key, value) = (constant(&target.slice)?, value.and_then(constant));
    Some(EnvironmentWrite { key, value, only_if_unset: false, location, context })
}

fn environment_call(
    call: &ExprCall,
    path: &str,
    location: Location,
    context: Context,
) -> Vec<EnvironmentWrite> {
    let only_if_unset = path.ends_with("setdefault");
    let write =
        |key, value| EnvironmentWrite { key, value: constant(value), only_if_unset, location, context };
    let arguments = &call.arguments;
    if !path.ends_with("update") {
        return match &*arguments.args {
            [key, value] => constant(key).map(|key| write(key, value)).into_iter().collect(),
            _ => Vec::new(),
        };
    }
    let mut writes = Vec::new();
    if let Some(Expr::Dict(dict)) = arguments.args.first() {
        for item in &dict.items {
            writes.extend(item.key.as_ref().and_then(constant).map(|key| write(key, &item.value)));
        }
    }
    for keyword in &arguments.keywords {
        writes.extend(keyword.arg.as_ref().map(|name| write(name.to_string(), &keyword.value)));
    }
    writes
}

/// `importlib.import_module("x")`, or `(".x", package)` where the package can be told.
fn import_module(call: &ExprCall, module: ModuleName<'_>) -> Option<(String, Vec<ImportedName>)> {
    let name = constant(call.arguments.find_argument_value("name", 0)?)?;
    let relative = name.trim_start_matches('.');
    let level = u32::try_from(name.len() - relative.len()).ok()?;
    let module = if level == 0 {
        name
    } else {
        let package = package_of(call.arguments.find_argument_value("package", 1)?, module)?;
        resolve_in_package(&package, level, Some(relative))?
    };
    Some((module, Vec::new()))
}

/// The package an expression names: a literal, or one of the usual ways to say "mine".
fn package_of(expr: &Expr, module: ModuleName<'_>) -> Option<String> {
    match expr {
        Expr::StringLiteral(literal) => Some(literal.value.to_str().to_owned()),
        Expr::Name(name) => match name.id.as_str() {
            "__package__" => Some(module.parent().to_owned()),
            "__name__" => Some(module.name.to_owned()),
            _ => None,
        },
        Expr::Attribute(attribute) => match &*attribute.value {
            Expr::Name(name) if name.id.as_str() == "__spec__" && attribute.attr.as_str() == "parent" => {
                Some(module.parent().to_owned())
            }
            _ => None,
        },
        // `__name__.rpartition(".")[0]`, `__name__.rsplit(".", 1)[0]`
        Expr::Subscript(subscript) => {
            let Expr::Call(call) = &*subscript.value else { return None };
            let Expr::Attribute(method) = &*call.func else { return None };
            let Expr::Name(name) = &*method.value else { return None };
            let is_parent = name.id.as_str() == "__name__"
                && matches!(method.attr.as_str(), "rpartition" | "rsplit")
                && matches!(call.arguments.args.first(), Some(Expr::StringLiteral(dot)) if dot.value.to_str() == ".")
                && matches!(&*subscript.slice, Expr::NumberLiteral(index) if index.value.as_int().and_then(ruff_python_ast::Int::as_i64) == Some(0));
            is_parent.then(|| crate::target::parent(module.name).to_owned())
        }
        _ => None,
    }
}

/// `__import__(name, globals, locals, fromlist, level)`.
fn dunder_import(call: &ExprCall, module: ModuleName<'_>) -> Option<(String, Vec<ImportedName>)> {
    let name = constant(call.arguments.find_argument_value("name", 0)?)?;
    let level = match call.arguments.find_argument_value("level", 4) {
        None => 0,
        Some(Expr::NumberLiteral(number)) => u32::from(number.value.as_int()?.as_u8()?),
        Some(_) => return None,
    };
    let module = if level == 0 { name } else { module.resolve_relative(level, Some(&name))? };
    let names = match call.arguments.find_argument_value("fromlist", 3) {
        Some(Expr::List(list)) => literal_names(&list.elts),
        Some(Expr::Tuple(tuple)) => literal_names(&tuple.elts),
        _ => Vec::new(),
    };
    Some((module, names))
}

fn literal_names(elements: &[Expr]) -> Vec<ImportedName> {
    elements
        .iter()
        .filter_map(constant)
        .filter(|name| is_dotted_name(name))
        .map(|name| ImportedName { name, alias: None })
        .collect()
}

fn constant(expr: &Expr) -> Option<String> {
    match expr {
        Expr::StringLiteral(literal) => Some(literal.value.to_str().to_owned()),
        _ => None,
    }
}

/// Whether a string could name a module: not empty, no empty part, no blank.
fn is_dotted_name(name: &str) -> bool {
    name.split('.').all(|part| {
        !part.is_empty()
            && part.chars().all(|letter| letter == '_' || letter == '-' || letter.is_alphanumeric())
    })
}
