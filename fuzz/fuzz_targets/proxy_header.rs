#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sansock_fuzz::proxy_header::check(bytes));
