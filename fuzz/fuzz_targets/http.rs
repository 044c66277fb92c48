//! See `fuzz_properties::http`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzz_properties::http::check(data);
});
