//! A device program with an option of its own, and with hooks that do not return.

use std::thread;

use clap::Parser;
use vfio_user::{Cx, Device, PciDevice, Virtual};

#[derive(Parser)]
struct Program {
    /// What the identification register of the first device holds.
    #[arg(long, default_value_t = 7)]
    id: u32,
    #[command(flatten)]
    options: vfio_user::Options,
}

#[derive(Debug, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10f8, name = "sleeper")]
#[bar(0: mem32, size = 0x1000)]
struct Sleeper {
    #[reg(0x0, ro)]
    id: u32,
    #[reg(0x4, wo, write_with = Self::sleep)]
    nap: Virtual<u32>,
}

impl Device for Sleeper {
    type Event = ();

    fn saved(&mut self, _: &mut Cx<'_, Self>) {
        sleep();
    }
}

impl Sleeper {
    #[expect(clippy::unused_self, reason = "a hook")]
    fn sleep(&mut self, _: &mut Cx<'_, Self>, _: u32) {
        sleep();
    }
}

fn sleep() {
    loop {
        thread::park();
    }
}

fn main() -> vfio_user::Result<()> {
    let program = Program::parse();
    program.options.run_each(|number| {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        Sleeper { id: program.id.saturating_add(number), nap: Virtual::default() }
    })
}
