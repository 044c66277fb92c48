//! See `fuzz_properties::content_type`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzz_properties::content_type::check(data);
});
