//! What `[tool.hotreload]` in a project's `pyproject.toml` changes.

use hr_graph::{How, Kind, Project, ScanOptions, Scanner};

use crate::support::{Tree, interpreter, planned};

const APP: (&str, &str) = ("app.py", "import a\nimport b.c\nimport bc\ndef f():\n    import late\n");

fn tree(settings: &str) -> Tree {
    Tree::new(&[APP, ("pyproject.toml", &format!("[tool.hotreload]\n{settings}\n"))])
}

#[test]
fn modules_are_forced_in_after_the_eager_ones() {
    let graph = tree("preload = ['z', 'json', 'late', 'a', 'z']").scan();
    assert_eq!(planned(&graph), ["a", "b.c", "bc", "z", "json", "late"]);
    let plan = graph.plan(&ScanOptions::default());
    let z = &plan.modules[3];
    assert_eq!((z.kind, z.how, z.resolved), (Kind::ThirdParty, How::Eager, false));
    assert_eq!(z.location.to_string(), "pyproject.toml:2:12");
    assert_eq!((plan.modules[4].kind, plan.modules[4].resolved), (Kind::Stdlib, true));
    assert_eq!(graph.problems(), []);

    let usages = graph.usages(&ScanOptions::default());
    let places = |name: &str| -> Vec<String> {
        let usage = usages.iter().find(|usage| usage.name == name).unwrap();
        usage.places.iter().map(ToString::to_string).collect()
    };
    assert_eq!(places("json"), ["pyproject.toml:2:17"]);
    assert_eq!(places("a"), ["app.py:1:1", "pyproject.toml:2:33"]);
}

#[test]
fn modules_are_forced_out_with_all_that_lies_in_them() {
    let graph = tree("exclude = ['b', 'late']").scan();
    assert_eq!(planned(&graph), ["a", "bc"]);
    // They are imported all the same, though not into a template.
    assert!(graph.usages(&ScanOptions::default()).iter().any(|usage| usage.name == "b.c"));
}

#[test]
fn what_functions_import_can_be_left_out() {
    assert_eq!(planned(&tree("lazy = true").scan()), ["a", "b.c", "bc", "late"]);
    assert_eq!(planned(&tree("lazy = false").scan()), ["a", "b.c", "bc"]);
}

#[test]
fn the_projects_own_modules_are_never_forced_in() {
    let graph = tree("preload = ['app', 'app.part']").scan();
    assert_eq!(planned(&graph), ["a", "b.c", "bc", "late"]);
    let problems: Vec<String> =
        graph.problems().iter().map(|problem| format!("{}:{}", problem.line, problem.message)).collect();
    assert_eq!(
        problems,
        [
            "2:tool.hotreload.preload: app is the project's own, which no template imports",
            "2:tool.hotreload.preload: app.part is the project's own, which no template imports",
        ]
    );
}

#[test]
fn what_is_wrong_with_settings_is_a_problem_and_nothing_else() {
    let graph = tree("preloads = ['z']\nlazy = 'no'").scan();
    let problems: Vec<(String, u32, u32)> = graph
        .problems()
        .iter()
        .map(|problem| (problem.file.display().to_string(), problem.line, problem.column))
        .collect();
    assert_eq!(problems, [("pyproject.toml".to_owned(), 2, 1), ("pyproject.toml".to_owned(), 3, 8)]);
    assert_eq!(planned(&graph), ["a", "b.c", "bc", "late"]);
}

#[test]
fn each_scan_reads_the_settings_anew() {
    let tree = tree("spares = 2");
    let project: Project = tree.project(&["."]);
    assert_eq!(project.settings().spares, Some(2));
    let mut scanner = Scanner::new(project, interpreter(), ScanOptions::default());
    assert_eq!(planned(&scanner.scan()), ["a", "b.c", "bc", "late"]);
    tree.write("pyproject.toml", b"[tool.hotreload]\nexclude = ['a']\nspares = 3\n");
    assert_eq!(planned(&scanner.scan()), ["b.c", "bc", "late"]);
    assert_eq!(scanner.project().settings().spares, Some(3));
}

#[test]
fn packages_that_lie_elsewhere_are_the_projects_own() {
    let tree = Tree::new(&[
        ("main/pyproject.toml", "[tool.hotreload]\npackages = ['../libs/shared', 'inner/kit/']\n"),
        ("main/app.py", "import shared\nimport kit\n"),
        ("main/inner/kit/__init__.py", "import b\n"),
        ("libs/shared/__init__.py", "import a\n"),
    ]);
    let graph = tree.located_at("main", &["main"]);
    assert_eq!(planned(&graph), ["a", "b"]);
}
