//! Where runs of bytes end, found eight bytes at a time: most runs are that short, and a loop over single bytes would
//! spend its time on guessing wrongly when it ends.

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The number of spaces that bytes begin with.
pub(super) fn spaces(bytes: &[u8]) -> usize {
    run(bytes, |word| word ^ (LOW * u64::from(b' ')), |byte| byte == b' ')
}

/// The number of ASCII letters, digits and underscores that bytes begin with.
pub(super) fn word(bytes: &[u8]) -> usize {
    run(bytes, outside_of_words, |byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The length of the run that bytes begin with. Of eight bytes, the lowest first, `ends` gives a number whose lowest
/// byte that is not zero stands where the run ends.
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
                let mut bytes = [b'w'; 20];
                bytes[position] = byte;
                let is_of_word = byte.is_ascii_alphanumeric() || byte == b'_';
                assert_eq!(word(&bytes), if is_of_word { 20 } else { position }, "{byte} at {position}");
                let mut bytes = [b' '; 20];
                bytes[position] = byte;
                assert_eq!(spaces(&bytes), if byte == b' ' { 20 } else { position }, "{byte} at {position}");
            }
        }
        assert_eq!((word(b""), spaces(b"")), (0, 0));
    }

    #[test]
    fn every_byte_that_may_stand_in_words_goes_on_with_them() {
        let all: Vec<u8> = (0..128_u8).filter(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').collect();
        assert_eq!(word(&all), all.len());
    }
}
