//! Resets that hooks perform, of the whole device or of an element of a block.

use std::time::Duration;

use vfio_user::{
    Bench, Cx, Device, DmaError, Irq, PciDevice, PostError, RegisterBlock, Remote, ResetKind,
    SessionDma, Timer, Virtual, device_tests,
};

mod effects;
mod private_state;
mod registers;

/// The whole controller.
const CONTROLLER: u8 = 0;
/// The same, but for the link.
const PORT: u8 = 7;

/// The serial number of devices whose reset requests others.
const NESTS: u32 = 0x7e57;

const QUEUES: usize = Cx::<Nic>::block_index("queues");

#[derive(Clone, Copy, Debug, PartialEq, RegisterBlock)]
#[block(host = QueueHost)]
struct Queue {
    #[reg(0x00)]
    base: u64,
    #[reg(0x08, reset = 3)]
    size: u16,
    #[reg(0x0a, w1c)]
    #[intr(status, enable = enable)]
    status: u8,
    #[reg(0x0b)]
    enable: u8,
    #[reg(0x0c, wo, write_with = disable)]
    disable: Virtual<u8>,
    #[reg(0x0d, sticky)]
    errors: u8,
    #[reg(0x0e, w1)]
    key: u8,
    /// Not declared: the value that it is constructed with.
    #[reg(0x10)]
    number: u32,
}

#[derive(Debug, PciDevice)]
#[pci(vendor = 0x1234, device = 0x50f7)]
#[bar(0: mem32, size = 0x4000, shared(0x2000..0x3000))]
#[irq(intx, msix = 5)]
struct Nic {
    #[reg(0x00, on_write = Self::configured, kick = Self::kicked, test(exclude = policies))]
    configuration: u32,
    #[reg(0x04, singlepulse, reset(soft(PORT) = keep), on_write = Self::commanded,
          test(exclude = policies))]
    command: u32,
    #[reg(0x08, reset = 0x1000, reset(flr = keep, soft(CONTROLLER) = keep, soft(7) = keep))]
    admin_queue: u64,
    #[reg(0x10, sticky)]
    serial: u32,
    #[reg(0x14, w1)]
    key: u32,
    #[reg(0x18, wide)]
    address: u64,
    #[reg(0x20, ro, read_with = Self::count)]
    counter: Virtual<u64>,
    #[reg(0x28, rc, on_read = Self::was_read)]
    events: u32,
    #[reg(0x2c)]
    constructed: u32,
    #[reg(0x30, w1c, reset(soft(PORT) = keep))]
    #[intr(status, enable = enable, vector = 4)]
    status: u32,
    #[reg(0x34, reset(soft(PORT) = keep))]
    enable: u32,
    #[reg(0x38, w1c)]
    #[intr(status, test = raise, vector = 3)]
    causes: u32,
    #[reg(0x3c, wo, write_with = Self::raised)]
    raise: Virtual<u32>,
    #[reg(0x40, read_with = Self::restart, write_with = Self::set_scratch)]
    scratch: u32,
    #[reg(0x2000, watch, reset = 0xff, write_with = Self::rung)]
    bell: Virtual<u32>,
    #[reg(0x2004, watch, reset(soft(PORT) = keep))]
    limit: u32,
    #[block(0x100, stride = 0x40)]
    queues: [Queue; 3],
    #[block(0x400, reset(soft(CONTROLLER) = keep))]
    spare: Queue,
    #[timer(Self::expired)]
    watchdog: Timer,
    ticks: u64,
    #[migrate(skip)]
    resets: Vec<ResetKind>,
    #[migrate(skip)]
    log: Vec<&'static str>,
    #[migrate(skip)]
    held: Option<(SessionDma, Irq, Remote<Event>)>,
}

#[derive(Debug)]
enum Event {
    Reset(u8),
    End,
    Work,
}

impl Default for Nic {
    fn default() -> Self {
        let queue = |number| Queue {
            number,
            base: 0,
            size: 0,
            status: 0,
            enable: 0,
            disable: Virtual::new(),
            errors: 0,
            key: 0,
        };
        Nic {
            configuration: 0,
            command: 0,
            admin_queue: 0,
            serial: 0,
            key: 0,
            address: 0,
            counter: Virtual::new(),
            events: 0,
            constructed: 0x1234,
            status: 0,
            enable: 0,
            causes: 0,
            raise: Virtual::new(),
            scratch: 0,
            bell: Virtual::new(),
            limit: 0,
            queues: [10, 11, 12].map(queue),
            spare: queue(20),
            watchdog: Timer::default(),
            ticks: 0,
            resets: Vec::new(),
            log: Vec::new(),
            held: None,
        }
    }
}

impl Device for Nic {
    type Event = Event;

    fn event(&mut self, cx: &mut Cx<'_, Self>, event: Event) {
        match event {
            Event::Reset(domain) => cx.soft_reset(self, domain),
            Event::End => cx.end_session(),
            Event::Work => self.log.push("work"),
        }
    }

