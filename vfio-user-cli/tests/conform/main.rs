//! Tests of `vfu conform`: it finds nothing in our servers, and finds the faults planted in them.

mod faulty;
mod options;
mod ours;
mod planted;
mod programs;

use std::path::Path;
use std::process::{Command, Output};

use vfio_user::{Device, PciDevice};

/// A device with everything that is checked.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x5678, class = 0x12_0000)]
#[bar(0: mem32, size = 0x1000)]
#[bar(2: mem32, size = 0x4000, shared(0x1000..0x2000))]
#[irq(intx, msix = 4)]
struct Card {
    #[reg(0x00, bar = 0, reset = 0x1234)]
    status: u32,
}

impl Device for Card {
    type Event = ();
}

fn conform(arguments: &[&str]) -> Output {
    let mut vfu = Command::new(env!("CARGO_BIN_EXE_vfu"));
    vfu.arg("conform").args(arguments).output().expect("it runs")
}

/// Checks a server that listens at a path.
fn conform_at(socket: &Path, arguments: &[&str]) -> Output {
    let socket = socket.to_str().expect("a path of text");
    conform(&[&[socket], arguments].concat())
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
