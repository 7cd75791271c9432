//! What a template imports, in which order, and who asks for it.

use hr_graph::{How, ScanOptions};

use crate::support::{Tree, own, planned};

#[test]
fn the_plan_follows_the_order_in_which_python_would_import() {
    let tree = Tree::new(&[
        ("pyproject.toml", ""),
        ("app/__init__.py", "import a1\nfrom app.sub import deep\nimport a2\n"),
        ("app/sub/__init__.py", "import b1\nimport app.side\n"),
        ("app/sub/deep.py", "import c1\ndef later():\n    import lazy1\nimport c2\n"),
        ("app/side.py", "import d1\nimport app.sub.deep\n"),
    ]);
    // app.side is loaded by app.sub before app asks for app.sub.deep, and loads that itself.
    assert_eq!(planned(&tree.located("app", &["."])), ["a1", "b1", "d1", "c1", "c2", "a2", "lazy1"]);
}

#[test]
fn how_a_module_is_reached_is_told() {
    let tree = Tree::new(&[(
        "app.py",
        "import sys\n\
         from typing import TYPE_CHECKING\n\
         if TYPE_CHECKING:\n    import typed\n\
         if sys.platform == 'win32':\n    import winonly\nelse:\n    import posixonly\n\
         if sys.version_info < (3, 12):\n    import backport\n\
         try:\n    import fast\nexcept ImportError:\n    import slow\n\
         def f():\n    import late\n",
    )]);
    let graph = tree.scan();
    let plan = graph.plan(&ScanOptions { ignored_modules: vec!["sys".to_owned()], ..ScanOptions::default() });
    let hows: Vec<(&str, How)> =
        plan.modules.iter().map(|module| (module.name.as_str(), module.how)).collect();
    assert_eq!(
        hows,
        [
            ("typing", How::Eager),
            ("posixonly", How::Conditional),
            ("fast", How::Optional),
            ("slow", How::Optional),
            ("late", How::Lazy)
        ]
    );
    let eager_only = graph.plan(&ScanOptions { lazy: false, ..ScanOptions::default() });
    assert!(eager_only.modules.iter().all(|module| module.name != "late"));
    let usages = graph.usages(&ScanOptions::default());
    let how = |name: &str| usages.iter().find(|usage| usage.name == name).map(|usage| usage.how);
    assert_eq!(how("typed"), Some(How::Typing));
    assert_eq!(how("winonly"), Some(How::Conditional));
    assert_eq!(how("backport"), Some(How::Conditional));
}

#[test]
fn submodules_and_attributes_are_told_apart_by_the_files() {
    let tree = Tree::new(&[
        ("pyproject.toml", ""),
        (
            "app.py",
            "from lib import part, attribute\nfrom space import inner\nimport space.other\nimport compiled\n",
        ),
        ("site/lib/__init__.py", ""),
        ("site/lib/part.py", ""),
        ("site/space/inner.py", ""),
        ("site/space/other/__init__.pyi", ""),
        ("site/compiled.cpython-312-x86_64-linux-gnu.so", ""),
        ("site/compiled.cpython-39-x86_64-linux-gnu.so", ""),
    ]);
    std::fs::rename(tree.at("site"), tree.at("site-packages")).unwrap();
    let graph = tree.located_at("app.py", &["site-packages"]);
    let plan = graph.plan(&ScanOptions::default());
    let found: Vec<(&str, bool)> =
        plan.modules.iter().map(|module| (module.name.as_str(), module.resolved)).collect();
    // A bare namespace package is never planned; a stub is no module.
    assert_eq!(
        found,
        [
            ("lib", true),
            ("lib.part", true),
            ("space.inner", true),
            ("space.other", false),
            ("compiled", true)
        ]
    );
}

#[test]
fn a_module_beside_the_script_hides_the_standard_librarys() {
    let tree =
        Tree::new(&[("main.py", "import random, time\n"), ("random.py", "import numpy\n"), ("time.py", "")]);
    let graph = tree.located_at("main.py", &[]);
    // `time` is built into the interpreter, which never looks for a file.
    assert_eq!(planned(&graph), ["numpy", "time"]);
    assert_eq!(own(&graph), ["main", "random"]);
}

#[test]
fn chains_lead_from_the_entry_to_the_module() {
    let tree = Tree::new(&[
        ("pyproject.toml", ""),
        ("app/__init__.py", ""),
        ("app/__main__.py", "import app.web\n"),
        ("app/web.py", "\nfrom app import model\n"),
        ("app/model.py", "import os\nimport numpy.linalg\n"),
        ("app/lone.py", "def f():\n    import numpy\n"),
    ]);
    let chains = tree.located("app", &["."]).chains_to("numpy");
    let shown: Vec<String> = chains
        .iter()
        .map(|chain| {
            chain
                .iter()
                .map(|step| format!("{} {}", step.importer, step.place))
                .collect::<Vec<_>>()
                .join(" > ")
        })
        .collect();
    assert_eq!(
        shown,
        [
            "app.lone app/lone.py:2:5",
            "app.__main__ app/__main__.py:1:1 > app.web app/web.py:2:1 > app.model app/model.py:2:1"
        ]
    );
}

#[test]
fn dependents_include_those_through_packages_and_lazy_imports() {
    let tree = Tree::new(&[
        ("app/__init__.py", "from app import base\n"),
        ("app/base.py", ""),
        ("app/one.py", ""),
        ("user.py", "import app.one\n"),
        ("lazy.py", "def f():\n    import user\n"),
        ("typed.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import user\n"),
        ("alone.py", ""),
    ]);
    let graph = tree.scan();
    let dependents: Vec<(String, bool)> = graph
        .dependents(&tree.at("app/base.py"))
        .unwrap()
        .into_iter()
        .map(|dependent| (dependent.module, dependent.lazily))
        .collect();
    let expected = [("app", false), ("app.one", false), ("lazy", true), ("user", false)];
    assert_eq!(dependents, expected.map(|(name, lazily)| (name.to_owned(), lazily)));
    assert!(graph.dependents(&tree.at("nothing.py")).is_none());
}

#[test]
fn cycles_are_circles_of_imports_at_load_time() {
    let tree = Tree::new(&[
        ("a.py", "import b\n"),
        ("b.py", "import c\n"),
        ("c.py", "import a\n"),
        ("d.py", "import e\n"),
        ("e.py", "def f():\n    import d\n"),
    ]);
    let graph = tree.scan();
    let cycles: Vec<Vec<&str>> = graph
        .cycles()
        .into_iter()
        .map(|cycle| cycle.into_iter().map(|module| module.name.as_str()).collect())
        .collect();
    assert_eq!(cycles, [["a", "b", "c"]]);
    let near: Vec<&str> =
        graph.neighbourhood("d", 1).unwrap().into_iter().map(|module| module.name.as_str()).collect();
    assert_eq!(near, ["d", "e"]);
}

#[test]
fn chains_of_ten_thousand_modules_are_no_problem() {
    let tree = Tree::new(&[]);
    for number in 0..10_000 {
        tree.write(
            &format!("m{number}.py"),
            format!("import m{}\nimport x{number}\n", number + 1).as_bytes(),
        );
    }
    let graph = tree.scan();
    assert_eq!(graph.plan(&ScanOptions::default()).modules.len(), 10_001);
    assert_eq!(graph.cycles().len(), 0);
}
