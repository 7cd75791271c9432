//! Where runs of bytes end, found eight bytes at a time: most runs are that short, and a loop over single bytes would
//! spend its time on guessing wrongly when it ends.

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The number of spaces that bytes begin with.
#[inline]
pub(super) fn spaces(bytes: &[u8]) -> usize {
    run(bytes, |word| word ^ (LOW * u64::from(b' ')), |byte| byte == b' ')
}

/// The ASCII letters, digits and underscores that bytes begin with: how many there are, and those of a word of at most
/// eight packed into a number, the first one lowest; zero for a longer word.
#[inline]
pub(super) fn word(bytes: &[u8]) -> (usize, u64) {
    let Some(eight) = bytes.first_chunk::<8>() else { return last_word(bytes) };
    let eight = u64::from_le_bytes(*eight);
    let ends = outside_of_words(eight);
    if ends == 0 {
        let more = run(&bytes[8..], outside_of_words, is_of_word);
        return (8 + more, if more == 0 { eight } else { 0 });
    }
    // The lowest bit set is the highest of the first byte that ends the word; all bits below that byte remain.
    let inside = (ends & ends.wrapping_neg()) - 1;
    (ends.trailing_zeros() as usize / 8, eight & (inside >> 7))
}

/// The same where fewer than eight bytes are left.
#[cold]
fn last_word(bytes: &[u8]) -> (usize, u64) {
    let length = bytes.iter().take_while(|byte| is_of_word(**byte)).count();
    let packed = bytes[..length].iter().rev().fold(0, |packed, byte| packed << 8 | u64::from(*byte));
    (length, packed)
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The number of bytes before the first quote, backslash or newline.
pub(super) fn within_string(bytes: &[u8], quote: u8) -> usize {
    let quotes = LOW * u64::from(quote);
    let ends = |eight: u64| {
        zeros(eight ^ quotes)
            | zeros(eight ^ (LOW * u64::from(b'\\')))
            | zeros(eight ^ (LOW * u64::from(b'\n')))
    };
    run(bytes, ends, |byte| byte != quote && byte != b'\\' && byte != b'\n')
}

/// Sets the highest bit of the lowest byte that is zero, and none below it.
fn zeros(eight: u64) -> u64 {
    eight.wrapping_sub(LOW) & !eight & HIGH
}

/// The length of the run that bytes begin with. Of eight bytes, the lowest first, `ends` gives a number whose lowest
/// byte that is not zero stands where the run ends.
#[inline]
fn run(bytes: &[u8], ends: impl Fn(u64) -> u64, goes_on: impl Fn(u8) -> bool) -> usize {
    let mut length = 0;
    while let Some(eight) = bytes[length..].first_chunk::<8>() {
        let ends = ends(u64::from_le_bytes(*eight));
        if ends != 0 {
            return length + ends.trailing_zeros() as usize / 8;
        }
        length += 8;
    }
    length + bytes[length..].iter().take_while(|byte| goes_on(**byte)).count()
}

/// Sets the highest bit of each byte that is no ASCII letter, digit or underscore.
#[inline]
fn outside_of_words(eight: u64) -> u64 {
    // Without its highest bit, a byte plus anything up to 0x80 does not overflow into the next one.
    let ascii = eight & !HIGH;
    let small = ascii | (LOW * 0x20);
    let at_least = |bytes: u64, least: u8| bytes + LOW * u64::from(0x80 - least);
    let letters = at_least(small, b'a') & !at_least(small, b'z' + 1);
    let digits = at_least(ascii, b'0') & !at_least(ascii, b'9' + 1);
    let underscores = HIGH - (ascii ^ (LOW * u64::from(b'_')));
    (!(letters | digits | underscores) | eight) & HIGH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_end_at_the_first_other_byte() {
        for byte in 0..=u8::MAX {
            for position in 0..20 {
                for length in position + 1..=20 {
                    let mut bytes = [b'w'; 20];
                    bytes[position] = byte;
                    let expected = if is_of_word(byte) { length } else { position };
                    assert_eq!(word(&bytes[..length]).0, expected, "{byte} at {position} of {length}");
                    let ends_string = matches!(byte, b'"' | b'\\' | b'\n');
                    let expected = if ends_string { position } else { length };
                    assert_eq!(
                        within_string(&bytes[..length], b'"'),
                        expected,
                        "{byte} at {position} of {length}"
                    );
                    let mut bytes = [b' '; 20];
                    bytes[position] = byte;
                    let expected = if byte == b' ' { length } else { position };
                    assert_eq!(spaces(&bytes[..length]), expected, "{byte} at {position} of {length}");
                }
            }
        }
        assert_eq!((word(b""), spaces(b""), within_string(b"", b'"')), ((0, 0), 0, 0));
    }

    #[test]
    fn every_byte_that_may_stand_in_words_goes_on_with_them() {
        let all: Vec<u8> = (0..128_u8).filter(|byte| is_of_word(*byte)).collect();
        assert_eq!(word(&all).0, all.len());
    }

    #[test]
    fn short_words_are_packed() {
        for text in ["a", "is", "class", "continue", "Continue1", "continued_further"] {
            for rest in ["", " ", "(", " and what follows"] {
                let (length, packed) = word(format!("{text}{rest}").as_bytes());
                let mut bytes = [0; 8];
                if text.len() <= 8 {
                    bytes[..text.len()].copy_from_slice(text.as_bytes());
                }
                assert_eq!((length, packed), (text.len(), u64::from_le_bytes(bytes)), "{text}{rest}");
            }
        }
    }
}
