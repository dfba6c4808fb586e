//! Any bytes as a program of requests, engine against reference.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    lobgym_tests::drive(bytes);
});
