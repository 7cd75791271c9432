//! `hr imports`, `hr graph`, `hr why`.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A small project: two modules in a circle, one broken, imports of every kind.
fn project() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let files = [
        ("pyproject.toml", "[project]\nname = 'shop'\n"),
        ("src/shop/__init__.py", "from shop import models\n"),
        ("src/shop/models.py", "import json\nimport no_such_library.orm\nfrom shop import views\n"),
        ("src/shop/views.py", "import shop.models\ndef show():\n    import no_such_plot\n"),
        ("src/shop/broken.py", "import json\ndef f(:\n"),
    ];
    for (path, content) in files {
        let path = directory.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    directory
}

fn hr(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hr"))
        .args(arguments)
        .current_dir(directory)
        .env_remove("VIRTUAL_ENV")
        .env("XDG_CACHE_HOME", directory.join(".cache"))
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json_of(directory: &Path, arguments: &[&str]) -> Value {
    serde_json::from_str(&stdout(&hr(directory, arguments))).unwrap()
}

#[test]
fn imports_are_listed_in_plan_order_with_their_places() {
    let project = project();
    let found = json_of(project.path(), &["imports", "shop", "--format", "json"]);
    assert_eq!(found["packages"], json!(["shop"]));
    assert_eq!(
        found["modules"],
        json!([
            {
                "module": "no_such_library.orm", "kind": "third-party", "how": "eager", "resolved": false, "planned": true,
                "locations": [{ "file": "src/shop/models.py", "line": 2, "column": 1 }]
            },
            {
                "module": "no_such_plot", "kind": "third-party", "how": "lazy", "resolved": false, "planned": true,
                "locations": [{ "file": "src/shop/views.py", "line": 3, "column": 5 }]
            },
        ])
    );
    let problem = &found["problems"][0];
    assert_eq!((&problem["file"], &problem["line"]), (&json!("src/shop/broken.py"), &json!(2)));
}

#[test]
fn settings_and_what_is_written_to_the_environment_are_shown() {
    let project = project();
    let write = |path: &str, content: &str| std::fs::write(project.path().join(path), content).unwrap();
    write(
        "pyproject.toml",
        "[tool.hotreload]\npreload = ['no_such_tool']\nexclude = ['no_such_plot']\nlazzy = true\n",
    );
    write(
        "src/shop/__init__.py",
        "import os\nos.environ.setdefault('K', 'v')\nos.environ['L'] = f()\nfrom shop import models\n",
    );
    let output = hr(project.path(), &["imports", "shop"]);
    assert_eq!(
        stdout(&output),
        "no_such_library.orm  eager        src/shop/models.py:2:1  not found\n\
         no_such_tool         eager        pyproject.toml:2:12  not found\n\
         no_such_plot         lazy         src/shop/views.py:3:5  not found\n\
         \n\
         written to the environment before others are imported:\n\
         K ?= \"v\"  src/shop/__init__.py:2:1  before json\n\
         L = (computed)  src/shop/__init__.py:3:1  before json\n"
    );
    let warnings = String::from_utf8(output.stderr).unwrap();
    assert!(
        warnings.contains(
            "warning: pyproject.toml:4:1 tool.hotreload has no key \"lazzy\"; did you mean \"lazy\"?"
        ),
        "{warnings}"
    );

    let found = json_of(project.path(), &["imports", "shop", "--format", "json"]);
    let planned: Vec<&Value> =
        found["modules"].as_array().unwrap().iter().map(|module| &module["planned"]).collect();
    assert_eq!(planned, [&json!(true), &json!(true), &json!(false)]);
    assert_eq!(
        found["environment"],
        json!([
            {
                "key": "K", "value": "v", "only_if_unset": true, "certain": true, "before": "json",
                "file": "src/shop/__init__.py", "line": 2, "column": 1
            },
            {
                "key": "L", "value": null, "only_if_unset": false, "certain": true, "before": "json",
                "file": "src/shop/__init__.py", "line": 3, "column": 1
            },
        ])
    );
}

#[test]
fn all_adds_the_standard_library_and_the_project_itself() {
    let project = project();
    let found = json_of(project.path(), &["imports", "--all", "--format", "json"]);
    let kinds: Vec<(&str, &str)> = found["modules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|module| (module["module"].as_str().unwrap(), module["kind"].as_str().unwrap()))
        .collect();
    for expected in [("json", "stdlib"), ("shop.models", "first-party"), ("no_such_plot", "third-party")] {
        assert!(kinds.contains(&expected), "{kinds:?}");
    }
}

#[test]
fn problems_inside_a_project_are_warnings() {
    let project = project();
    let output = hr(project.path(), &["imports", "shop"]);
    let warnings = String::from_utf8_lossy(&output.stderr);
    assert!(warnings.starts_with("hr  warning: src/shop/broken.py:2:7 "), "{warnings}");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn the_graph_comes_in_every_format() {
    let project = project();
    let found = json_of(project.path(), &["graph", "shop", "--format", "json"]);
    assert_eq!(found["cycles"], json!([["shop.models", "shop.views"]]));
    assert_eq!(found["edges"][0], json!({ "from": "shop", "to": "shop.models", "line": 1, "how": "eager" }));
    assert_eq!(found["modules"][0], json!({ "name": "shop", "file": "src/shop/__init__.py" }));
    for (format, mark) in
        [("text", "shop.models"), ("dot", "digraph"), ("mermaid", "flowchart"), ("html", "<!doctype")]
    {
        let text = stdout(&hr(project.path(), &["graph", "shop", "--format", format]));
        assert!(text.contains(mark), "{format}: {text}");
    }
    let focused = json_of(
        project.path(),
        &["graph", "shop", "--format", "json", "--focus", "shop.views", "--depth", "1"],
    );
    let names: Vec<&Value> =
        focused["modules"].as_array().unwrap().iter().map(|module| &module["name"]).collect();
    assert_eq!(names, ["shop.models", "shop.views"]);
}

#[test]
fn why_prints_chains_and_what_an_edit_means() {
    let project = project();
    let chain = stdout(&hr(project.path(), &["why", "no_such_library", "--project", "shop"]));
    assert_eq!(
        chain,
        "shop\n  imports shop.models  src/shop/__init__.py:1:1\n    imports no_such_library.orm  src/shop/models.py:2:1\n"
    );
    let edit = stdout(&hr(project.path(), &["why", "src/shop/views.py", "--project", "shop"]));
    assert!(edit.starts_with("src/shop/views.py is shop.views."), "{edit}");
    assert!(edit.contains("\n  shop.models\n"), "{edit}");
}

#[test]
fn what_cannot_be_found_is_one_error_with_a_hint() {
    let project = project();
    for arguments in [
        &["imports", "no_such_package"][..],
        &["imports", "./no/such/path"],
        &["graph", "shop", "--focus", "shop.nothing"],
        &["why", "nothing_imports_this"],
        &["imports", "--python", "/no/such/python"],
        &["imports", "pyproject.toml"],
    ] {
        let output = hr(project.path(), arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        let errors = stderr.lines().filter(|line| line.starts_with("hr  error: ")).count();
        assert_eq!((output.status.code(), errors), (Some(2), 1), "{arguments:?}: {stderr}");
        assert!(stderr.contains("hint: "), "{arguments:?}: {stderr}");
        assert!(output.stdout.is_empty());
    }
}
