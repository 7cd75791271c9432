//! What a project says of itself in `[tool.hotreload]` of its `pyproject.toml`.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use hr_imports::Location;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::is_identifier;
use crate::graph::{Place, Problem};

/// The file that holds the settings, in the project's root.
pub(super) const FILE: &str = "pyproject.toml";

/// Every key there is. `source-roots` says where modules begin; see [`super::layout`].
const KEYS: &[&str] = &["preload", "exclude", "lazy", "import-limit", "spares", "source-roots"];

/// How alike a key must be to one that exists for that to be what was meant: 0 is not at all, 1 is the same.
const ALIKE: f64 = 0.8;

/// `[tool.hotreload]` of a project's `pyproject.toml`. What is not set there, or not understood, has its default.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// `preload`: modules that a template imports in any case, in this order, after those that are imported eagerly.
    pub preload: Vec<Preload>,
    /// `exclude`: modules that no template imports. Each name stands for its submodules as well, and is stronger than
    /// `preload`.
    pub exclude: Vec<String>,
    /// `lazy`: whether modules that are imported only inside of functions are planned, too. They are by default.
    pub lazy: bool,
    /// `import-limit`, in seconds: how long the import of one module may take.
    pub import_limit: Option<Duration>,
    /// `spares`: how many runs are forked ahead of time.
    pub spares: Option<usize>,
}

/// A module that is to be imported in any case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preload {
    /// Its dotted name.
    pub module: String,
    /// Where that is written.
    pub place: Place,
}

impl Default for Settings {
    fn default() -> Self {
        Self { preload: Vec::new(), exclude: Vec::new(), lazy: true, import_limit: None, spares: None }
    }
}

impl Settings {
    /// Whether a module is excluded, by its own name or that of a package it lies in.
    pub fn excludes(&self, module: &str) -> bool {
        covers(&self.exclude, module)
    }

    /// Reads the settings of a project, and what is wrong with them.
    pub(crate) fn read(root: &Path) -> (Self, Vec<Problem>) {
        // Without the file there is nothing to say. One that cannot be read is a problem of the tools that need it.
        let text = std::fs::read_to_string(root.join(FILE)).unwrap_or_default();
        if text.contains("hotreload") { Self::understand(&text) } else { (Self::default(), Vec::new()) }
    }

    fn understand(text: &str) -> (Self, Vec<Problem>) {
        let mut reader = Reader { text, settings: Self::default(), problems: Vec::new() };
        match DeTable::parse(text) {
            Ok(document) => reader.document(document.get_ref()),
            Err(error) => {
                let span = error.span().unwrap_or(0..0);
                reader.complain(&span, format!("[tool.hotreload] cannot be read: {}", error.message()));
            }
        }
        (reader.settings, reader.problems)
    }
}

