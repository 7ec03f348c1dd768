#![no_main]

#[path = "../../tests/support/answered.rs"]
mod answered;
#[path = "../../tests/support/fuzz/dpop.rs"]
mod dpop;

libfuzzer_sys::fuzz_target!(|data: (u8, &[u8])| dpop::run(data));
