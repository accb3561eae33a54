#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mintmark_fuzz::targets::console::run(data));
