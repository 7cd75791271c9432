//! Times and sizes as people read them.

/// Microseconds as people read them.
pub(crate) fn duration(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..10_000 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        10_000..1_000_000 => format!("{} ms", micros / 1_000),
        _ => format!("{}.{:02} s", micros / 1_000_000, micros % 1_000_000 / 10_000),
    }
}

/// Bytes as people read them.
pub(crate) fn bytes(bytes: i64) -> String {
    let sign = if bytes < 0 { "-" } else { "" };
    match bytes.unsigned_abs() {
        0 => "0".to_owned(),
        few @ 1..1_000_000 => format!("{sign}{} kB", few.div_ceil(1_000)),
        more @ 1_000_000..10_000_000 => {
            format!("{sign}{}.{} MB", more / 1_000_000, more % 1_000_000 / 100_000)
        }
        many => format!("{sign}{} MB", many / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        let durations = [0, 999, 1_500, 84_000, 1_234_567].map(duration);
        assert_eq!(durations, ["0 µs", "999 µs", "1.5 ms", "84 ms", "1.23 s"]);
        let sizes = [0, 12, -400_000, 1_500_000, 61_000_000].map(bytes);
        assert_eq!(sizes, ["0", "1 kB", "-400 kB", "1.5 MB", "61 MB"]);
    }
}
