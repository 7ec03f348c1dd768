#![no_main]

#[path = "../../tests/support/fuzz/config.rs"]
mod config;

libfuzzer_sys::fuzz_target!(|data: (u8, &str)| config::run(data));
