//! Resets that hooks perform, of the whole device or of an element of a block.

use std::time::Duration;

use vfio_user::{
    Bench, Cx, Device, Dma, DmaError, Irq, PciDevice, PostError, RegisterBlock, Remote, ResetKind,
    Timer, Virtual, device_tests,
};

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
    held: Option<(Dma, Irq, Remote<Event>)>,
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
            6 => self.held = Some((cx.dma().clone(), cx.irq(0), cx.session_remote())),
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

#[test]
fn registers_are_reset_but_for_those_that_are_kept() {
    let mut bench = written();
    bench.write(0, CONFIGURATION, 0_u32);
    let nic = bench.device();
    assert_eq!((nic.configuration, nic.constructed, nic.enable), (0, 0x1234, 0));
    assert_eq!((nic.admin_queue, nic.serial), (0x102a, 0x2a));
    assert_eq!(nic.queues, Nic::default_queues());
    assert_eq!((nic.spare.base, nic.spare.size), (0x2a, 0x2a));
    assert_eq!(nic.ticks, 0);
}

impl Nic {
    /// As they are after a reset.
    fn default_queues() -> [Queue; 3] {
        Nic::default().queues.map(|queue| Queue { size: 3, ..queue })
    }
}

#[test]
fn each_domain_keeps_what_it_declares() {
    let mut bench = written();
    bench.write(0, COMMAND, 1_u32);
    let nic = bench.device();
    assert_eq!((nic.admin_queue, nic.enable, nic.constructed), (0x102a, 0x2a, 0x1234));
    assert_eq!((nic.spare.base, nic.spare.size, nic.configuration), (0, 3, 0));
    assert_eq!(nic.resets, [ResetKind::Soft(PORT)]);

    let mut bench = written();
    bench.reset_by(ResetKind::FunctionLevel);
    assert_eq!((bench.device().admin_queue, bench.device().spare.base), (0x102a, 0));
    bench.reset();
    assert_eq!((bench.device().admin_queue, bench.device().serial), (0x1000, 0x2a));
}

#[test]
fn the_reset_covers_the_register_whose_hook_requests_it() {
    let mut bench = written();
    bench.write(0, 0x40, 0xdead_u32);
    assert_eq!(bench.device().scratch, 0, "`write_with` has stored it before");
    bench.write(0, CONFIGURATION, 0xffff_ffff_u32);
    bench.write(0, CONFIGURATION, 0xffff_fffe_u32);
    assert_eq!(bench.read::<u32>(0, CONFIGURATION), 0, "`on_write` runs once it is stored");
    bench.write(0, COMMAND, 1_u32);
    assert_eq!(bench.read::<u32>(0, COMMAND), 0, "kept, but a pulse ends");
}

#[test]
fn what_the_access_would_still_do_does_not_happen() {
    let mut bench = bench();
    bench.write(0, CONFIGURATION, 1_u32);
    assert_eq!(bench.device().log, ["kick"]);
    bench.write(0, CONFIGURATION, 0_u32);
    assert_eq!(bench.device().log, ["kick"], "no kick behind a reset");
    bench.write(0, 0x3c, 0xff_u32);
    assert_eq!((bench.device().causes, bench.take_irq(3)), (0xff, 1));
    bench.write(0, 0x3c, 0x5e5e_u32);
    assert_eq!((bench.device().causes, bench.take_irq(3)), (0, 0), "the test sets no status");
    bench.poke("events", 0x5e5e);
    assert_eq!(bench.read::<u32>(0, 0x28), 0x5e5e, "what was read before the reset");
    assert_eq!(bench.device().events, 7, "reading clears nothing any more");
    assert_eq!((bench.read::<u32>(0, 0x28), bench.device().events), (7, 0));
}

#[test]
fn the_rest_of_a_message_meets_the_device_after_the_reset() {
    let mut bench = written();
    let mut bytes = [0; 12];
    bytes[4] = 1;
    bytes[8] = 0x55;
    let region = vfio_user::protocol::RegionIndex::Bar0;
    bench.try_write(region, 0, &bytes).unwrap();
    let nic = bench.device();
    let expected = [ResetKind::Soft(CONTROLLER), ResetKind::Soft(PORT)];
    assert_eq!((nic.resets.as_slice(), nic.admin_queue), (&expected[..], 0x55));
}

#[test]
fn halves_and_write_once_bits_are_forgotten() {
    let mut bench = written();
    bench.write(0, 0x18, 0x1111_1111_u32);
    bench.write(0, CONFIGURATION, 0_u32);
    bench.write(0, 0x1c, 0x2222_2222_u32);
    assert_eq!(bench.device().address, 0, "the half before the reset is forgotten");
    bench.write(0, 0x18, 0x3333_3333_u32);
    assert_eq!(bench.device().address, 0x2222_2222_3333_3333);
    bench.write(0, 0x14, 0x77_u8);
    assert_eq!(bench.device().key, 0x77, "once again");

    assert_eq!(bench.read::<u32>(0, 0x20), 1);
    bench.write(0, COMMAND, 1_u32);
    tick(&mut bench, 5);
    assert_eq!(bench.read::<u32>(0, 0x24), 6, "the other half of a new value");
}