    fn reset(&mut self, cx: &mut Cx<'_, Self>, kind: ResetKind) {
        self.resets.push(kind);
        self.ticks = 0;
        if kind == ResetKind::Soft(CONTROLLER) && self.serial == NESTS {
            // Whole by itself, again within itself, and a part of it.
            cx.soft_reset(self, CONTROLLER);
            cx.soft_reset(self, PORT);
        }
    }
}

impl QueueHost for Nic {
    fn disable(&mut self, cx: &mut Cx<'_, Self>, index: usize, times: u8) {
        for _ in 0..times {
            cx.reset_block(self, QUEUES, index);
        }
        if times == 0xee {
            self.queues[index].status = 1;
            self.queues[index].enable = 1;
        }
    }
}

impl Nic {
    /// Bit 0 enables the controller; clearing it resets all.
    fn configured(&mut self, cx: &mut Cx<'_, Self>, old: u32, new: u32) {
        if old & !new & 1 != 0 {
            cx.soft_reset(self, CONTROLLER);
        }
    }

    fn kicked(&mut self, _: &mut Cx<'_, Self>) {
        self.log.push("kick");
    }

    fn commanded(&mut self, cx: &mut Cx<'_, Self>, _: u32, command: u32) {
        match command {
            1 => cx.soft_reset(self, PORT),
            // Reports the end of the reset by an interrupt.
            2 => {
                cx.soft_reset(self, CONTROLLER);
                (self.status, self.enable) = (1, 1);
            }
            3 => self.watchdog.arm(cx, Duration::from_secs(1)),
            4 => {
                cx.soft_reset(self, 8);
                cx.soft_reset(self, u8::MAX);
                cx.reset_block(self, QUEUES, 3);
                cx.reset_block(self, 99, 0);
            }
            5 => {
                for _ in 0..3 {
                    cx.soft_reset(self, CONTROLLER);
                    self.constructed = 5;
                }
            }
            6 => self.held = Some((cx.dma().for_session(), cx.irq(0), cx.session_remote())),
            _ => {}
        }
    }

    fn count(&mut self, cx: &mut Cx<'_, Self>) -> u64 {
        self.ticks += 1;
        if self.scratch == 0x5e5e {
            cx.soft_reset(self, PORT);
        }
        self.ticks << 32 | self.ticks
    }

    fn was_read(&mut self, cx: &mut Cx<'_, Self>, value: u32) {
        if value == 0x5e5e {
            cx.soft_reset(self, PORT);
            self.events = 7;
        }
    }

    fn raised(&mut self, cx: &mut Cx<'_, Self>, value: u32) {
        if value == 0x5e5e {
            cx.soft_reset(self, PORT);
        }
    }

    fn restart(&mut self, _: &mut Cx<'_, Self>) -> u32 {
        self.scratch
    }

    fn set_scratch(&mut self, cx: &mut Cx<'_, Self>, value: u32) {
        self.scratch = value;
        if value == 0xdead {
            cx.soft_reset(self, CONTROLLER);
        }
    }

    fn rung(&mut self, cx: &mut Cx<'_, Self>, value: u32) {
        self.log.push("bell");
        if value == 0x5e5e {
            cx.soft_reset(self, PORT);
        }
    }

    fn expired(&mut self, cx: &mut Cx<'_, Self>) {
        cx.soft_reset(self, CONTROLLER);
    }
}

const CONFIGURATION: u64 = 0x00;
const COMMAND: u64 = 0x04;
const ENABLE: u64 = 0x34;

device_tests!(Nic, Nic::default, exclude = ["events", "counter"], used = [drive]);

/// Uses both domains.
fn drive(bench: &mut Bench<Nic>) {
    bench.write(0, CONFIGURATION, 1_u32);
    bench.write(0, CONFIGURATION, 0_u32);
    bench.read::<u64>(0, 0x20);
    assert_eq!(bench.device().ticks, 1);
}

fn bench() -> Bench<Nic> {
    Bench::new(Nic::default()).unwrap()
}

/// A device in which the guest has written every register.
fn written() -> Bench<Nic> {
    let mut bench = bench();
    for offset in [0x08, 0x10, 0x14, 0x2c, 0x34, 0x40, 0x100, 0x108, 0x10e, 0x110, 0x400, 0x408] {
        bench.write(0, offset, 0x2a_u8);
    }
    bench.write(0, CONFIGURATION, 0x2b_u8);
    tick(&mut bench, 9);
    bench
}

/// Lets the guest read the counter as often as that.
fn tick(bench: &mut Bench<Nic>, ticks: u64) {
    for _ in 0..ticks {
        bench.read::<u64>(0, 0x20);
    }
}

impl Nic {
    /// As they are after a reset.
    fn default_queues() -> [Queue; 3] {
        Nic::default().queues.map(|queue| Queue { size: 3, ..queue })
    }
}
