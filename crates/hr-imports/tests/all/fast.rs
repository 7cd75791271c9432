//! The fast path says what the full parser says, or nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

use hr_imports::{ModuleName, Target, decode, scan_text_fast, scan_text_in_full};
use proptest::prelude::*;

const MODULE: &str = "a.b.c.module";

/// Fails if both paths disagree about a text; tells whether the fast one was sure.
fn agree(text: &str, version: (u8, u8)) -> Result<bool, String> {
    let target = Target { version, ..Target::default() };
    let module = ModuleName::module(MODULE);
    let Some(fast) = scan_text_fast(text, module, &target) else { return Ok(false) };
    let full = scan_text_in_full(text, module, &target);
    if fast == full { Ok(true) } else { Err(format!("fast: {fast:#?}\nfull: {full:#?}")) }
}

/// The Python files of the standard library, and of what `HR_TEST_TREES` lists.
fn files() -> Vec<PathBuf> {
    let python = std::env::var_os("HR_TEST_PYTHON").unwrap_or_else(|| "python3".into());
    let question = "import os; print(os.path.dirname(os.__file__))";
    let answer = Command::new(python).args(["-c", question]).output().expect("Python starts").stdout;
    let library = PathBuf::from(String::from_utf8(answer).expect("a path").trim());
    let mut files = Vec::new();
    collect(&library, &mut files);
    for tree in std::env::var_os("HR_TEST_TREES").iter().flat_map(std::env::split_paths) {
        collect(&tree, &mut files);
    }
    files
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && entry.file_name() != "site-packages" {
            collect(&path, files);
        } else if path.extension().is_some_and(|suffix| suffix == "py") {
            files.push(path);
        }
    }
    files.sort();
}

#[test]
fn both_paths_agree_on_the_standard_library() {
    let (mut sure, mut total, mut differences) = (0, 0, Vec::new());
    for file in files() {
        let bytes = std::fs::read(&file).expect("a readable file");
        let (text, _) = decode(&bytes);
        total += 1;
        match agree(&text, (3, 12)) {
            Ok(was_sure) => sure += usize::from(was_sure),
            Err(difference) => differences.push(format!("{}: {difference}", file.display())),
        }
    }
    assert!(differences.is_empty(), "{} of {total} differ: {}", differences.len(), differences[0]);
    // A fast path that is never sure would agree, too.
    assert!(sure * 2 > total, "sure of {sure} of {total} files");
    println!("sure of {sure} of {total} files");
}