#[test]
fn a_read_that_resets_the_device_latches_nothing() {
    let mut bench = bench();
    bench.write(0, 0x40, 0x5e5e_u32);
    tick(&mut bench, 1);
    assert_eq!(bench.device().scratch, 0);
    bench.write(0, 0x40, 0x5e5e_u32);
    bench.read::<u32>(0, 0x20);
    tick(&mut bench, 3);
    assert_eq!(bench.read::<u32>(0, 0x24), 4);
}

#[test]
fn composed_interrupts_follow() {
    let mut bench = bench();
    bench.write(0, ENABLE, 1_u32);
    bench.poke("status", 1);
    bench.handle_events();
    bench.write(0, 0x44, 0_u8);
    assert_eq!(bench.take_irq(4), 1);
    // Kept with its enable bits: no edge.
    bench.write(0, COMMAND, 1_u32);
    assert_eq!((bench.device().status, bench.take_irq(4)), (1, 0));
    // Cleared and set again within the access: a new edge.
    bench.write(0, COMMAND, 2_u32);
    assert_eq!((bench.device().status, bench.take_irq(4)), (1, 1));
    bench.write(0, 0x44, 0_u8);
    assert_eq!(bench.take_irq(4), 0);
    // Cleared: the next bit has an edge as well.
    bench.write(0, CONFIGURATION, 1_u32);
    bench.write(0, CONFIGURATION, 0_u32);
    assert_eq!(bench.take_irq(4), 0);
    bench.write(0, COMMAND, 2_u32);
    assert_eq!(bench.take_irq(4), 1);
}

#[test]
fn the_line_follows() {
    const INTERRUPT: u16 = 1 << 3;
    let mut bench = bench();
    bench.write(0, 0x3c, 1_u32);
    assert_ne!(bench.read_config::<u16>(0x06) & INTERRUPT, 0);
    bench.post(Event::Reset(PORT));
    bench.handle_events();
    assert_eq!(bench.read_config::<u16>(0x06) & INTERRUPT, 0);
}

#[test]
fn an_element_of_a_block_is_reset_alone() {
    let mut bench = bench();
    for queue in [0x100, 0x140, 0x180, 0x400] {
        bench.write(0, queue, 0x1111_u64);
        bench.write(0, queue + 0x0d, 9_u8);
        bench.write(0, queue + 0x0e, 1_u8);
        bench.write(0, queue + 0x10, 1_u32);
    }
    bench.write(0, CONFIGURATION, 1_u32);
    bench.write(0, 0x14c, 2_u8);
    let nic = bench.device();
    assert_eq!(nic.queues[1], Queue { errors: 9, ..Nic::default_queues()[1] });
    assert_eq!((nic.queues[0].base, nic.queues[2].base, nic.spare.base), (0x1111, 0x1111, 0x1111));
    assert_eq!((nic.configuration, &nic.resets), (1, &Vec::new()));
    for (queue, key) in [(0x100, 1), (0x140, 0x80)] {
        bench.write(0, queue + 0x0e, 0x80_u8);
        assert_eq!(bench.read::<u8>(0, queue + 0x0e), key, "written once, or again");
    }
}

#[test]
fn the_interrupt_of_an_element_follows_its_reset() {
    let mut bench = bench();
    bench.write(0, 0x10b, 1_u8);
    bench.write(0, 0x10c, 0xee_u8);
    assert_eq!(bench.take_irq(0), 1);
    bench.write(0, 0x10c, 0xee_u8);
    assert_eq!(bench.take_irq(0), 1, "an edge for each, as the reset comes between");
    bench.write(0, 0x14c, 0xff_u8);
    assert_eq!(bench.take_irq(0), 0);
    assert_eq!(bench.device().queues[0].status, 1);
    bench.write(0, 0x10c, 1_u8);
    assert_eq!(bench.device().queues[0].status, 0);
}

#[test]
fn events_and_timers_reset_the_device() {
    let mut bench = written();
    bench.write(0, 0x18, 1_u32);
    bench.post(Event::Reset(CONTROLLER));
    bench.handle_events();
    assert_eq!((bench.device().constructed, bench.device().admin_queue), (0x1234, 0x102a));
    bench.write(0, 0x1c, 1_u32);
    assert_eq!(bench.device().address, 0);

    bench.write(0, 0x18, 1_u32);
    assert_eq!(bench.device().address, 1 << 32 | 1);
    bench.write(0, COMMAND, 3_u32);
    bench.advance(Duration::from_secs(1));
    assert_eq!(bench.device().address, 0);
    bench.write(0, COMMAND, 3_u32);
    bench.write(0, COMMAND, 1_u32);
    assert!(!bench.device().watchdog.is_armed(), "as in other resets");
}

