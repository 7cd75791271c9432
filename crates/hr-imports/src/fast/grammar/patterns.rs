//! The patterns of `case` clauses, as far as they are plain.

use super::{Grammar, InDoubt, Kind, Sure};

/// Whether a pattern is a name and nothing else.
type IsName = bool;

impl Grammar<'_> {
    pub(in crate::fast) fn pattern(&mut self) -> Sure<IsName> {
        self.nested(|this| {
            let mut is_name = this.closed_pattern()?;
            while this.accept(Kind::Pipe) {
                this.closed_pattern()?;
                is_name = false;
            }
            if this.accept(Kind::As) {
                // The one name that takes nothing.
                if this.name()? == "_" {
                    return Err(InDoubt);
                }
                is_name = false;
            }
            Ok(is_name)
        })
    }

    fn closed_pattern(&mut self) -> Sure<IsName> {
        match self.kind() {
            Kind::True | Kind::False | Kind::None => {
                self.advance();
            }
            Kind::Number => {
                self.advance();
                // `1 + 2j`
                if self.at(Kind::Sign) {
                    return Err(InDoubt);
                }
            }
            Kind::String => {
                self.advance();
                if matches!(self.kind(), Kind::String | Kind::Bytes | Kind::Interpolated) {
                    return Err(InDoubt);
                }
            }
            Kind::LeftParen => self.sequence_pattern(Kind::RightParen)?,
            Kind::LeftBracket => self.sequence_pattern(Kind::RightBracket)?,
            Kind::LeftBrace => self.mapping_pattern()?,
            Kind::Name => return self.name_pattern(),
            _ => return Err(InDoubt),
        }
        Ok(false)
    }

    /// A name, a dotted one, or a class with its arguments.
    fn name_pattern(&mut self) -> Sure<IsName> {
        self.expect(Kind::Name)?;
        let mut is_name = true;
        while self.accept(Kind::Dot) {
            self.expect(Kind::Name)?;
            is_name = false;
        }
        if !self.accept(Kind::LeftParen) {
            return Ok(is_name);
        }
        let mut has_keywords = false;
        while !self.accept(Kind::RightParen) {
            let is_name = self.pattern()?;
            if self.accept(Kind::Equal) {
                has_keywords = true;
                if !is_name {
                    return Err(InDoubt);
                }
                self.pattern()?;
            } else if has_keywords {
                return Err(InDoubt);
            }
            self.comma_or(Kind::RightParen)?;
        }
        Ok(false)
    }

    fn sequence_pattern(&mut self, closing: Kind) -> Sure<()> {
        self.advance();
        let mut stars = 0;
        while !self.accept(closing) {
            if self.accept(Kind::Star) {
                self.expect(Kind::Name)?;
                stars += 1;
                // Alone in parentheses it is no sequence.
                if stars > 1 || (closing == Kind::RightParen && !self.at(Kind::Comma)) {
                    return Err(InDoubt);
                }
            } else {
                self.pattern()?;
            }
            self.comma_or(closing)?;
        }
        Ok(())
    }

    /// Keys that are single strings, and nothing that takes the rest.
    fn mapping_pattern(&mut self) -> Sure<()> {
        self.advance();
        while !self.accept(Kind::RightBrace) {
            self.expect(Kind::String)?;
            self.expect(Kind::Colon)?;
            self.pattern()?;
            self.comma_or(Kind::RightBrace)?;
        }
        Ok(())
    }
}
