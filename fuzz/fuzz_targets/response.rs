#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use sansock_fuzz::{http, response};

fuzz_target!(|bytes: &[u8]| response::check(bytes));

fuzz_mutator!(|data: &mut [u8], size: usize, most: usize, seed: u32| {
    let mutated = http::mutate(data, size, most, seed, &response::LINES);
    mutated.unwrap_or_else(|| fuzzer_mutate(data, size, most))
});
