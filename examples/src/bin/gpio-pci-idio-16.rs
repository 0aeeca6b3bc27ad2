//! ACCES PCI-IDIO-16: 16 outputs, 16 isolated inputs, an interrupt when an input changes. Linux
//! drives it with `gpio-pci-idio-16`, as lines 0 to 15 and 16 to 31 of a GPIO chip.

use std::io::{self, BufRead, Write};
use std::thread;
use std::time::Duration;

use clap::Parser;
use vfio_user::serde::{Deserialize, Serialize};
use vfio_user::{Cx, Device, Options, PciDevice, Remote, ResetKind, Result, Virtual};

/// Serves an ACCES PCI-IDIO-16
#[derive(Parser)]
struct Program {
    /// Increment the inputs every MS milliseconds
    #[arg(long, value_name = "MS")]
    period: Option<u64>,
    /// Read the inputs from standard input, a hexadecimal number a line, and print the outputs to
    /// standard output whenever they are written
    #[arg(long)]
    control: bool,
    #[command(flatten)]
    options: Options,
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x494f, device = 0x0dc8, class = 0xff_0000)]
#[bar(2: io, size = 0x100)]
#[irq(intx)]
pub(crate) struct Idio16 {
    #[reg(0x00, bar = 2, stride = 4, on_write = Self::outputs_written)]
    outputs: [u8; 2],
    /// Reads the inputs; writing the first one acknowledges the interrupt.
    #[reg(0x01, bar = 2, stride = 4, read_with = Self::input, write_with = Self::acknowledge)]
    input: [Virtual<u8>; 2],
    /// Reading enables the interrupt, writing disables it.
    #[reg(0x02, bar = 2, read_with = Self::enable, write_with = Self::disable)]
    enable: Virtual<u8>,
    /// Reading activates the input filters, writing deactivates them. Our inputs do not bounce.
    #[reg(0x03, bar = 2)]
    filter: Virtual<u8>,
    #[reg(0x06, bar = 2, ro)]
    status: u8,
    enabled: bool,
    inputs: u16,
    #[migrate(skip)]
    period: Option<u64>,
    #[migrate(skip)]
    control: bool,
}

/// STATUS: an input has changed; bits 0 and 1 say in which half.
const PENDING: u8 = 1 << 2;

/// A change of the inputs.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(crate = "vfio_user::serde")]
pub(crate) enum Change {
    Count,
    Set(u16),
}

impl Device for Idio16 {
    type Event = Change;

    fn start(&mut self, cx: &mut Cx<'_, Self>) -> Result<()> {
        if let Some(period) = self.period {
            let remote = cx.remote();
            thread::spawn(move || count(&remote, Duration::from_millis(period)));
        }
        if self.control {
            let remote = cx.remote();
            thread::spawn(move || read_inputs(&remote));
        }
        Ok(())
    }

    fn event(&mut self, cx: &mut Cx<'_, Self>, change: Change) {
        let old = self.inputs;
        self.inputs = match change {
            Change::Count => old.wrapping_add(1),
            Change::Set(inputs) => inputs,
        };
        let [low, high] = (old ^ self.inputs).to_le_bytes().map(|bits| u8::from(bits != 0));
        if self.enabled && low | high != 0 {
            self.status |= PENDING | low | high << 1;
            cx.irq(0).set(true);
        }
    }

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
        self.enabled = false;
    }
}

impl Idio16 {
    fn outputs_written(&mut self, _: &mut Cx<'_, Self>, _half: usize, _old: u8, _new: u8) {
        if self.control {
            // The output may have no reader.
            let _ = writeln!(io::stdout(), "{:04x}", u16::from_le_bytes(self.outputs));
        }
    }

    fn input(&mut self, _: &mut Cx<'_, Self>, half: usize) -> u8 {
        self.inputs.to_le_bytes()[half]
    }

    fn acknowledge(&mut self, cx: &mut Cx<'_, Self>, half: usize, _: u8) {
        if half == 0 {
            self.status = 0;
            cx.irq(0).set(false);
        }
    }

    fn enable(&mut self, _: &mut Cx<'_, Self>) -> u8 {
        self.enabled = true;
        0
    }

    fn disable(&mut self, _: &mut Cx<'_, Self>, _: u8) {
        self.enabled = false;
    }
}

fn count(remote: &Remote<Change>, period: Duration) {
    loop {
        thread::sleep(period);
        // A busy device skips a step.
        let _ = remote.post(Change::Count);
    }
}

fn read_inputs(remote: &Remote<Change>) {
    for line in io::stdin().lock().lines().map_while(io::Result::ok) {
        match u16::from_str_radix(line.trim(), 16) {
            Ok(inputs) => drop(remote.post(Change::Set(inputs))),
            Err(error) => eprintln!("{line:?}: {error}"),
        }
    }
}

fn main() -> Result<()> {
    let Program { period, control, options } = Program::parse();
    options.run(|| Idio16 { period, control, ..Idio16::default() })
}

#[cfg(test)]
mod tests {
    vfio_user::device_tests!(super::Idio16, super::Idio16::default);
}
