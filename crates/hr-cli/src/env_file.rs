//! Variables of the environment that lie in files, as `.env` does.

use std::path::{Path, PathBuf};

use thiserror::Error;

/// A file from which no variables can be had.
#[derive(Debug, Error)]
pub(crate) enum EnvFileError {
    #[error("cannot read {}", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{}:{line} is no assignment NAME=VALUE: {text}", path.display())]
    Syntax { path: PathBuf, line: usize, text: String },
}

impl EnvFileError {
    /// What to do about it.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "name another file with --env-file, or in tool.hotreload.env-file",
            Self::Syntax { .. } => "put values with spaces, quotes or # into quotes",
        }
    }
}

/// The variables of all files; one that several of them set has the value of the last, in the place of the first.
pub(crate) fn read(files: &[PathBuf]) -> Result<Vec<(String, String)>, EnvFileError> {
    let mut variables: Vec<(String, String)> = Vec::new();
    for file in files {
        for (name, value) in read_one(file)? {
            match variables.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => *known = value,
                None => variables.push((name, value)),
            }
        }
    }
    Ok(variables)
}

fn read_one(path: &Path) -> Result<Vec<(String, String)>, EnvFileError> {
    let unreadable = |source| EnvFileError::Unreadable { path: path.to_owned(), source };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let text = text.trim_start_matches('\u{feff}');
    dotenvy::from_read_iter(text.as_bytes())
        .map(|variable| {
            variable.map_err(|error| match error {
                dotenvy::Error::LineParse(wrong, _) => syntax_error(path, text, &wrong),
                dotenvy::Error::Io(source) => unreadable(source),
                other => unreadable(std::io::Error::other(other)),
            })
        })
        .collect()
}

/// The parser tells what is wrong, not where: of several equal lines it met the first.
fn syntax_error(path: &Path, text: &str, wrong: &str) -> EnvFileError {
    let wrong = wrong.lines().next().unwrap_or_default().trim();
    let line = text.lines().position(|line| line.trim().starts_with(wrong)).map_or(1, |index| index + 1);
    EnvFileError::Syntax { path: path.to_owned(), line, text: wrong.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".env");
        std::fs::write(&path, text).unwrap();
        (directory, path)
    }

    #[test]
    fn assignments_are_read_as_shells_write_them() {
        let (_directory, path) = file(
            "\u{feff}# settings\nexport DEBUG=1\n\nURL=\"http://x/#a\" # why\nRAW='$DEBUG'\nBOTH=${DEBUG}2\nTEXT=\"a\nb\"\n",
        );
        let expected =
            [("DEBUG", "1"), ("URL", "http://x/#a"), ("RAW", "$DEBUG"), ("BOTH", "12"), ("TEXT", "a\nb")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(read(&[path]).unwrap(), expected);
    }

    #[test]
    fn the_last_file_wins() {
        let (_one, first) = file("A=1\nB=2\n");
        let (_two, second) = file("A=3\n");
        let expected = [("A".to_owned(), "3".to_owned()), ("B".to_owned(), "2".to_owned())];
        assert_eq!(read(&[first, second]).unwrap(), expected);
    }

    #[test]
    fn what_is_no_assignment_is_told_with_its_place() {
        for (text, line) in [("A=1\n\nnonsense\n", 3), ("A=1\nB='x\n", 2), ("# B C\n  B C\n", 2)] {
            let (_directory, path) = file(text);
            let error = read(std::slice::from_ref(&path)).expect_err(text);
            let place = format!("{}:{line} ", path.display());
            assert!(error.to_string().starts_with(&place), "{text}: {error}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = read(&[PathBuf::from("/nowhere/.env")]).unwrap_err();
        assert_eq!(error.to_string(), "cannot read /nowhere/.env");
        assert!(error.hint().contains("--env-file"));
    }
}
