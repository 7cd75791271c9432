//! No bytes make the scanner panic, and its fast path says what the full parser says, or nothing.
#![no_main]

use hr_imports::{ModuleName, Target, decode, scan_bytes, scan_text_fast, scan_text_in_full};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (module, target) = (ModuleName::module("a.b.c"), Target::default());
    scan_bytes(bytes, module, &target);
    let (text, _) = decode(bytes);
    if let Some(fast) = scan_text_fast(&text, module, &target) {
        assert_eq!(fast, scan_text_in_full(&text, module, &target));
    }
});
