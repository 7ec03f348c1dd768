#![no_main]

#[path = "../../tests/support/fuzz/phone.rs"]
mod phone;

libfuzzer_sys::fuzz_target!(|text: &str| phone::run(text));
