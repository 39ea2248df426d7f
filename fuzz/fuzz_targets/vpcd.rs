#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vbus_fuzz::vpcd(bytes));
