//! See `fuzz_properties::signature_document`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzz_properties::signature_document::check(data);
});
