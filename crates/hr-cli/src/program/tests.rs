use std::fs;
use std::os::unix::fs::symlink;

use super::*;

/// An environment and a project in a directory of their own.
struct Fixture {
    directory: tempfile::TempDir,
    interpreter: Interpreter,
}

const CONSOLE: &str =
    "#!/x/bin/python\nimport sys\nfrom uvicorn.main import main\nif __name__ == '__main__':\n    main()\n";

impl Fixture {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let site = "env/lib/python3.12/site-packages";
        for (file, text) in [
            ("env/bin/python", ""),
            ("env/bin/uvicorn", CONSOLE),
            (
                "env/bin/shop-admin",
                "#!/bin/sh\n'''exec' \"/long/python\" \"$0\" \"$@\"\n' '''\nfrom shop.cli import main\n",
            ),
            ("env/bin/ruff", "\u{7f}ELF"),
            (&format!("{site}/uvicorn/__init__.py"), ""),
            (&format!("{site}/uvicorn/__main__.py"), "import uvicorn\nfrom .config import Config\n"),
            (&format!("{site}/uvicorn/main.py"), ""),
            (&format!("{site}/uvicorn/config.py"), ""),
            (
                &format!("{site}/uvicorn-1.dist-info/entry_points.txt"),
                "[console_scripts]\nserve = uvicorn.main:main\n",
            ),
            ("project/pyproject.toml", ""),
            ("project/app.py", ""),
            ("project/manage.py", "from django.core.management import execute_from_command_line\n"),
            ("project/shop/__init__.py", ""),
            ("project/shop/__main__.py", ""),
            ("project/plain/data.txt", ""),
            ("project/uvicorn/notes.txt", ""),
            ("elsewhere/tool.py", ""),
        ] {
            let file = directory.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        let interpreter = Interpreter {
            executable: directory.path().join("env/bin/python"),
            version: (3, 12),
            platform: "linux".into(),
            sys_path: vec![directory.path().join("project"), directory.path().join(site)],
            stdlib: ["sys", "json"].map(String::from).into(),
            builtins: ["sys".to_owned()].into(),
        };
        Self { directory, interpreter }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.directory.path().canonicalize().unwrap().join(path)
    }

    fn here(&self) -> PathBuf {
        self.directory.path().join("project")
    }

    fn understand(&self, line: &str) -> Result<CommandLine, NotUnderstood> {
        let mut words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        let module = words.first().is_some_and(|word| word == "-m");
        words.drain(..usize::from(module));
        understand(&words, module, &self.interpreter, &self.here(), &|_| None)
    }

