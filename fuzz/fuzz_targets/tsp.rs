//! See `fuzz_properties::tsp`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzz_properties::tsp::check(data);
});
