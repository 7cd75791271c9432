//! The line of source that an error is in, and where.

use std::fs;
use std::path::Path;

/// More of a line than this is not shown, in characters: files of one line exist.
const WIDTH: usize = 160;

/// The line, and a caret below the column; both count from 1. Nothing if there is no such line to be shown.
pub(super) fn excerpt(file: &Path, line: u32, column: u32) -> Option<String> {
    let bytes = fs::read(file).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().nth(usize::try_from(line).ok()?.checked_sub(1)?)?;
    pointed(line, usize::try_from(column).ok()?)
}

fn pointed(line: &str, column: usize) -> Option<String> {
    let before = column.checked_sub(1)?;
    let shown = line.trim_start();
    let indentation = line.chars().count() - shown.chars().count();
    if shown.is_empty() || before > WIDTH {
        return None;
    }
    let shown: String = shown.trim_end().chars().take(WIDTH).collect();
    // Whatever is wide in the line is as wide below it.
    let blanks: String = shown.chars().take(before.saturating_sub(indentation)).map(blank).collect();
    let missing = before.saturating_sub(indentation).saturating_sub(blanks.chars().count());
    Some(format!("        {shown}\n        {blanks}{}^", " ".repeat(missing)))
}

fn blank(character: char) -> char {
    if character == '\t' { '\t' } else { ' ' }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_below_the_column() {
        assert_eq!(pointed("    if x\n", 9).unwrap(), "        if x\n            ^");
        assert_eq!(pointed("def f(:", 7).unwrap(), "        def f(:\n              ^");
        assert_eq!(pointed("\ta\t=", 4).unwrap(), "        a\t=\n         \t^");
        assert_eq!(pointed("   ", 2), None);
        assert_eq!(pointed("x", 0), None);
    }
}