/// Whether a module is one of those named, or lies in one of them.
pub fn covers(names: &[String], module: &str) -> bool {
    names.iter().any(|name| {
        module.strip_prefix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

struct Reader<'t> {
    text: &'t str,
    settings: Settings,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn document(&mut self, document: &DeTable<'_>) {
        let Some(settings) = document
            .get("tool")
            .and_then(|tool| tool.get_ref().as_table())
            .and_then(|tool| tool.get("hotreload"))
        else {
            return;
        };
        let Some(table) = settings.get_ref().as_table() else {
            self.wrong_type("tool.hotreload", "a table", settings);
            return;
        };
        for (key, value) in table {
            self.setting(key.get_ref(), &key.span(), value);
        }
        for preload in &self.settings.preload {
            if self.settings.excludes(&preload.module) {
                let message = format!("tool.hotreload.preload: {} is excluded as well", preload.module);
                self.problems.push(problem(&preload.place, message));
            }
        }
    }

    fn setting(&mut self, key: &str, span: &Range<usize>, value: &Spanned<DeValue<'_>>) {
        match key {
            "preload" => {
                let modules = self.modules(key, value);
                self.settings.preload =
                    modules.into_iter().map(|(module, place)| Preload { module, place }).collect();
            }
            "exclude" => {
                self.settings.exclude =
                    self.modules(key, value).into_iter().map(|(module, _)| module).collect();
            }
            "lazy" => match value.get_ref().as_bool() {
                Some(lazy) => self.settings.lazy = lazy,
                None => self.wrong_type(key, "true or false", value),
            },
            "import-limit" => match seconds(value.get_ref()) {
                Some(limit) => self.settings.import_limit = Some(limit),
                None => self.wrong_type(key, "a number of seconds above 0", value),
            },
            "spares" => match integer(value.get_ref()).and_then(|spares| usize::try_from(spares).ok()) {
                Some(spares) => self.settings.spares = Some(spares),
                None => self.wrong_type(key, "a whole number, at least 0", value),
            },
            "source-roots" => {
                self.strings(key, "a list of directories", value);
            }
            _ => self.unknown(key, span),
        }
    }

    fn unknown(&mut self, key: &str, span: &Range<usize>) {
        let nearest = KEYS
            .iter()
            .map(|known| (strsim::jaro_winkler(key, known), known))
            .filter(|(likeness, _)| *likeness > ALIKE)
            .max_by(|one, other| one.0.total_cmp(&other.0));
        let hint = match nearest {
            Some((_, known)) => format!("did you mean {known:?}?"),
            None => format!("there are {}", KEYS.join(", ")),
        };
        self.complain(span, format!("tool.hotreload has no key {key:?}; {hint}"));
    }

    fn modules(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Vec<(String, Place)> {
        let mut modules = Vec::new();
        for (name, span) in self.strings(key, "a list of module names", value) {
            if name.split('.').all(is_identifier) {
                modules.push((name, self.place(&span)));
            } else {
                self.complain(&span, format!("tool.hotreload.{key}: {name:?} is no module's name"));
            }
        }
        modules
    }

    fn strings(
        &mut self,
        key: &str,
        expected: &str,
        value: &Spanned<DeValue<'_>>,
    ) -> Vec<(String, Range<usize>)> {
        let Some(elements) = value.get_ref().as_array() else {
            self.wrong_type(key, expected, value);
            return Vec::new();
        };
        let mut strings = Vec::new();
        for element in elements {
            match element.get_ref().as_str() {
                Some(string) => strings.push((string.to_owned(), element.span())),
                None => self.wrong_type(key, expected, element),
            }
        }
        strings
    }

    fn wrong_type(&mut self, key: &str, expected: &str, value: &Spanned<DeValue<'_>>) {
        let key = key.strip_prefix("tool.hotreload").map_or(format!(".{key}"), str::to_owned);
        let found = match value.get_ref() {
            DeValue::Integer(number) => number.to_string(),
            DeValue::Float(number) => number.to_string(),
            other => other.type_str().to_owned(),
        };
        self.complain(&value.span(), format!("tool.hotreload{key}: expected {expected}, found {found}"));
    }

    fn complain(&mut self, span: &Range<usize>, message: String) {
        let place = self.place(span);
        self.problems.push(problem(&place, message));
    }

    fn place(&self, span: &Range<usize>) -> Place {
        let Location { line, column } = location(self.text, span.start);
        Place { file: FILE.into(), line, column }
    }
}

fn problem(place: &Place, message: String) -> Problem {
    Problem { file: place.file.clone(), line: place.line, column: place.column, message }
}

fn location(text: &str, offset: usize) -> Location {
    let before = text.get(..offset).unwrap_or(text);
    let limit = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Location {
        line: limit(before.matches('\n').count() + 1),
        column: limit(before.rsplit('\n').next().unwrap_or_default().chars().count() + 1),
    }
}

fn integer(value: &DeValue<'_>) -> Option<i64> {
    let number = value.as_integer()?;
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

fn seconds(value: &DeValue<'_>) -> Option<Duration> {
    let whole = || u64::try_from(integer(value)?).ok().map(Duration::from_secs);
    let fraction = || Duration::try_from_secs_f64(value.as_float()?.as_str().parse().ok()?).ok();
    whole().or_else(fraction).filter(|limit| !limit.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Line, column and message of all problems.
    fn problems(text: &str) -> Vec<(u32, u32, String)> {
        let (_, problems) = Settings::understand(text);
        problems.into_iter().map(|problem| (problem.line, problem.column, problem.message)).collect()
    }

    #[test]
    fn every_setting_is_read() {
        let (settings, problems) = Settings::understand(
            "[tool.hotreload]\npreload = ['numpy', 'a.b']\nexclude = ['c']\nlazy = false\nimport-limit = 2.5\n\
             spares = 0\nsource-roots = ['lib']\n",
        );
        assert_eq!(problems, []);
        let preload: Vec<(&str, String)> = settings
            .preload
            .iter()
            .map(|preload| (preload.module.as_str(), preload.place.to_string()))
            .collect();
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
            assert!(!Settings::understand(text).0.lazy, "{text}");
        }
    }

    #[test]
    fn nothing_said_is_the_default() {
        for text in ["", "[tool.other]\nlazy = false\n", "[tool.hotreload]\n"] {
            assert_eq!(Settings::understand(text), (Settings::default(), Vec::new()), "{text}");
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
            (
                "import_limit = 1",
                "tool.hotreload has no key \"import_limit\"; did you mean \"import-limit\"?",
            ),
            ("preloads = []", "tool.hotreload has no key \"preloads\"; did you mean \"preload\"?"),
            (
                "x = 1",
                "tool.hotreload has no key \"x\"; there are preload, exclude, lazy, import-limit, spares, source-roots",
            ),
        ] {
            assert_eq!(one(text), (2, 1, message.to_owned()));
        }
        for (text, column, message) in [
            (
                "preload = 'numpy'",
                11,
                "tool.hotreload.preload: expected a list of module names, found string",
            ),
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
        let (settings, problems) =
            Settings::understand("[tool.hotreload]\npreload = [1, 'a', '']\nlazy = 0\nspares = 3\n");
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
}
