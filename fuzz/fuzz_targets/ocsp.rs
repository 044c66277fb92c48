//! See `fuzz_properties::ocsp`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzz_properties::ocsp::check(data);
});
