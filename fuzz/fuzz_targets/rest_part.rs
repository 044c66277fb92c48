//! See `fuzz_properties::rest_part`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzz_properties::rest_part::check(data);
});
