#![no_main]

#[path = "../../tests/support/answered.rs"]
mod answered;
#[path = "../../tests/support/fuzz/bearer.rs"]
mod bearer;

libfuzzer_sys::fuzz_target!(|data: (u8, &[u8])| bearer::run(data));
