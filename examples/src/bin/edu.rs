//! QEMU's teaching device, for the same drivers. `docs/guide.md` builds it step by step.

use tracing::debug;
use vfio_user::serde::{Deserialize, Serialize};
use vfio_user::{Cx, Device, DmaError, PciDevice, Register, ResetKind, Virtual};

/// QEMU's teaching device: it computes factorials, raises interrupts and copies memory.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x11e8, class = 0x00_ff00, revision = 0x10, driver = EduDriver)]
#[bar(0: mem32, size = 0x10_0000, access = 4..=8, access(0..0x80: 4), unaligned = ignore, unmapped = ones)]
#[irq(intx, msi = 1)]
pub(crate) struct Edu {
    /// Major version 1, minor version 0, "edu".
    #[reg(0x00, ro, reset = 0x0100_00ed)]
    id: Virtual<u32>,
    /// Reads back inverted: the device is alive.
    #[reg(0x04, write_with = Self::invert)]
    liveness: u32,
    /// Takes a number, and holds its factorial once `status.computing` is clear.
    #[reg(0x08, volatile, lock = status.computing, on_write = Self::compute)]
    factorial: u32,
    #[reg(0x20)]
    status: Status,
    /// What has raised the interrupt and is not acknowledged: 0x1 a factorial, 0x100 a transfer.
    #[reg(0x24, ro, volatile)]
    #[intr(status, test = raise, clear = acknowledge)]
    irq_status: u32,
    #[reg(0x60, wo)]
    raise: Virtual<u32>,
    #[reg(0x64, wo)]
    acknowledge: Virtual<u32>,
    /// Where a transfer reads: an IOVA, or at 0x40000 the device's buffer of 4 KiB.
    #[reg(0x80, lock = command.start)]
    source: u64,
    /// Where it writes.
    #[reg(0x88, lock = command.start)]
    destination: u64,
    #[reg(0x90, lock = command.start)]
    count: u64,
    #[reg(0x98, write_with = Self::command)]
    command: Command,
    #[migrate(max_len = 4096)]
    buffer: Vec<u8>,
}

#[derive(Clone, Copy, Default, Register)]
#[register(u32)]
pub(crate) struct Status {
    /// A factorial is being computed.
    #[field(bit = 0, ro, volatile)]
    pub(crate) computing: bool,
    /// Raise the interrupt when it is done.
    #[field(bit = 7)]
    pub(crate) irq_when_done: bool,
}

#[derive(Clone, Copy, Default, Register)]
#[register(u64)]
pub(crate) struct Command {
    /// Starts a transfer; clear when it is done.
    #[field(bit = 0, volatile)]
    pub(crate) start: bool,
    #[field(bit = 1)]
    pub(crate) direction: Direction,
    /// Raise the interrupt when it is done.
    #[field(bit = 2)]
    pub(crate) irq_when_done: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Register)]
pub(crate) enum Direction {
    #[default]
    ToDevice,
    ToMemory,
}

/// A recording of the device has those of threads, as serde writes them.
#[derive(Serialize, Deserialize)]
#[serde(crate = "vfio_user::serde")]
pub(crate) enum Event {
    Factorial {
        of: u32,
        is: u32,
    },
    /// To the device: the bytes read from memory.
    #[serde(skip)]
    Read(Result<Vec<u8>, DmaError>),
    /// To memory.
    Write,
}

const IRQ_FACTORIAL: u32 = 0x1;
const IRQ_TRANSFER: u32 = 0x100;
const BUFFER_ADDRESS: u64 = 0x4_0000;

impl Device for Edu {
    type Event = Event;

    fn event(&mut self, cx: &mut Cx<'_, Self>, event: Event) {
        match event {
            Event::Factorial { of, is } => self.computed(of, is),
            Event::Read(bytes) => self.read(bytes),
            Event::Write => self.write(cx),
        }
    }

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
        self.buffer.fill(0);
    }
}

impl Edu {
    pub(crate) fn new() -> Self {
        Edu { buffer: vec![0; 4096], ..Edu::default() }
    }

    fn invert(&mut self, _: &mut Cx<'_, Self>, value: u32) {
        self.liveness = !value;
    }

    fn compute(&mut self, cx: &mut Cx<'_, Self>, _old: u32, of: u32) {
        self.status.computing = true;
        let remote = cx.remote();
        // An error means that the device is gone, and nothing waits for the result.
        std::thread::spawn(move || remote.post(Event::Factorial { of, is: factorial(of) }).is_ok());
    }

    fn computed(&mut self, of: u32, is: u32) {
        // After a reset, a worker may still deliver the result of an earlier number.
        if self.status.computing && self.factorial == of {
            self.factorial = is;
            self.status.computing = false;
            self.irq_status |= if self.status.irq_when_done { IRQ_FACTORIAL } else { 0 };
        }
    }

    fn command(&mut self, cx: &mut Cx<'_, Self>, command: Command) {
        if command.start && !self.command.start {
            self.command = command;
            match command.direction {
                Direction::ToDevice => {
                    // If the bytes do not fit in the buffer, nothing is read.
                    let len = self.window(self.destination).map_or(0, |to| to.len());
                    cx.fetch(self.source, len, Event::Read);
                }
                Direction::ToMemory => cx.post(Event::Write),
            }
        }
    }

    fn read(&mut self, bytes: Result<Vec<u8>, DmaError>) {
        debug!(bytes = ?bytes.as_ref().map(Vec::len), "read");
        if let (Ok(bytes), Some(to)) = (bytes, self.window(self.destination))
            && bytes.len() == to.len()
        {
            to.copy_from_slice(&bytes);
        }
        self.finish();
    }

    fn write(&mut self, cx: &mut Cx<'_, Self>) {
        let to = self.destination;
        let done = self.window(self.source).map(|from| cx.dma().write(to, from));
        debug!(?done, "write");
        self.finish();
    }

    fn finish(&mut self) {
        self.command.start = false;
        self.irq_status |= if self.command.irq_when_done { IRQ_TRANSFER } else { 0 };
    }

    /// Returns the part of the buffer that a transfer covers, if it is inside.
    fn window(&mut self, address: u64) -> Option<&mut [u8]> {
        let start = usize::try_from(address.checked_sub(BUFFER_ADDRESS)?).ok()?;
        let end = start.checked_add(usize::try_from(self.count).ok()?)?;
        self.buffer.get_mut(start..end)
    }
}

/// Modulo 2^32, which divides 34!.
fn factorial(n: u32) -> u32 {
    (1..=n.min(34)).fold(1, u32::wrapping_mul)
}

fn main() -> vfio_user::Result<()> {
    vfio_user::main(Edu::new)
}
