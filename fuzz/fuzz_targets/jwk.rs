#![no_main]

#[path = "../../tests/support/fuzz/jwk.rs"]
mod jwk;

libfuzzer_sys::fuzz_target!(|data: (u8, &str)| jwk::run(data));
