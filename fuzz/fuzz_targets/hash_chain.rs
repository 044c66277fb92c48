//! See `fuzz_properties::hash_chain`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzz_properties::hash_chain::check(data);
});
