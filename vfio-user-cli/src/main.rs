//! The program `vfu`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    vfio_user_cli::run(std::env::args_os())
}
