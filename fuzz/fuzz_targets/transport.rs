//! See `fuzz_properties::transport`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzz_properties::transport::check(data);
});
