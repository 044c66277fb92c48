//! See `fuzz_properties::identifier`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzz_properties::identifier::check(data);
});
