//! Reads `[tool.hotreload]`, and tells what is wrong with it and where.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use hr_imports::Location;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{FILE, KEYS, Preload, Settings};
use crate::graph::{Place, Problem};
use crate::project::is_identifier;

/// How alike a key must be to one that exists for that to be what was meant: 0 is not at all, 1 is the same.
const ALIKE: f64 = 0.8;

/// What a `pyproject.toml` says.
pub(super) fn understand(text: &str) -> (Settings, Vec<Problem>) {
    let mut reader = Reader { text, settings: Settings::default(), problems: Vec::new() };
    match DeTable::parse(text) {
        Ok(document) => reader.document(document.get_ref()),
        Err(error) => {
            let span = error.span().unwrap_or(0..0);
            reader.complain(&span, format!("[tool.hotreload] cannot be read: {}", error.message()));
        }
    }
    (reader.settings, reader.problems)
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
            "import-limit" => match seconds(value.get_ref()).filter(|limit| !limit.is_zero()) {
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
            "packages" => {
                self.strings(key, "a list of directories of packages", value);
            }
            _ => self.setting_of_program(key, span, value),
        }
    }

    /// Those that say how a program is run.
    fn setting_of_program(&mut self, key: &str, span: &Range<usize>, value: &Spanned<DeValue<'_>>) {
        match key {
            "watch" => self.settings.watch = self.texts(key, "a list of globs", value),
            "ignore" => self.settings.ignore = self.texts(key, "a list of globs", value),
            "env-file" => {
                self.settings.env_file = match value.get_ref().as_str() {
                    Some(file) => vec![file.into()],
                    None => self
                        .texts(key, "a file or a list of files", value)
                        .into_iter()
                        .map(PathBuf::from)
                        .collect(),
                };
            }
            "grace" => match seconds(value.get_ref()) {
                Some(grace) => self.settings.grace = Some(grace),
                None => self.wrong_type(key, "a number of seconds, at least 0", value),
            },
            "python" => match value.get_ref().as_str().filter(|python| !python.is_empty()) {
                Some(python) => self.settings.python = Some(python.to_owned()),
                None => {
                    self.wrong_type(key, "a version in quotes, or the path of an interpreter", value);
                }
            },
            "entry" => {
                let text = value.get_ref().as_str();
                let module = text.map(|entry| entry.split_once(':').map_or(entry, |(module, _)| module));
                match module.filter(|module| module.split('.').all(is_identifier)) {
                    Some(module) => self.settings.entry = Some(module.to_owned()),
                    None => self.wrong_type(key, "\"package.module:application\"", value),
                }
            }
            "checkpoints" => match integer(value.get_ref()).and_then(|most| u32::try_from(most).ok()) {
                Some(most) => self.settings.checkpoints = Some(most),
                None => self.wrong_type(key, "a whole number, at least 0", value),
            },
            "checkpoint-memory" => match integer(value.get_ref()).and_then(|most| u64::try_from(most).ok()) {
                Some(megabytes) => self.settings.checkpoint_memory = Some(megabytes.saturating_mul(1 << 20)),
                None => self.wrong_type(key, "a whole number of megabytes, at least 0", value),
            },
            "checkpoint-overhead" => {
                match integer(value.get_ref()).and_then(|percent| u32::try_from(percent).ok()) {
                    Some(percent) => self.settings.checkpoint_overhead = Some(percent),
                    None => self.wrong_type(key, "a whole number of percent, at least 0", value),
                }
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

    fn texts(&mut self, key: &str, expected: &str, value: &Spanned<DeValue<'_>>) -> Vec<String> {
        self.strings(key, expected, value).into_iter().map(|(text, _)| text).collect()
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
    whole().or_else(fraction)
}
