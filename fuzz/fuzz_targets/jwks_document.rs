#![no_main]

#[path = "../../tests/support/fuzz/jwks_document.rs"]
mod jwks_document;

libfuzzer_sys::fuzz_target!(|data: (u8, &str)| jwks_document::run(data));
