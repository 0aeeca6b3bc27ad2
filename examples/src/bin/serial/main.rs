//! A 16550A serial port on PCI, as QEMU's `pci-serial`. Linux drives it with `8250_pci`.
//!
//! ```console
//! $ serial --socket-path=/tmp/serial.sock                      # what is sent comes back
//! $ serial --socket-path=/tmp/serial.sock --line=stdio         # this terminal; Ctrl-] exits
//! $ serial --socket-path=/tmp/serial.sock --line=pty           # a terminal whose path is printed
//! $ serial --socket-path=/tmp/serial.sock --line=unix:/tmp/line.sock
//! $ socat -,raw,echo=0,escape=0x1d UNIX-CONNECT:/tmp/line.sock
//! ```
//!
//! A socket accepts one peer at a time; output without a peer is lost.
//!
//! | file | what it is |
//! |---|---|
//! | `uart.rs` | the registers, the FIFOs and the interrupt |
//! | `bridge.rs` | moves bytes between the FIFOs and the line |
//! | `line.rs` | what the line leads to |
//!
//! A Linux guest names the port `ttySN`; `dmesg | grep 'is a 16550A'` prints N. With
//! `console=ttySN` on the kernel's command line, or `agetty 115200 ttySN` in the guest, the line is
//! its console.

mod bridge;
mod line;
#[cfg(test)]
mod tests;
mod uart;

use clap::Parser;
use vfio_user::{Options, Result};

use line::{Connector, Line};
use uart::Uart;

/// Serves a 16550A serial port over vfio-user
#[derive(Parser)]
struct Program {
    #[command(flatten)]
    options: Options,

    /// Other end of the line: loopback, stdio, pty, or unix:PATH to listen on a socket
    #[arg(long, value_name = "LINE", default_value = "loopback")]
    line: Connector,
}

fn main() -> Result<()> {
    let program = Program::parse();
    let line = Line::open(&program.line)?;
    program.options.run(|| Uart::new(line.clone()))
}
