//! Byte offsets to lines and columns.

use ruff_source_file::LineIndex;
use ruff_text_size::TextSize;

use crate::import::Location;

/// The line table of one text.
pub(crate) struct Positions<'a> {
    text: &'a str,
    index: LineIndex,
}

impl<'a> Positions<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, index: LineIndex::from_source_text(text) }
    }

    pub(crate) fn of(&self, offset: TextSize) -> Location {
        let line = self.index.line_index(offset);
        let start = usize::from(self.index.line_start(line, self.text));
        let before = self.text.get(start..usize::from(offset)).unwrap_or_default();
        let column = if before.is_ascii() { before.len() } else { before.chars().count() };
        let limit = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Location { line: limit(line.get()), column: limit(column + 1) }
    }

    pub(crate) fn line(&self, offset: TextSize) -> u32 {
        u32::try_from(self.index.line_index(offset).get()).unwrap_or(u32::MAX)
    }
}