    fn understood(&self, line: &str) -> CommandLine {
        self.understand(line).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    /// The message and the hint.
    fn refused(&self, line: &str) -> (String, String) {
        let error = self.understand(line).expect_err(line);
        let root = self.directory.path().display().to_string();
        (error.to_string().replace(&root, "…"), error.hint().replace(&root, "…"))
    }
}

fn module(name: &str) -> Program {
    Program::Module(name.into())
}

#[test]
fn a_script_is_started_as_it_was_typed() {
    let fixture = Fixture::new();
    for word in ["app.py", "./app.py", "../project/app.py"] {
        let found = fixture.understood(&format!("{word} --port 8000"));
        assert_eq!(found.program, Program::Script(word.into()));
        assert_eq!(found.argv, [word, "--port", "8000"]);
        assert_eq!(found.first_on_path, Some(fixture.path("project")));
        assert_eq!(found.target, protocol::Target::Path(fixture.here().into()));
        assert_eq!((found.name.as_str(), found.modules), (word, vec![]));
    }
}

#[test]
fn a_script_that_lies_elsewhere_is_the_project() {
    let fixture = Fixture::new();
    let script = fixture.here().join("../elsewhere/tool.py");
    let found = fixture.understood("../elsewhere/tool.py");
    assert_eq!(found.target, protocol::Target::Path(script.into()));
    assert_eq!(found.first_on_path, Some(fixture.path("elsewhere")));
}

#[test]
fn a_linked_script_finds_what_lies_beside_its_file() {
    let fixture = Fixture::new();
    symlink("../elsewhere/tool.py", fixture.here().join("tool.py")).unwrap();
    assert_eq!(fixture.understood("tool.py").first_on_path, Some(fixture.path("elsewhere")));
}

#[test]
fn a_directory_with_a_main_module_is_searched_itself() {
    let fixture = Fixture::new();
    let found = fixture.understood("shop/ -v");
    assert_eq!(found.program, Program::Script("shop/".into()));
    assert_eq!(found.first_on_path, Some(fixture.here().join("shop/")));
    assert_eq!(fixture.understood("shop").program, Program::Script("shop".into()));
}

#[test]
fn modules_are_started_by_name() {
    let fixture = Fixture::new();
    for line in ["-m shop -v", "python -m shop -v", "python3.12 -m shop -v"] {
        let found = fixture.understood(line);
        assert_eq!((found.program, found.name.as_str()), (module("shop"), "python -m shop"));
        assert_eq!(found.argv, ["shop", "-v"]);
        assert_eq!(found.first_on_path, Some(fixture.here()));
        assert!(found.modules.is_empty(), "the project's own");
    }
    let by_path = format!("{} -m shop", fixture.interpreter.executable.display());
    assert_eq!(fixture.understood(&by_path).program, module("shop"));
}

#[test]
fn what_the_main_module_of_others_imports_is_preloaded_but_not_itself() {
    let found = Fixture::new().understood("-m uvicorn shop:app --reload");
    assert_eq!(found.modules, ["uvicorn", "uvicorn.config"]);
    assert_eq!(found.argv, ["uvicorn", "shop:app"]);
    assert_eq!(found.notices.len(), 1);
}

#[test]
fn commands_of_the_environment_win_over_directories() {
    let fixture = Fixture::new();
    let found = fixture.understood("uvicorn shop:app --port 8000 --reload");
    let script = fixture.directory.path().join("env/bin/uvicorn");
    assert_eq!(found.program, Program::Script(script.clone().into()));
    assert_eq!(found.argv, [script.as_os_str(), "shop:app".as_ref(), "--port".as_ref(), "8000".as_ref()]);
    assert_eq!(found.first_on_path, Some(fixture.path("env/bin")));
    assert_eq!((found.name.as_str(), found.modules), ("uvicorn", vec!["uvicorn.main".to_owned()]));
    assert_eq!(found.notices, ["uvicorn's own reloader is switched off: hr restarts the program"]);
    // Its path is the same command.
    let found = fixture.understood("../env/bin/uvicorn --reload shop:app");
    assert_eq!((found.name.as_str(), found.notices.len()), ("uvicorn", 1));
    // One of the project's own has nothing to preload.
    assert!(fixture.understood("shop-admin").modules.is_empty());
}

#[test]
fn commands_without_a_script_are_called_as_declared() {
    let fixture = Fixture::new();
    let found = fixture.understood("serve x");
    assert_eq!(found.program, Program::Function { module: "uvicorn.main".into(), function: "main".into() });
    assert_eq!(found.argv, [fixture.directory.path().join("env/bin/serve").into_os_string(), "x".into()]);
    assert_eq!(found.modules, ["uvicorn.main"]);
}

#[test]
fn a_function_is_named_with_its_module() {
    let fixture = Fixture::new();
    let found = fixture.understood("shop.main:main x");
    assert_eq!(found.program, Program::Function { module: "shop.main".into(), function: "main".into() });
    assert_eq!((found.name.as_str(), found.first_on_path), ("shop.main:main", Some(fixture.here())));
}

#[test]
fn django_is_recognised_by_what_the_script_does() {
    let fixture = Fixture::new();
    let found = fixture.understood("manage.py runserver 8000");
    assert_eq!(found.argv, ["manage.py", "runserver", "--noreload", "8000"]);
    assert_eq!(found.notices.len(), 1);
    assert_eq!(fixture.understood("python app.py runserver").argv, ["app.py", "runserver"]);
}

#[test]
fn what_cannot_be_started_is_refused_with_a_way_out() {
    let fixture = Fixture::new();
    for (line, message, hint) in [
        ("", "nothing to run", "name a script"),
        ("ap.py", "there is no file ap.py", "did you mean app.py?"),
        ("sub/x.py", "there is no file sub/x.py", "the path is relative to the current directory"),
        (
            "uvicron",
            "\"uvicron\" is neither a script nor a command of …/env/bin/python",
            "did you mean uvicorn?",
        ),
        ("zzz", "\"zzz\" is neither a script nor a command of …/env/bin/python", "install it there"),
        ("app", "app is a module, neither a script nor a command", "hr run -m app"),
        ("plain", "plain is a directory without a __main__.py", "name a script in it"),
        ("ruff check", "…/env/bin/ruff is not a Python program", "start it without hr: ruff"),
        ("../env/bin/ruff", "../env/bin/ruff is not a Python program", "start it without hr: ruff"),
        ("-m app.py/x", "\"app.py/x\" is no module's name", "modules are named with dots"),
        (
            "python3.11 app.py",
            "python3.11 is another Python than the one that was found, …/env/bin/python",
            "hr run --python python3.11 …",
        ),
        ("python", "python without a program", "name a script or a module"),
        ("python -c pass", "python's option -c cannot be honoured", "put the program into a file"),
        ("python -Xdev app.py", "python's option -Xdev cannot be honoured", "set the variable"),
        ("python -", "python's option - cannot be honoured", "put the program into a file"),
        ("python -m", "python's option -m cannot be honoured", "name the module"),
    ] {
        let (found, advice) = fixture.refused(line);
        assert!(found.starts_with(message), "{line}: {found}");
        assert!(advice.starts_with(hint), "{line}: {advice}");
    }
}
