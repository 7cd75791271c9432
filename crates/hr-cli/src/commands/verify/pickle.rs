//! A call as pickle writes it: what a run takes.

/// A call of `function` in `module` with `arguments`, pickled as `(function, arguments, {})`.
///
/// Opcodes of pickle protocol 2 (`pickletools` in the standard library describes them).
pub(super) fn call(module: &str, function: &str, arguments: &[&str]) -> Vec<u8> {
    let mut bytes = b"\x80\x02(".to_vec();
    bytes.extend(format!("c{module}\n{function}\n(").bytes());
    for argument in arguments {
        bytes.push(b'X');
        let length = u32::try_from(argument.len()).unwrap_or(u32::MAX);
        bytes.extend(length.to_le_bytes());
        bytes.extend(argument.bytes());
    }
    bytes.extend(b"t}t.");
    bytes
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_call_is_a_tuple_of_function_arguments_and_keywords() {
        // pickle.loads() of it: (<function basename>, ("a/é", ""), {})
        let expected = b"\x80\x02(cposixpath\nbasename\n(X\x04\x00\x00\x00a/\xc3\xa9X\x00\x00\x00\x00t}t.";
        assert_eq!(super::call("posixpath", "basename", &["a/é", ""]), expected);
    }
}
