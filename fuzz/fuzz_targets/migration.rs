//! Fuzzes the target of this name.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vfio_user_fuzz::targets::migration;

fuzz_target!(|input: &[u8]| migration::run(input));
