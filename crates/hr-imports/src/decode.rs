//! Bytes to text, as Python's tokenizer does it: byte order mark, PEP 263 declaration, else UTF-8.
//!
//! Source: <https://peps.python.org/pep-0263/> and `Lib/tokenize.py`, `detect_encoding`.

use std::borrow::Cow;

use encoding_rs::Encoding;

use crate::import::{Location, Problem};

/// Decodes a source file.
///
/// Text comes back always: what cannot be decoded is replaced, and a [`Problem`] says where and why
/// Python would refuse the file.
pub fn decode(bytes: &[u8]) -> (Cow<'_, str>, Option<Problem>) {
    let (body, has_mark) = match bytes.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) => (rest, true),
        None => (bytes, false),
    };
    let Some((label, line)) = declared_encoding(body) else {
        return utf8(body, None);
    };
    let codec = Codec::of(&label);
    if has_mark && !agrees_with_mark(&label) {
        let (text, _) = utf8(body, None);
        let message = format!("encoding problem: {label} with a UTF-8 byte order mark");
        return (text, Some(Problem { location: Location { line, column: 1 }, message }));
    }
    match codec {
        Some(Codec::Utf8) => utf8(body, Some(&label)),
        Some(Codec::Ascii) => single_byte(body, &label, u8::is_ascii),
        Some(Codec::Latin1) => (encoding_rs::mem::decode_latin1(body), None),
        Some(Codec::Windows1252) => {
            let (text, problem) = other(body, encoding_rs::WINDOWS_1252, &label);
            // WHATWG maps these five to control characters; Python's cp1252 refuses them.
            let undefined = |byte: &u8| matches!(byte, 0x81 | 0x8d | 0x8f | 0x90 | 0x9d);
            let problem =
                problem.or_else(|| body.iter().position(undefined).map(|at| undecodable(body, at, &label)));
            (text, problem)
        }
        Some(Codec::Other(encoding)) => other(body, encoding, &label),
        None => {
            let message = format!("unknown encoding: {label}");
            let (text, _) = utf8(body, Some(&label));
            (text, Some(Problem { location: Location { line, column: 1 }, message }))
        }
    }
}

/// Whether a declaration may follow a byte order mark: unlike elsewhere, `utf8` is not good enough there.
///
/// Source: `get_normal_name` and `check_coding_spec` in `Parser/tokenizer/helpers.c`.
fn agrees_with_mark(label: &str) -> bool {
    let normal = label.to_ascii_lowercase().replace('_', "-");
    normal == "utf-8" || normal.starts_with("utf-8-")
}

/// The codecs that Python and the WHATWG registry do not agree upon, and the rest.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Codec {
    Utf8,
    Ascii,
    Latin1,
    Windows1252,
    Other(&'static Encoding),
}

impl Codec {
    fn of(label: &str) -> Option<Self> {
        let normal = label.to_ascii_lowercase().replace(['_', ' '], "-");
        Some(match normal.as_str() {
            "utf-8" | "utf8" | "u8" | "utf" | "utf8-ucs2" | "utf8-ucs4" | "cp65001" | "utf-8-sig" => {
                Self::Utf8
            }
            _ if normal.starts_with("utf-8-") => Self::Utf8,
            "ascii" | "us-ascii" | "646" | "ansi-x3.4-1968" | "iso646-us" => Self::Ascii,
            "latin-1" | "latin1" | "latin" | "l1" | "iso-8859-1" | "iso8859-1" | "8859" | "cp819"
            | "iso8859" => Self::Latin1,
            _ if normal.starts_with("latin-1-") || normal.starts_with("iso-8859-1-") => Self::Latin1,
            "cp1252" | "windows-1252" | "1252" => Self::Windows1252,
            _ => Self::Other(whatwg(&normal)?),
        })
    }
}

/// Python's names for codecs that the WHATWG registry knows by another.
fn whatwg(normal: &str) -> Option<&'static Encoding> {
    let by_alias = match normal {
        "cp932" | "ms932" | "mskanji" | "s-jis" | "sjis" | "shiftjis" | "csshiftjis" => "shift_jis",
        "ujis" | "eucjp" | "u-jis" => "euc-jp",
        "cp936" | "ms936" | "936" | "euccn" | "euc-cn" | "gb2312-1980" => "gbk",
        "gb18030-2000" => "gb18030",
        "euckr" | "cp949" | "949" | "ms949" | "uhc" => "euc-kr",
        "cp950" | "950" | "ms950" | "big5-tw" => "big5",
        "mac-roman" | "macroman" | "mac-latin" => "macintosh",
        "mac-cyrillic" | "maccyrillic" => "x-mac-cyrillic",
        "koi8-r" => "koi8-r",
        _ => "",
    };
    if !by_alias.is_empty() {
        return Encoding::for_label(by_alias.as_bytes());
    }
    let underscored = normal.replace('-', "_");
    Encoding::for_label(normal.as_bytes())
        .or_else(|| Encoding::for_label(underscored.as_bytes()))
        .or_else(|| Encoding::for_label(format!("iso-8859-{}", normal.strip_prefix("iso8859-")?).as_bytes()))
        .filter(|encoding| encoding.is_ascii_compatible())
}

