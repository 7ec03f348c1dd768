#![no_main]

#[path = "../../tests/support/fuzz/otp_body.rs"]
mod otp_body;

libfuzzer_sys::fuzz_target!(|data: (u8, u8, &[u8], &[u8])| otp_body::run(data));
