//! See `fuzz_properties::signed_directory`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzz_properties::signed_directory::check(data);
});