/// The name after `coding:` or `coding=` in a comment on the first two lines, and its line.
fn declared_encoding(body: &[u8]) -> Option<(String, u32)> {
    let mut rest = body;
    for line_number in 1..=2 {
        let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len());
        let line = &rest[..end];
        let start = line.iter().position(|byte| !matches!(byte, b' ' | b'\t' | 0x0c));
        match start.map(|start| &line[start..]) {
            Some(comment) if comment[0] == b'#' => {
                if let Some(name) = coding_name(comment) {
                    return Some((name, line_number));
                }
            }
            // Only a blank line or a comment may stand before the declaration.
            Some(_) => return None,
            None => {}
        }
        rest = &rest[end..];
        rest = rest.strip_prefix(b"\r\n").or_else(|| rest.get(1..)).unwrap_or_default();
    }
    None
}

/// The expression of PEP 263: `coding[:=][ \t]*([-_.a-zA-Z0-9]+)`.
fn coding_name(comment: &[u8]) -> Option<String> {
    let mut from = 0;
    while let Some(at) = comment[from..].windows(6).position(|window| window == b"coding") {
        let after = &comment[from + at + 6..];
        from += at + 6;
        let Some((b':' | b'=', value)) = after.split_first() else { continue };
        let start = value.iter().position(|byte| !matches!(byte, b' ' | b'\t')).unwrap_or(value.len());
        let name: String = value[start..]
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
            .map(|&byte| char::from(byte))
            .collect();
        if !name.is_empty() {
            return Some(name);
        }
    }
    None
}

fn utf8<'a>(body: &'a [u8], declared: Option<&str>) -> (Cow<'a, str>, Option<Problem>) {
    match std::str::from_utf8(body) {
        Ok(text) => (Cow::Borrowed(text), None),
        Err(error) => {
            let at = error.valid_up_to();
            let mut problem = undecodable(body, at, "utf-8");
            if declared.is_none() {
                problem.message = format!(
                    "non-UTF-8 byte 0x{:02x}, and no encoding declared (https://peps.python.org/pep-0263/)",
                    body[at]
                );
            }
            (String::from_utf8_lossy(body), Some(problem))
        }
    }
}

fn single_byte<'a>(body: &'a [u8], label: &str, valid: fn(&u8) -> bool) -> (Cow<'a, str>, Option<Problem>) {
    let problem = body.iter().position(|byte| !valid(byte)).map(|at| undecodable(body, at, label));
    (encoding_rs::mem::decode_latin1(body), problem)
}

fn other<'a>(body: &'a [u8], encoding: &'static Encoding, label: &str) -> (Cow<'a, str>, Option<Problem>) {
    let (text, malformed) = encoding.decode_without_bom_handling(body);
    let problem = malformed.then(|| {
        let place = text.find('\u{fffd}').unwrap_or(0);
        let line = text[..place].split(['\n']).count();
        let column = text[..place].rsplit('\n').next().unwrap_or("").chars().count() + 1;
        let location = Location { line: saturating(line), column: saturating(column) };
        Problem { location, message: format!("bytes that {label} cannot decode") }
    });
    (text, problem)
}

fn undecodable(body: &[u8], at: usize, label: &str) -> Problem {
    let before = &body[..at];
    let line_start =
        before.iter().rposition(|byte| matches!(byte, b'\n' | b'\r')).map_or(0, |index| index + 1);
    let mut line = 1;
    for (index, byte) in before.iter().enumerate() {
        if *byte == b'\n' || (*byte == b'\r' && body.get(index + 1) != Some(&b'\n')) {
            line += 1;
        }
    }
    let column = String::from_utf8_lossy(&body[line_start..at]).chars().count() + 1;
    let message = format!("byte 0x{:02x} that {label} cannot decode", body[at]);
    Problem { location: Location { line, column: saturating(column) }, message }
}

fn saturating(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], text: &str, place: Option<(u32, u32)>) {
        let (decoded, problem) = decode(bytes);
        assert_eq!(decoded, text);
        let found = problem.as_ref().map(|problem| (problem.location.line, problem.location.column));
        assert_eq!(found, place, "{problem:?}");
    }

    #[test]
    fn declared_encodings_are_honoured() {
        check(b"# coding: latin-1\nx = '\xe9'", "# coding: latin-1\nx = 'é'", None);
        check(
            b"#!/bin/sh\n# vim: set fileencoding=cp1252 :\n'\x80'",
            "#!/bin/sh\n# vim: set fileencoding=cp1252 :\n'€'",
            None,
        );
        check(b"# -*- coding: shift_jis -*-\n'\x96\xbc'", "# -*- coding: shift_jis -*-\n'名'", None);
        check(b"\xef\xbb\xbfimport a", "import a", None);
        check(b"\xef\xbb\xbf# coding: utf-8\n", "# coding: utf-8\n", None);
        check(b"x = 1\n# coding: latin-1\n", "x = 1\n# coding: latin-1\n", None);
    }

    #[test]
    fn what_python_refuses_is_a_problem() {
        check(b"import a\nx = '\xe9'\n", "import a\nx = '\u{fffd}'\n", Some((2, 6)));
        check(b"# coding: ascii\n'\xe9'", "# coding: ascii\n'é'", Some((2, 2)));
        check(b"# coding: klingon\nimport a\n", "# coding: klingon\nimport a\n", Some((1, 1)));
        check(b"\xef\xbb\xbf# coding: latin-1\n", "# coding: latin-1\n", Some((1, 1)));
        check(b"\r\r\n'\xff'", "\r\r\n'\u{fffd}'", Some((3, 2)));
    }
}
