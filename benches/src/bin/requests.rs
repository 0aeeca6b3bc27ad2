//! Performs requests over a socket, for counting instructions: `requests read|write COUNT`.

use std::io;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use vfio_user_benches::exchange::{self, Access, Exchange, Wait};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (access, count) = match arguments[..] {
        ["read", count] => (Access::Read, count.parse()),
        ["write", count] => (Access::Write, count.parse()),
        _ => return usage(),
    };
    let Ok(count) = count else { return usage() };
    match perform(access, count) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("requests: {error}");
            ExitCode::FAILURE
        }
    }
}

fn perform(access: Access, count: u32) -> io::Result<()> {
    let (client, serve) = exchange::server(Duration::ZERO)?;
    let server = thread::spawn(serve);
    exchange::negotiate(&client)?;
    Exchange::new(client, access, Wait::Sleep)?.time(count)?;
    server.join().map_err(|_| io::Error::other("the server has panicked"))
}

fn usage() -> ExitCode {
    eprintln!("usage: requests read|write COUNT");
    ExitCode::from(2)
}
