//! What the project writes to the environment before it imports others.

use hr_graph::{ImportPlan, ProjectGraph, ScanOptions};
use proptest::prelude::*;

use crate::support::Tree;

fn plan(graph: &ProjectGraph) -> ImportPlan {
    graph.plan(&ScanOptions::default())
}

/// All steps in order: a module's name, or what is written, with a question mark if that is uncertain.
fn steps(plan: &ImportPlan) -> Vec<String> {
    let mut steps = Vec::new();
    let mut writes = plan.writes.iter().peekable();
    for number in 0..=plan.modules.len() {
        while let Some(write) = writes.next_if(|write| write.before == number) {
            let value = write.value.as_deref().unwrap_or("…");
            let doubt = if write.certain { "" } else { "?" };
            steps.push(format!("{}={value}{doubt}", write.key));
        }
        steps.extend(plan.modules.get(number).map(|module| module.name.clone()));
    }
    assert!(writes.next().is_none(), "in order");
    steps
}

#[test]
fn writes_stand_where_python_comes_by() {
    let tree = Tree::new(&[
        ("pyproject.toml", ""),
        (
            "app/__init__.py",
            "import os\nos.environ['A'] = '1'\nimport numpy\nfrom app import inner\nos.environ['D'] = '4'\n",
        ),
        (
            "app/inner.py",
            "import os\nos.environ.setdefault('B', '2')\nimport scipy\nos.environ['C'] = str(3)\n",
        ),
    ]);
    let plan = plan(&tree.located("app", &["."]));
    assert_eq!(steps(&plan), ["os", "A=1", "numpy", "B=2", "scipy", "C=…", "D=4"]);
    assert_eq!(
        plan.writes.iter().map(|write| write.only_if_unset).collect::<Vec<_>>(),
        [false, true, false, false]
    );
    assert_eq!(plan.writes[1].location.to_string(), "app/inner.py:2:1");
}

#[test]
fn what_only_some_runs_do_is_uncertain() {
    let tree = Tree::new(&[
        ("pyproject.toml", ""),
        (
            "app/__init__.py",
            "import os\nif x:\n    os.environ['A'] = '1'\ntry:\n    import app.maybe\nexcept ImportError:\n    pass\n\
             if __name__ == '__main__':\n    os.environ['E'] = '5'\n",
        ),
        ("app/maybe.py", "import os\nos.environ['B'] = '2'\n"),
        // Nobody imports it, but a run may begin there.
        ("app/tool.py", "import os\nos.environ['C'] = '3'\nimport numpy\n"),
    ]);
    let package = plan(&tree.located("app", &["."]));
    assert_eq!(steps(&package), ["os", "A=1?", "B=2?", "E=5?", "C=3?", "numpy"]);
    let module = plan(&tree.located("app.tool", &["."]));
    assert_eq!(steps(&module), ["os", "A=1?", "B=2?", "C=3", "numpy"]);
    // All that is certain of a project as a whole is that some module of it is loaded.
    assert!(plan(&tree.scan()).writes.iter().all(|write| !write.certain));
}

#[test]
fn what_is_not_executed_at_load_is_no_write() {
    let tree = Tree::new(&[
        ("pyproject.toml", ""),
        (
            "app/__init__.py",
            "import os, sys\ndef f():\n    os.environ['A'] = '1'\n    import app.late\n\
             if sys.platform == 'win32':\n    os.environ['B'] = '2'\n\
             if TYPE_CHECKING:\n    os.environ['C'] = '3'\n",
        ),
        ("app/late.py", "import os\nos.environ['D'] = '4'\nimport numpy\n"),
    ]);
    let script = plan(&tree.located_at("app/__init__.py", &[]));
    assert_eq!(script.writes, []);
}

/// A statement of a generated module.
#[derive(Debug, Clone)]
enum Statement {
    Write(u8),
    Library(u8),
    Module(usize),
}

fn statements(count: usize) -> impl Strategy<Value = Vec<Vec<Statement>>> {
    let statement = prop_oneof![
        (0..4_u8).prop_map(Statement::Write),
        (0..6_u8).prop_map(Statement::Library),
        (0..count).prop_map(Statement::Module),
    ];
    prop::collection::vec(prop::collection::vec(statement, 0..6), count)
}

/// What Python does: modules are executed once, libraries imported once, variables written every time.
fn execute(modules: &[Vec<Statement>], number: usize, loaded: &mut [bool], steps: &mut Vec<String>) {
    if std::mem::replace(&mut loaded[number], true) {
        return;
    }
    for (line, statement) in modules[number].iter().enumerate() {
        match statement {
            Statement::Write(key) => steps.push(format!("K{key}={number}.{line}")),
            Statement::Library(library) => {
                let name = format!("library{library}");
                if !steps.contains(&name) {
                    steps.push(name);
                }
            }
            Statement::Module(next) => execute(modules, *next, loaded, steps),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_is_that_of_execution(modules in statements(4)) {
        let files: Vec<(String, String)> = modules
            .iter()
            .enumerate()
            .map(|(number, statements)| {
                let lines = statements.iter().enumerate().map(|(line, statement)| match statement {
                    Statement::Write(key) => format!("os.environ['K{key}'] = '{number}.{line}'\n"),
                    Statement::Library(library) => format!("import library{library}\n"),
                    Statement::Module(next) => format!("import m{next}\n"),
                });
                (format!("m{number}.py"), std::iter::once("import os\n".to_owned()).chain(lines).collect())
            })
            .collect();
        let borrowed: Vec<(&str, &str)> =
            files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let tree = Tree::new(&borrowed);
        let mut expected = vec!["os".to_owned()];
        execute(&modules, 0, &mut vec![false; modules.len()], &mut expected);
        prop_assert_eq!(steps(&plan(&tree.located_at("m0.py", &[]))), expected);
    }
}
