#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| postwarden_fuzz::run("queue_id", data));
