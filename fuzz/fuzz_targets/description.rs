//! See `fuzz_properties::description`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzz_properties::description::check(data);
});
