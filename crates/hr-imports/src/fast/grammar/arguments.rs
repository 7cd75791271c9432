//! What stands between the brackets of calls, subscripts and definitions.

use super::{Grammar, InDoubt, Kind, Shape, Sure};

impl Grammar<'_> {
    /// The arguments of a call or of a class.
    pub(in crate::fast) fn arguments(&mut self) -> Sure<()> {
        self.expect(Kind::LeftParen)?;
        let (mut keywords, mut count) = (false, 0);
        while !self.accept(Kind::RightParen) {
            count += 1;
            if self.accept(Kind::DoubleStar) {
                self.test()?;
                keywords = true;
                // What may follow has rules of its own.
                self.comma_or(Kind::RightParen)?;
                if self.at(Kind::Star) {
                    return Err(InDoubt);
                }
            } else if self.accept(Kind::Star) {
                self.test()?;
                self.comma_or(Kind::RightParen)?;
            } else {
                let shape = self.named_test()?;
                if shape == Shape::Name && self.accept(Kind::Equal) {
                    self.test()?;
                    keywords = true;
                } else if keywords {
                    return Err(InDoubt);
                }
                if matches!(self.kind(), Kind::For | Kind::Async) {
                    if count > 1 || keywords {
                        return Err(InDoubt);
                    }
                    self.comprehension()?;
                    self.expect(Kind::RightParen)?;
                    return Ok(());
                }
                self.comma_or(Kind::RightParen)?;
            }
        }
        Ok(())
    }

    pub(super) fn comma_or(&mut self, closing: Kind) -> Sure<()> {
        if self.accept(Kind::Comma) || self.at(closing) { Ok(()) } else { Err(InDoubt) }
    }

    pub(super) fn subscript(&mut self) -> Sure<()> {
        self.expect(Kind::LeftBracket)?;
        loop {
            let mut is_empty = true;
            for part in 0..3 {
                if !matches!(self.kind(), Kind::Colon | Kind::Comma | Kind::RightBracket) {
                    self.test()?;
                    is_empty = false;
                }
                if part == 2 || !self.accept(Kind::Colon) {
                    break;
                }
                is_empty = false;
            }
            if is_empty {
                return Err(InDoubt);
            }
            let comma = self.accept(Kind::Comma);
            if self.accept(Kind::RightBracket) {
                return Ok(());
            }
            if !comma {
                return Err(InDoubt);
            }
        }
    }

    /// The parameters of a function or a lambda, up to but not including the closing token.
    pub(in crate::fast) fn parameters(&mut self, closing: Kind, annotated: bool) -> Sure<()> {
        let (mut default, mut star, mut slash, mut count, mut needs_name) = (false, false, false, 0, false);
        while !self.at(closing) {
            if self.accept(Kind::DoubleStar) {
                self.parameter(annotated)?;
                if needs_name {
                    return Err(InDoubt);
                }
                self.accept(Kind::Comma);
                return if self.at(closing) { Ok(()) } else { Err(InDoubt) };
            }
            if self.accept(Kind::Slash) {
                if slash || star || count == 0 {
                    return Err(InDoubt);
                }
                slash = true;
            } else if self.accept(Kind::Star) {
                if star {
                    return Err(InDoubt);
                }
                star = true;
                if self.at(Kind::Name) {
                    self.parameter(annotated)?;
                } else {
                    needs_name = true;
                }
            } else {
                self.parameter(annotated)?;
                needs_name = false;
                count += 1;
                if self.accept(Kind::Equal) {
                    self.test()?;
                    default = true;
                } else if default && !star {
                    return Err(InDoubt);
                }
            }
            self.comma_or(closing)?;
        }
        if needs_name { Err(InDoubt) } else { Ok(()) }
    }

    fn parameter(&mut self, annotated: bool) -> Sure<()> {
        self.expect(Kind::Name)?;
        if annotated && self.accept(Kind::Colon) {
            self.test()?;
        }
        Ok(())
    }
}
