//! Performs accesses to registers, for counting instructions:
//! `dispatch derived|observed|by-hand 16|1024 COUNT`.

use std::process::ExitCode;

use vfio_user_benches::{access, by_hand, derived, large, small};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [way, registers, count] = arguments[..] else { return usage() };
    let (mut function, size) = match (way, registers) {
        ("derived" | "observed", "16") => (derived::<small::Derived>(), 64),
        ("by-hand", "16") => (by_hand::<small::Registers>(), 64),
        ("derived" | "observed", "1024") => (derived::<large::Derived>(), 4096),
        ("by-hand", "1024") => (by_hand::<large::Registers>(), 4096),
        _ => return usage(),
    };
    let Ok(count) = count.parse() else { return usage() };
    if way == "observed" {
        // As a monitor does.
        drop(function.observe());
    }
    println!("{}", access(&mut *function, size, count));
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("usage: dispatch derived|observed|by-hand 16|1024 COUNT");
    ExitCode::from(2)
}
