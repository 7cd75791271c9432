//! Recognises the reloaders that programs bring along, and switches them off: two would restart the program twice.
//! Pure.
//!
//! What is told here of each program was read off the `--help` and the source of uvicorn 0.54, Flask 3.1, Django 6.1,
//! django-extensions 4.1, granian 2.8, gunicorn 27.0, Hypercorn 0.18, Quart 0.22, Sanic 25.12, fastapi-cli 0.0.34 and
//! Litestar 2.25.

use std::ffi::{OsStr, OsString};

mod known;

use known::{KNOWN, Meaning, Reloader};

/// What an environment variable is set to.
pub(super) type Variables<'v> = &'v dyn Fn(&str) -> Option<OsString>;

/// A command line whose reloader, if it has one, is off.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Switched {
    /// The words after the program's name.
    pub(super) words: Vec<OsString>,
    /// A sentence on what was switched off.
    pub(super) notice: Option<String>,
    /// Variables to set, or to remove.
    pub(super) environment: Vec<(OsString, Option<OsString>)>,
}

/// Switches off the reloader of `program`, a console script or a module by its name, that is given `words`.
pub(super) fn switch_off(program: &str, words: &[OsString], variables: Variables<'_>) -> Switched {
    KNOWN
        .iter()
        .filter(|known| known.programs.contains(&program))
        .find_map(|known| Some((known, known.options_begin(words)?)))
        .map_or_else(
            || Switched { words: words.to_vec(), ..Switched::default() },
            |(known, begin)| known.switch_off(words, begin, variables),
        )
}

impl Reloader {
    /// Where the options begin among which those of the reloader are: after the subcommand.
    fn options_begin(&self, words: &[OsString]) -> Option<usize> {
        if self.subcommands.is_empty() {
            return Some(0);
        }
        let mut at = 0;
        while let Some(word) = words.get(at).and_then(|word| word.to_str()) {
            if !word.starts_with('-') {
                return self.subcommands.contains(&word).then_some(at + 1);
            }
            at += if self.valued_before.contains(&word) { 2 } else { 1 };
        }
        None
    }

    fn switch_off(&self, words: &[OsString], begin: usize, variables: Variables<'_>) -> Switched {
        let (before, options) = words.split_at(begin);
        let debug = self.debug.is_some_and(|variable| is_true(variables(variable).as_deref()));
        let mut filter = Filter { of: self, on: self.by_default || debug, off_is_said: false };
        for word in before.iter().filter_map(|word| word.to_str()) {
            filter.see_debug(word);
        }
        let options = filter.options(options);
        let environment = self.environment(&mut filter, variables);
        let mut words = before.to_vec();
        if let (Some(off), false) = (self.off, filter.off_is_said) {
            words.push(off.into());
        }
        words.extend(options);
        let notice = filter
            .on
            .then(|| format!("{}'s own reloader is switched off: hr restarts the program", self.name));
        Switched { words, notice, environment }
    }

    fn environment(
        &self,
        filter: &mut Filter<'_>,
        variables: Variables<'_>,
    ) -> Vec<(OsString, Option<OsString>)> {
        let mut changes = Vec::new();
        for variable in self.variables {
            if variables(variable).is_some_and(|value| !value.is_empty()) {
                filter.on |= !variable.ends_with("_RELOAD") || is_true(variables(variable).as_deref());
                changes.push((OsString::from(variable), None));
            }
        }
        if let Some(variable) = self.words_in {
            let value = variables(variable).and_then(|value| value.into_string().ok()).unwrap_or_default();
            // What a shell would take apart otherwise is left alone.
            if !value.contains(['\'', '"', '\\', '#']) {
                let words: Vec<OsString> = value.split_whitespace().map(OsString::from).collect();
                let kept = filter.options(&words);
                if kept.len() < words.len() {
                    changes.push((variable.into(), Some(kept.join(OsStr::new(" ")))));
                }
            }
        }
        changes
    }
}

/// Takes the options of a reloader out of others, and remembers whether it would have been on.
struct Filter<'r> {
    of: &'r Reloader,
    on: bool,
    off_is_said: bool,
}

impl Filter<'_> {
    fn options(&mut self, words: &[OsString]) -> Vec<OsString> {
        let mut kept = Vec::with_capacity(words.len());
        let mut rest = words.iter();
        while let Some(word) = rest.next() {
            if word == "--" {
                kept.push(word.clone());
                kept.extend(rest.cloned());
                break;
            }
            let Some(text) = word.to_str() else {
                kept.push(word.clone());
                continue;
            };
            match self.meaning(text) {
                None => kept.extend(self.other(text)),
                Some((Meaning::Value { starts }, value_is_here)) => {
                    self.on |= starts;
                    if !value_is_here {
                        rest.next();
                    }
                }
                Some((Meaning::Starts, _)) => self.on = true,
                Some((Meaning::Concerns, _)) => {}
                Some((Meaning::Mixed(rest), _)) => {
                    self.on = true;
                    kept.push(rest.into());
                }
            }
        }
        kept
    }

    /// What a word means for the reloader, and whether its value, if it takes one, is part of it.
    fn meaning(&self, word: &str) -> Option<(Meaning, bool)> {
        self.of.options.iter().find_map(|(option, meaning)| {
            let rest = word.strip_prefix(option)?;
            let takes_value = matches!(meaning, Meaning::Value { .. });
            let is_short = !option.starts_with("--");
            let fits = rest.is_empty() || (takes_value && (is_short || rest.starts_with('=')));
            fits.then_some((*meaning, !rest.is_empty()))
        })
    }

    /// A word that is none of the reloader's alone, as it is to stay.
    fn other(&mut self, word: &str) -> Option<OsString> {
        self.see_debug(word);
        if Some(word) == self.of.off {
            self.on = false;
            self.off_is_said = true;
        }
        // Short flags written as one word: `-rd`.
        if let Some((flag, flags)) = self.of.combined
            && let Some(letters) = word.strip_prefix('-')
            && letters.len() > 1
            && letters.contains(flag)
            && letters.chars().all(|letter| flags.contains(letter))
        {
            self.on = true;
            let others = letters.replace(flag, "");
            return (!others.is_empty()).then(|| format!("-{others}").into());
        }
        Some(word.into())
    }

    fn see_debug(&mut self, word: &str) {
        if self.of.debug.is_some() {
            match word {
                "--debug" => self.on = true,
                "--no-debug" => self.on = false,
                _ => {}
            }
        }
    }
}

/// Whether a variable's value switches a flag on; what Flask and Click take for no is no.
fn is_true(value: Option<&OsStr>) -> bool {
    let value = value.unwrap_or_default().to_string_lossy().to_lowercase();
    !["", "0", "false", "f", "no", "n", "off"].contains(&value.trim())
}

#[cfg(test)]
mod tests;
