//! What a module writes to the environment while it is loaded.

use hr_imports::{
    EnvironmentWrite, FileImports, ModuleName, Target, scan_text, scan_text_fast, scan_text_in_full,
};

/// What both paths find.
fn writes(text: &str) -> Vec<EnvironmentWrite> {
    let (module, target) = (ModuleName::module("app"), Target::default());
    let found: FileImports = scan_text(text, module, &target);
    assert_eq!(found.problems, [], "{text}");
    assert_eq!(found, scan_text_in_full(text, module, &target), "{text}");
    found.environment
}

/// Key, value, whether an existing value survives, and whether loading the module surely comes by.
fn seen(text: &str) -> Vec<(String, Option<String>, bool, bool)> {
    writes(text)
        .into_iter()
        .map(|write| (write.key, write.value, write.only_if_unset, !write.context.uncertain))
        .collect()
}

fn constant(key: &str, value: &str, only_if_unset: bool) -> (String, Option<String>, bool, bool) {
    (key.to_owned(), Some(value.to_owned()), only_if_unset, true)
}

#[test]
fn constants_are_told_however_they_are_written() {
    for (statement, only_if_unset) in [
        ("import os\nos.environ['K'] = 'v'\n", false),
        ("import os as o\no.environ[\"K\"] = \"v\"\n", false),
        ("from os import environ\nenviron['K'] = 'v'\n", false),
        ("from os import environ as e\ne['K'] = 'v'\n", false),
        ("import os\nx = os.environ['K'] = 'v'\n", false),
        ("import os\n(os.environ['K']) = 'v'\n", false),
        ("import os\nos.environ['K']: str = 'v'\n", false),
        ("import os\nos.environ.setdefault('K', 'v')\n", true),
        ("import os\nos.putenv('K', 'v')\n", false),
        ("from os import putenv\nputenv('K', 'v')\n", false),
        ("import os\nos.environ.update({'K': 'v'})\n", false),
        ("import os\nos.environ.update(K='v')\n", false),
        ("import os\nclass C:\n    os.environ['K'] = 'v'\n", false),
        ("import os\nwith open('f') as f:\n    os.environ['K'] = 'v'\n", false),
        ("import os\ntry:\n    pass\nfinally:\n    os.environ['K'] = 'v'\n", false),
    ] {
        assert_eq!(seen(statement), [constant("K", "v", only_if_unset)], "{statement}");
    }
}

#[test]
fn what_is_computed_is_told_as_such() {
    for statement in [
        "os.environ['K'] = str(1)\n",
        "os.environ['K'] = f'{x}'\n",
        "os.environ['K'] = 'a' + b\n",
        "os.environ['K'] += ':more'\n",
        "os.environ.setdefault('K', x)\n",
        "os.environ.update(K=x)\n",
        "os.environ.update({'K': x})\n",
    ] {
        let text = format!("import os\n{statement}");
        let found = writes(&text);
        assert_eq!(found.len(), 1, "{text}");
        assert_eq!((found[0].key.as_str(), &found[0].value), ("K", &None), "{text}");
    }
}

#[test]
fn what_need_not_be_executed_is_uncertain() {
    let write = "os.environ['K'] = 'v'\n";
    for head in [
        "if x:\n    ",
        "if x:\n    pass\nelse:\n    ",
        "if a:\n    pass\nelif b:\n    ",
        "for x in y:\n    ",
        "for x in y:\n    pass\nelse:\n    ",
        "while x:\n    ",
        "while x:\n    pass\nelse:\n    ",
        "try:\n    pass\nexcept KeyError:\n    ",
        "try:\n    pass\nexcept KeyError:\n    pass\nelse:\n    ",
        "match x:\n    case 1:\n        ",
    ] {
        let text = format!("import os\n{head}{write}");
        assert_eq!(seen(&text), [("K".to_owned(), Some("v".to_owned()), false, false)], "{text}");
    }
    let attempt = format!("import os\ntry:\n    {write}finally:\n    pass\n");
    assert!(!seen(&attempt)[0].3);
    assert!(!seen("import os\nx and os.putenv('K', 'v')\n")[0].3);
    // Decided before the program runs.
    for head in [
        "if True:\n    ",
        "if sys.platform == 'linux':\n    ",
        "if not TYPE_CHECKING:\n    ",
        "while True:\n    ",
    ] {
        let text = format!("import os, sys\n{head}{write}");
        assert_eq!(seen(&text), [constant("K", "v", false)], "{text}");
    }
}

#[test]
fn reads_and_functions_write_nothing() {
    for text in [
        "import os\nx = os.environ['K']\n",
        "import os\nif os.environ['K'] == 'v': pass\n",
        "import os\ndef f():\n    os.environ['K'] = 'v'\n",
        "import os\nf = lambda: os.putenv('K', 'v')\n",
        "environ = {}\nenviron['K'] = 'v'\n",
    ] {
        assert_eq!(seen(text), [], "{text}");
    }
}

#[test]
fn plain_writes_are_read_by_the_fast_path() {
    let text = "import os\nif x:\n    os.environ['K'] = 'v'\nos.environ['L'] += y\n";
    let found = scan_text_fast(text, ModuleName::module("app"), &Target::default());
    assert_eq!(found.map(|found| found.environment.len()), Some(2));
}
