//! What an `import` statement can spell, as far as bytes tell.

/// Whether `name` is an identifier, keywords aside. Whatever is not ASCII counts as a letter.
pub(crate) fn is_identifier(name: &[u8]) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || !byte.is_ascii();
    name.iter().all(is_letter) && name.first().is_some_and(|first| !first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_told_from_other_names() {
        for name in ["a", "_", "größe", "a1"] {
            assert!(is_identifier(name.as_bytes()), "{name}");
        }
        for name in ["", "1a", "0001_initial", "a-b", "a.b", " "] {
            assert!(!is_identifier(name.as_bytes()), "{name}");
        }
    }
}
