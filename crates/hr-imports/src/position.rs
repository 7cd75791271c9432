//! Byte offsets to lines and columns.

use ruff_source_file::LineIndex;
use ruff_text_size::TextSize;

use crate::import::Location;

/// The line table of one text.
pub(crate) struct Positions<'a> {
    text: &'a str,
    index: LineIndex,
    /// What offsets are counted from.
    base: TextSize,
}

impl<'a> Positions<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, index: LineIndex::from_source_text(text), base: TextSize::new(0) }
    }

    /// The same table for offsets from another place than the beginning of the text.
    pub(crate) fn counted_from(self, base: TextSize) -> Self {
        Self { base, ..self }
    }

    pub(crate) fn of(&self, offset: TextSize) -> Location {
        let offset = self.base + offset;
        let line = self.index.line_index(offset);
        let start = usize::from(self.index.line_start(line, self.text));
        let before = self.text.get(start..usize::from(offset)).unwrap_or_default();
        let column = if before.is_ascii() { before.len() } else { before.chars().count() };
        let limit = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Location { line: limit(line.get()), column: limit(column + 1) }
    }

    /// For asking after the lines of offsets that only grow.
    pub(crate) fn lines(&self) -> Lines<'_> {
        Lines { starts: self.index.line_starts(), current: 0 }
    }
}

/// A place in a line table, which moves forward only.
pub(crate) struct Lines<'a> {
    starts: &'a [TextSize],
    current: usize,
}

impl Lines<'_> {
    /// The line of an offset, counted from 1. No earlier call may have asked for a later offset.
    pub(crate) fn at(&mut self, offset: TextSize) -> u32 {
        while self.starts.get(self.current + 1).is_some_and(|next| *next <= offset) {
            self.current += 1;
        }
        u32::try_from(self.current + 1).unwrap_or(u32::MAX)
    }
}
