//! See `fuzz_properties::asic`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzz_properties::asic::check(data);
});