/// Pieces of Python, right and wrong, from which texts are put together.
const PIECES: &[&str] = &[
    "import ",
    "from ",
    "as ",
    "a",
    "b.c",
    ".",
    "..",
    "...",
    ", ",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ":",
    "=",
    "==",
    ":=",
    "\n",
    "\n    ",
    "\n        ",
    "\n  ",
    " ",
    "\\\n",
    "# c",
    "if ",
    "elif ",
    "else",
    "while ",
    "for ",
    "in ",
    "try",
    "except ",
    "ImportError",
    "finally",
    "with ",
    "def f",
    "class C",
    "async ",
    "await ",
    "lambda ",
    "return ",
    "yield ",
    "raise ",
    "del ",
    "global ",
    "assert ",
    "pass",
    "not ",
    "and ",
    "or ",
    "is ",
    "*",
    "**",
    "/",
    "->",
    "@",
    "+=",
    "-",
    "1",
    "0x1f",
    "1.5e3",
    "1_0",
    "'s'",
    "\"d\"",
    "\"\"\"t\"\"\"",
    "'''t\n'''",
    "f'{a}'",
    "f\"{a!r:>{b}}\"",
    "f'{a=}'",
    "rb'x'",
    "b'\\x41'",
    "'\\x4'",
    "'\\N{DASH}'",
    "True",
    "None",
    "match ",
    "type ",
    "lazy ",
    "case ",
    "print ",
    ";",
    "TYPE_CHECKING",
    "sys.platform",
    "'linux'",
    "sys.version_info",
    "(3, 8)",
    "<",
    "import x\n",
    "from . import y\n",
    "if TYPE_CHECKING:\n    import z\n",
    "try:\n    import q\nexcept ImportError:\n    q = None\n",
    "é",
    "\t",
    "\u{c}",
    "x = 1\n",
    "def g(a, *, b=1, **k):\n    import w\n",
    "suppress",
    "__debug__",
    "import os\n",
    "os.environ",
    "environ",
    "['K']",
    "[\"K\"] = 'v'",
    ".setdefault('K', 'v')",
    ".update(K='v')",
    "os",
    "match x:\n    case 1:\n        import m\n",
    "match x:\n    case ",
    "case _:",
    "C(a, b=1)",
    "{'k': v}",
    "[a, *b]",
    "import importlib\n",
    "from importlib import import_module\n",
    "from importlib import import_module as load\n",
    "importlib.import_module('m')",
    "import_module('.m', __package__)",
    "load('m')",
    "__import__('m')",
    "__import__('m', fromlist=['n'])",
    "os.putenv('K', 'v')",
    "from os import putenv, environ\n",
    "putenv('K', 'v')",
    "environ['K'] = 'v'\n",
    "import gevent.monkey\n",
    "from gevent import monkey\n",
    "monkey.patch_all()",
    "gevent.monkey.patch_all()\n",
    "if TYPE_CHECKING:\n    __import__('t')\n",
    "try:\n    __import__('q'); import r\nexcept ImportError:\n    __import__('s')\n",
    "def h():\n    return __import__('u')\n",
    "x = lambda: __import__('w')\n",
    "f'{a == b}'",
    "f'{a, b}'",
    "f'{a <= b != c}'",
    "f\"\"\"{\n a}\"\"\"",
    "f\"\"\"{d[\"k\"]}\"\"\"",
    "f'{f\"{a}\"}'",
    "f\"{__import__('v')}\"",
    "'\\U0010FFFF'",
    "'\\U00110000'",
    "!",
    "$",
    "~",
    "%",
    "^",
    "|",
];

fn texts() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(PIECES), 0..40).prop_map(|pieces| pieces.concat())
}

/// A plain, valid text, and a place and a way to spoil it.
const PLAIN: &str = include_str!("plain.py");

fn spoiled() -> impl Strategy<Value = String> {
    let lines: Vec<&str> = PLAIN.split_inclusive('\n').collect();
    (0..lines.len(), 1..60_usize, any::<prop::sample::Index>(), prop::sample::select(PIECES), 0..8_usize)
        .prop_map(move |(first, count, at, piece, removed)| {
            let mut text = lines[first..(first + count).min(lines.len())].concat();
            let mut start = at.index(text.len() + 1);
            while !text.is_char_boundary(start) {
                start -= 1;
            }
            let mut end = (start + removed).min(text.len());
            while !text.is_char_boundary(end) {
                end += 1;
            }
            text.replace_range(start..end, piece);
            text
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_paths_agree_on_texts_put_together_at_random(text in texts()) {
        prop_assert!(agree(&text, (3, 10)).is_ok(), "{}", agree(&text, (3, 10)).unwrap_err());
        prop_assert!(agree(&text, (3, 14)).is_ok());
    }

    #[test]
    fn both_paths_agree_on_spoiled_texts(text in spoiled()) {
        prop_assert!(agree(&text, (3, 10)).is_ok(), "{}", agree(&text, (3, 10)).unwrap_err());
    }

    #[test]
    fn no_bytes_make_the_scanner_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        hr_imports::scan_bytes(&bytes, ModuleName::module(MODULE), &Target::default());
    }
}

#[test]
fn the_sample_is_plain() {
    assert_eq!(agree(PLAIN, (3, 10)), Ok(true));
}

#[test]
fn deep_nesting_is_no_problem() {
    for (open, close) in
        [("(", ")"), ("[", "]"), ("-", ""), ("not ", ""), ("a.", ""), ("lambda: ", ""), ("1+", "")]
    {
        let text =
            format!("import before\nx = {}1{}\nimport after\n", open.repeat(20_000), close.repeat(20_000));
        let found = hr_imports::scan_bytes(text.as_bytes(), ModuleName::module(MODULE), &Target::default());
        assert!(found.imports.iter().any(|import| import.module == "before"), "{open}");
    }
}
