#![no_main]

#[path = "../../tests/support/fuzz/signature.rs"]
mod signature;

libfuzzer_sys::fuzz_target!(|data: (u8, &[u8])| signature::run(data));
