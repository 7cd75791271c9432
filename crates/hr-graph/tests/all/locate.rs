//! Which directory a name or path stands for, and what counts as the project's own.

use hr_graph::{LocateError, Project, Target};

use crate::support::{Tree, own, planned};

#[test]
fn a_package_is_found_by_name_in_a_src_layout() {
    let tree = Tree::new(&[
        ("pyproject.toml", "[project]\nname = 'shop'"),
        ("src/shop/__init__.py", "import requests"),
        ("tests/test_shop.py", "import pytest"),
    ]);
    let graph = tree.located("shop", &["."]);
    assert_eq!(own(&graph), ["shop"]);
    assert_eq!(planned(&graph), ["requests"]);
    assert_eq!(graph.root(), tree.root());
}

#[test]
fn a_missing_package_says_where_it_was_looked_for() {
    let tree = Tree::new(&[("pyproject.toml", ""), ("src/shop/__init__.py", "")]);
    let interpreter = tree.interpreter(&["."]);
    let error = Project::locate(&Target::Module("shopp".to_owned()), &interpreter).unwrap_err();
    let hint = error.hint();
    assert!(hint.contains(&tree.at("src").display().to_string()), "{hint}");
    assert!(matches!(error, LocateError::NotFound { name, .. } if name == "shopp"));
}

#[test]
fn a_project_names_its_packages_those_without_an_init_included() {
    let tree = Tree::new(&[
        ("pyproject.toml", "[project]\nname = 'shop'"),
        ("src/shop/__init__.py", ""),
        ("src/company/plugin/__init__.py", "import requests"),
        ("src/data/table.csv", ""),
        ("tool.py", ""),
    ]);
    let interpreter = tree.interpreter(&["."]);
    let project = Project::locate(&Target::Path(tree.root()), &interpreter).unwrap();
    assert_eq!(project.packages(), ["company", "shop", "tool"]);
}

#[test]
fn a_script_is_scanned_with_what_it_reaches_and_nothing_else() {
    let tree = Tree::new(&[
        ("my-script.py", "import near\nimport numpy\n"),
        ("near.py", "import pandas\n"),
        ("far.py", "import torch\n"),
    ]);
    let graph = tree.located_at("my-script.py", &[]);
    assert_eq!(planned(&graph), ["pandas", "numpy"]);
    assert_eq!(own(&graph), ["my-script", "near"]);
}

#[test]
fn environments_caches_and_ignored_directories_are_skipped() {
    let tree = Tree::new(&[
        ("pyproject.toml", ""),
        (".gitignore", "generated/\n"),
        ("app.py", "import kept"),
        ("env1/pyvenv.cfg", ""),
        ("env1/lib/python3.12/site-packages/lib.py", "import no1"),
        ("node_modules/tool/x.py", "import no2"),
        ("generated/out.py", "import no3"),
        ("__pycache__/app.py", "import no4"),
        (".tox/x.py", "import no5"),
    ]);
    assert_eq!(planned(&tree.located_at(".", &[])), ["kept"]);
}

#[test]
fn an_ignored_module_that_is_imported_is_scanned_all_the_same() {
    let tree = Tree::new(&[
        ("pyproject.toml", ""),
        (".gitignore", "_version.py\n"),
        ("app/__init__.py", "from ._version import version"),
        ("app/_version.py", "import packaging"),
    ]);
    let graph = tree.located("app", &["."]);
    assert_eq!(own(&graph), ["app", "app._version"]);
    assert_eq!(planned(&graph), ["packaging"]);
}

#[test]
fn site_packages_inside_the_project_are_not_its_own() {
    let tree = Tree::new(&[
        ("pyproject.toml", ""),
        ("app/__init__.py", "import lib.part, app.own"),
        ("app/own.py", ""),
        (".venv/lib/python3.12/site-packages/lib/__init__.py", "import never"),
        (".venv/lib/python3.12/site-packages/lib/part.py", ""),
    ]);
    let graph = tree.located("app", &[".", ".venv/lib/python3.12/site-packages"]);
    assert_eq!(planned(&graph), ["lib.part"]);
    assert!(graph.plan(&hr_graph::ScanOptions::default()).modules[0].resolved);
}

#[test]
fn workspace_members_are_first_party() {
    let tree = Tree::new(&[
        ("pyproject.toml", "[tool.uv.workspace]\nmembers = ['libs/*']"),
        ("app/__init__.py", "import core.model"),
        ("libs/core/pyproject.toml", ""),
        ("libs/core/src/core/__init__.py", "import numpy"),
        ("libs/core/src/core/model.py", "import attrs"),
    ]);
    let graph = tree.located("app", &["."]);
    assert_eq!(own(&graph), ["app", "core", "core.model"]);
    assert_eq!(planned(&graph), ["numpy", "attrs"]);
    let from_member = tree.located("core", &["libs/core"]);
    assert_eq!(own(&from_member), ["core", "core.model"]);
}

#[test]
fn editable_installs_are_first_party() {
    let tree = Tree::new(&[
        ("app/pyproject.toml", ""),
        ("app/app/__init__.py", "import by_path, by_url"),
        ("one/by_path.py", "import x1"),
        ("two three/src/by_url/__init__.py", "import x2"),
        ("lib/site-packages/two-1.0.dist-info/METADATA", ""),
    ]);
    let url = format!("file://{}", tree.at("two three").display()).replace(' ', "%20");
    let json = format!(r#"{{"url": "{url}", "dir_info": {{"editable": true}}}}"#);
    tree.write("lib/site-packages/two-1.0.dist-info/direct_url.json", json.as_bytes());
    tree.write("lib/site-packages/one.pth", format!("{}\nimport sys\n", tree.at("one").display()).as_bytes());
    let graph = tree.located("app", &["app", "lib/site-packages"]);
    assert_eq!(own(&graph), ["app", "by_path", "by_url"]);
    assert_eq!(planned(&graph), ["x1", "x2"]);
}

#[test]
fn an_installed_package_can_be_looked_at_on_its_own() {
    let tree = Tree::new(&[
        ("lib/site-packages/one/__init__.py", "import two, one.part"),
        ("lib/site-packages/one/part.py", "import three"),
        ("lib/site-packages/two.py", "import never"),
    ]);
    let graph = tree.located("one", &["lib/site-packages"]);
    assert_eq!(own(&graph), ["one", "one.part"]);
    assert_eq!(planned(&graph), ["two", "three"]);
}

#[cfg(unix)]
#[test]
fn symlink_loops_end() {
    let tree = Tree::new(&[("pyproject.toml", ""), ("app/__init__.py", "import kept")]);
    std::os::unix::fs::symlink(tree.at("app"), tree.at("app/again")).unwrap();
    std::os::unix::fs::symlink(tree.at("."), tree.at("app/up")).unwrap();
    std::os::unix::fs::symlink("/", tree.at("app/everything")).unwrap();
    assert_eq!(planned(&tree.located("app", &["."])), ["kept"]);
}

#[test]
fn a_module_of_a_package_is_an_entry_of_its_own() {
    let tree = Tree::new(&[
        ("pyproject.toml", ""),
        ("app/__init__.py", "import first"),
        ("app/cli.py", "import click\nif __name__ == '__main__':\n    import rich\n"),
        ("app/other.py", "import torch"),
    ]);
    assert_eq!(planned(&tree.located("app.cli", &["."])), ["first", "click", "rich"]);
    assert_eq!(planned(&tree.located_at("app/cli.py", &["."])), ["first", "click", "rich"]);
    assert_eq!(planned(&tree.located("app", &["."])), ["first", "click", "rich", "torch"]);
}
