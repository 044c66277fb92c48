//! See `fuzz_properties::soap`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzz_properties::soap::check(data);
});
