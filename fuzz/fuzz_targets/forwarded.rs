#![no_main]

#[path = "../../tests/support/fuzz/forwarded.rs"]
mod forwarded;

libfuzzer_sys::fuzz_target!(|data: &[u8]| forwarded::run(data));
