#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| steadfast_fuzz::settings(text));
