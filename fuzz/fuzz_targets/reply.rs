#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fastgo_fuzz::reply::run(data));
