#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use sansock_fuzz::{http, request};

fuzz_target!(|bytes: &[u8]| request::check(bytes));

fuzz_mutator!(|data: &mut [u8], size: usize, most: usize, seed: u32| {
    let mutated = http::mutate(data, size, most, seed, &request::LINES);
    mutated.unwrap_or_else(|| fuzzer_mutate(data, size, most))
});
