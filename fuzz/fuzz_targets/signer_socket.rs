//! See `fuzz_properties::signer_socket`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzz_properties::signer_socket::check(data);
});
