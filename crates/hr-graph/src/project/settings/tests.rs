use super::reader::understand;
use super::*;

/// Line, column and message of all problems.
fn problems(text: &str) -> Vec<(u32, u32, String)> {
    let (_, problems) = understand(text);
    problems.into_iter().map(|problem| (problem.line, problem.column, problem.message)).collect()
}

#[test]
fn every_setting_is_read() {
    let (settings, problems) = understand(
        "[tool.hotreload]\npreload = ['numpy', 'a.b']\nexclude = ['c']\nlazy = false\nimport-limit = 2.5\n\
         spares = 0\nsource-roots = ['lib']\n",
    );
    assert_eq!(problems, []);
    let preload: Vec<(&str, String)> =
        settings.preload.iter().map(|preload| (preload.module.as_str(), preload.place.to_string())).collect();
    assert_eq!(
        preload,
        [("numpy", "pyproject.toml:2:12".to_owned()), ("a.b", "pyproject.toml:2:21".to_owned())]
    );
    assert_eq!(settings.exclude, ["c"]);
    assert_eq!((settings.lazy, settings.spares), (false, Some(0)));
    assert_eq!(settings.import_limit, Some(Duration::from_millis(2500)));
    assert!(settings.excludes("c") && settings.excludes("c.d") && !settings.excludes("cd"));
}

#[test]
fn inline_and_dotted_tables_are_the_same() {
    for text in ["tool.hotreload.lazy = false", "tool = { hotreload = { lazy = false } }"] {
        assert!(!understand(text).0.lazy, "{text}");
    }
}

#[test]
fn nothing_said_is_the_default() {
    for text in ["", "[tool.other]\nlazy = false\n", "[tool.hotreload]\n"] {
        assert_eq!(understand(text), (Settings::default(), Vec::new()), "{text}");
    }
}

#[test]
fn what_is_not_understood_is_told_with_its_place() {
    let one = |text: &str| {
        let mut found = problems(&format!("[tool.hotreload]\n{text}\n"));
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        found.remove(0)
    };
    for (text, message) in [
        ("import_limit = 1", "tool.hotreload has no key \"import_limit\"; did you mean \"import-limit\"?"),
        ("preloads = []", "tool.hotreload has no key \"preloads\"; did you mean \"preload\"?"),
        (
            "x = 1",
            "tool.hotreload has no key \"x\"; there are preload, exclude, lazy, import-limit, spares, \
                 source-roots, packages, watch, ignore, env-file, grace, python, entry, checkpoints, checkpoint-memory, checkpoint-overhead",
        ),
    ] {
        assert_eq!(one(text), (2, 1, message.to_owned()));
    }
    for (text, column, message) in [
        ("watch = 'x'", 9, "tool.hotreload.watch: expected a list of globs, found string"),
        ("ignore = [true]", 11, "tool.hotreload.ignore: expected a list of globs, found boolean"),
        ("env-file = 1", 12, "tool.hotreload.env-file: expected a file or a list of files, found 1"),
        ("grace = '2'", 9, "tool.hotreload.grace: expected a number of seconds, at least 0, found string"),
        ("entry = 3", 9, "tool.hotreload.entry: expected \"package.module:application\", found 3"),
        (
            "python = 3.12",
            10,
            "tool.hotreload.python: expected a version in quotes, or the path of an interpreter, found 3.12",
        ),
        (
            "packages = 'x'",
            12,
            "tool.hotreload.packages: expected a list of directories of packages, found string",
        ),
        ("preload = 'numpy'", 11, "tool.hotreload.preload: expected a list of module names, found string"),
        ("preload = [1]", 12, "tool.hotreload.preload: expected a list of module names, found 1"),
        ("exclude = ['a-b']", 12, "tool.hotreload.exclude: \"a-b\" is no module's name"),
        ("lazy = 'é'", 8, "tool.hotreload.lazy: expected true or false, found string"),
        (
            "import-limit = 0",
            16,
            "tool.hotreload.import-limit: expected a number of seconds above 0, found 0",
        ),
        (
            "import-limit = nan",
            16,
            "tool.hotreload.import-limit: expected a number of seconds above 0, found nan",
        ),
        ("spares = -1", 10, "tool.hotreload.spares: expected a whole number, at least 0, found -1"),
    ] {
        assert_eq!(one(text), (2, column, message.to_owned()));
    }
}

#[test]
fn what_is_wrong_spoils_nothing_else() {
    let (settings, problems) = understand("[tool.hotreload]\npreload = [1, 'a', '']\nlazy = 0\nspares = 3\n");
    assert_eq!(problems.len(), 3);
    let preload: Vec<&str> = settings.preload.iter().map(|preload| preload.module.as_str()).collect();
    assert_eq!((preload, settings.lazy, settings.spares), (vec!["a"], true, Some(3)));
}

#[test]
fn a_broken_file_is_told() {
    let found = problems("[tool.hotreload]\nlazy = \n");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0, 2);
    assert!(found[0].2.starts_with("[tool.hotreload] cannot be read: "), "{found:?}");
    assert_eq!(
        problems("tool.hotreload = 3"),
        [(1, 18, "tool.hotreload: expected a table, found 3".to_owned())]
    );
}

#[test]
fn what_is_preloaded_and_excluded_is_told() {
    let found = problems("[tool.hotreload]\npreload = ['a.b']\nexclude = ['a']\n");
    assert_eq!(found, [(2, 12, "tool.hotreload.preload: a.b is excluded as well".to_owned())]);
}

#[test]
fn how_programs_are_run_is_read() {
    let (settings, problems) = understand(
        "[tool.hotreload]\nwatch = ['templates/**', '*.yaml']\nignore = ['build/**']\nenv-file = '.env'\n\
         grace = 0\npython = '3.12'\npackages = ['../shared/shared']\n",
    );
    assert_eq!(problems, []);
    assert_eq!(settings.watch, ["templates/**", "*.yaml"]);
    assert_eq!(settings.ignore, ["build/**"]);
    assert_eq!(settings.env_file, [PathBuf::from(".env")]);
    assert_eq!((settings.grace, settings.python.as_deref()), (Some(Duration::ZERO), Some("3.12")));
    let (several, _) = understand("tool.hotreload.env-file = ['a', 'b']");
    assert_eq!(several.env_file, [PathBuf::from("a"), PathBuf::from("b")]);
}

#[test]
fn the_settings_of_the_project_around_a_directory_are_found() {
    let directory = tempfile::tempdir().unwrap();
    let inner = directory.path().join("src/shop");
    std::fs::create_dir_all(&inner).unwrap();
    std::fs::write(directory.path().join(FILE), "[tool.hotreload]\ngrace = 5\ngrac = 6\n").unwrap();
    let found = Settings::near(&inner);
    assert_eq!(found.root, directory.path());
    assert_eq!(found.settings.grace, Some(Duration::from_secs(5)));
    assert_eq!(found.problems.len(), 1);
    assert!(found.problems[0].message.ends_with("did you mean \"grace\"?"), "{:?}", found.problems);
}
