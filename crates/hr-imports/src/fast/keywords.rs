//! Tells keywords from names with one multiplication: none has more than eight letters, so each is a number.

use super::token::Kind;

/// The kind of a word of at most eight bytes, packed into a number with its first letter lowest.
pub(super) fn kind_of(packed: u64) -> Kind {
    let (keyword, kind) = TABLE[slot(packed)];
    if keyword == packed { kind } else { Kind::Name }
}

/// Found by trying: with this factor, no two keywords share a slot.
const FACTOR: u64 = 0xb57c_8e05_e3c9_b0e1;

const fn slot(packed: u64) -> usize {
    (packed.wrapping_mul(FACTOR) >> 58) as usize
}

const KEYWORDS: &[(&[u8], Kind)] = &[
    (b"False", Kind::False),
    (b"None", Kind::None),
    (b"True", Kind::True),
    (b"and", Kind::And),
    (b"as", Kind::As),
    (b"assert", Kind::Assert),
    (b"async", Kind::Async),
    (b"await", Kind::Await),
    (b"break", Kind::Break),
    (b"class", Kind::Class),
    (b"continue", Kind::Continue),
    (b"def", Kind::Def),
    (b"del", Kind::Del),
    (b"elif", Kind::Elif),
    (b"else", Kind::Else),
    (b"except", Kind::Except),
    (b"finally", Kind::Finally),
    (b"for", Kind::For),
    (b"from", Kind::From),
    (b"global", Kind::Global),
    (b"if", Kind::If),
    (b"import", Kind::Import),
    (b"in", Kind::In),
    (b"is", Kind::Is),
    (b"lambda", Kind::Lambda),
    (b"nonlocal", Kind::Nonlocal),
    (b"not", Kind::Not),
    (b"or", Kind::Or),
    (b"pass", Kind::Pass),
    (b"raise", Kind::Raise),
    (b"return", Kind::Return),
    (b"try", Kind::Try),
    (b"while", Kind::While),
    (b"with", Kind::With),
    (b"yield", Kind::Yield),
];

static TABLE: [(u64, Kind); 64] = table();

const fn table() -> [(u64, Kind); 64] {
    let mut table = [(0, Kind::Name); 64];
    let mut number = 0;
    while number < KEYWORDS.len() {
        let (word, kind) = KEYWORDS[number];
        let mut packed = 0;
        let mut letter = word.len();
        while letter > 0 {
            letter -= 1;
            packed = packed << 8 | word[letter] as u64;
        }
        assert!(table[slot(packed)].0 == 0, "two keywords share a slot");
        table[slot(packed)] = (packed, kind);
        number += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(word: &[u8]) -> u64 {
        word.iter().rev().fold(0, |packed, letter| packed << 8 | u64::from(*letter))
    }

    #[test]
    fn keywords_are_told_from_names() {
        for (word, kind) in KEYWORDS {
            assert_eq!(kind_of(packed(word)), *kind);
            let mut longer = word.to_vec();
            longer.push(b's');
            assert!(longer.len() > 8 || kind_of(packed(&longer)) == Kind::Name);
        }
        assert_eq!(kind_of(packed(b"x")), Kind::Name);
        assert_eq!(kind_of(0), Kind::Name);
    }
}
