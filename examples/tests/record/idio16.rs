//! The registers of the ACCES PCI-IDIO-16 once more, with a fault if a test wants one.

use vfio_user::serde::{Deserialize, Serialize};
use vfio_user::{Cx, Device, PciDevice, Virtual};

/// What the device does wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fault {
    #[default]
    None,
    /// Input 15 reads as 0.
    StuckInput,
    /// A change of the inputs raises no interrupt.
    NoInterrupt,
    /// The status has no bits for the halves.
    PlainStatus,
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x494f, device = 0x0dc8, class = 0xff_0000)]
#[bar(2: io, size = 0x100)]
#[irq(intx)]
pub(crate) struct Idio16 {
    #[reg(0x00, bar = 2, stride = 4)]
    outputs: [u8; 2],
    #[reg(0x01, bar = 2, stride = 4, read_with = Self::input, write_with = Self::acknowledge)]
    input: [Virtual<u8>; 2],
    #[reg(0x02, bar = 2, read_with = Self::enable, write_with = Self::disable)]
    enable: Virtual<u8>,
    #[reg(0x03, bar = 2)]
    filter: Virtual<u8>,
    #[reg(0x06, bar = 2, ro)]
    status: u8,
    enabled: bool,
    inputs: u16,
    #[migrate(skip)]
    fault: Fault,
}

#[derive(Serialize, Deserialize)]
#[serde(crate = "vfio_user::serde")]
pub(crate) enum Change {
    Count,
    Set(u16),
}

impl Device for Idio16 {
    type Event = Change;

    fn event(&mut self, cx: &mut Cx<'_, Self>, change: Change) {
        let old = self.inputs;
        self.inputs = match change {
            Change::Count => old.wrapping_add(1),
            Change::Set(inputs) => inputs,
        };
        let [low, high] = (old ^ self.inputs).to_le_bytes().map(|bits| u8::from(bits != 0));
        let halves = if self.fault == Fault::PlainStatus { 0 } else { low | high << 1 };
        if self.enabled && low | high != 0 && self.fault != Fault::NoInterrupt {
            self.status |= 1 << 2 | halves;
            cx.irq(0).set(true);
        }
    }
}

impl Idio16 {
    pub(crate) fn new(fault: Fault) -> Self {
        Idio16 { fault, ..Idio16::default() }
    }

    fn input(&mut self, _: &mut Cx<'_, Self>, half: usize) -> u8 {
        let stuck = if self.fault == Fault::StuckInput { 1 << 15 } else { 0 };
        (self.inputs & !stuck).to_le_bytes()[half]
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