#[test]
fn a_domain_is_not_reset_within_its_own_reset() {
    let mut bench = bench();
    bench.poke("serial", NESTS.into());
    bench.write(0, COMMAND, 5_u32);
    let expected = [ResetKind::Soft(CONTROLLER), ResetKind::Soft(PORT)].repeat(3);
    assert_eq!(bench.device().resets, expected);
    assert_eq!(bench.device().constructed, 5, "what the hook does after the last reset stays");
}

#[test]
fn what_does_not_exist_is_not_reset() {
    let mut bench = written();
    bench.write(0, COMMAND, 4_u32);
    assert_eq!((bench.device().configuration, bench.device().resets.len()), (0x2b, 0));
}

#[test]
fn shared_memory_shows_reset_values() {
    let mut bench = bench();
    bench.shared(0).store(0x2004, 6_u32).unwrap();
    bench.handle_events();
    bench.shared(0).store(0x2000, 0x5e5e_u32).unwrap();
    bench.handle_events();
    let load = |bench: &Bench<Nic>, at| bench.shared(0).load::<u32>(at).unwrap();
    assert_eq!((load(&bench, 0x2000), load(&bench, 0x2004)), (0xff, 6), "one of them is kept");
    bench.post(Event::Reset(CONTROLLER));
    bench.shared(0).store(0x2004, 8_u32).unwrap();
    bench.handle_events();
    assert_eq!((load(&bench, 0x2004), bench.device().limit), (0, 0));
    assert_eq!(bench.device().log, ["bell"]);
}

#[test]
fn a_soft_reset_ends_no_session() {
    let mut bench = bench();
    bench.write_memory(0x100, b"!");
    bench.write(0, COMMAND, 6_u32);
    bench.write(0, CONFIGURATION, 1_u32);
    bench.write(0, CONFIGURATION, 0_u32);
    let (dma, irq, remote) = bench.device().held.clone().unwrap();
    let mut byte = [0];
    dma.read(0x100, &mut byte).unwrap();
    irq.raise();
    assert_eq!((&byte, bench.take_irq(0)), (b"!", 1));
    remote.post(Event::Work).unwrap();
    bench.handle_events();
    assert_eq!(bench.device().log, ["kick", "work"]);
}

#[test]
fn the_device_may_end_its_session() {
    let mut bench = bench();
    bench.write_memory(0x100, b"!");
    bench.write(0, COMMAND, 6_u32);
    let (dma, irq, remote) = bench.device().held.clone().unwrap();
    let guard = dma.map(0x100, 1).unwrap();
    bench.post(Event::End);
    remote.post(Event::Work).unwrap();
    bench.handle_events();
    assert!(bench.device().log.is_empty(), "posted for the session that an earlier event ends");
    assert!(matches!(dma.read(0x100, &mut [0]), Err(DmaError::SessionEnded { .. })));
    assert!(matches!(remote.post(Event::Work), Err(PostError::SessionEnded(_))));
    irq.raise();
    assert_eq!((irq.has_ended(), bench.take_irq(0)), (true, 0));
    drop(guard);
    bench.write(0, COMMAND, 6_u32);
    let (dma, irq, _) = bench.device().held.clone().unwrap();
    dma.read(0x100, &mut [0]).unwrap();
    irq.raise();
    assert_eq!(bench.take_irq(0), 1, "the next session");
}

/// Not declared, but used: both are found by the tests of every device.
mod private_state {
    use vfio_user::suite::Suite;
    use vfio_user::{Cx, Device, PciDevice, ResetKind, Virtual};

    #[derive(Default, PciDevice)]
    #[pci(vendor = 0x1234, device = 1)]
    #[bar(0: mem32, size = 0x1000)]
    struct Forgetful {
        #[reg(0x00, wo, write_with = Self::command)]
        command: Virtual<u8>,
        writes: u32,
        #[migrate(skip)]
        forgets: bool,
    }

    impl Device for Forgetful {
        type Event = ();

        fn reset(&mut self, _: &mut Cx<'_, Self>, kind: ResetKind) {
            if kind != ResetKind::Soft(5) || !self.forgets {
                self.writes = 0;
            }
        }
    }

    impl Forgetful {
        fn command(&mut self, cx: &mut Cx<'_, Self>, command: u8) {
            self.writes += 1;
            if command & 3 == 3 {
                cx.soft_reset(self, 5);
            }
        }
    }

    fn forgetful() -> Forgetful {
        Forgetful { forgets: true, ..Forgetful::default() }
    }

    #[test]
    fn a_device_that_resets_it_passes() {
        Suite::new(Forgetful::default).scripts();
    }

    #[test]
    #[should_panic = "a script leaves something else in `writes` after a reset"]
    fn what_a_soft_reset_does_not_clear_is_found() {
        Suite::new(forgetful).scripts();
    }

    #[test]
    fn what_survives_is_named() {
        Suite::new(forgetful).keep_on_soft(&["writes"]).scripts();
    }
}
