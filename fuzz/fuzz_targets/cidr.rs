#![no_main]

#[path = "../../tests/support/fuzz/cidr.rs"]
mod cidr;

libfuzzer_sys::fuzz_target!(|data: (&str, [u8; 16])| cidr::run(data));
