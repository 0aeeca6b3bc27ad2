//! Fuzzes the target of this name.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vfio_user_fuzz::targets::derives;

fuzz_target!(|input: &[u8]| derives::run(input));
