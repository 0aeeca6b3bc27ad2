//! What the command register and power states open and close.

use vfio_user::declaration::{Capability, Descriptor, PowerManagement};
use vfio_user::function::Function as _;
use vfio_user::pci::BusErrors;
use vfio_user::pci::spec::{capability_id, cfg, pm};
use vfio_user::protocol::RegionIndex;
use vfio_user::{Bench, Cx, Device, DmaError, PciDevice, ResetKind, Result, Virtual};

const IO: u16 = 1 << 0;
const MEMORY: u16 = 1 << 1;
const MASTER: u16 = 1 << 2;

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[bar(0: mem32, size = 0x1000)]
#[bar(1: io, size = 0x20)]
#[bar(2: mem32, size = 0x1000, shared)]
#[irq(msix = 2, bar = 4)]
#[migrate(none)]
struct Card {
    #[reg(0x00)]
    scratch: u32,
    #[reg(0x04, wo, write_with = Self::raise)]
    raise: Virtual<u32>,
    #[reg(0x08, wo, write_with = Self::copy)]
    copy: Virtual<u32>,
    #[reg(0x0c, wo, write_with = Self::report)]
    report: Virtual<u16>,
    #[reg(0x00, bar = 1)]
    port: u32,
    refused: u32,
    resets: Vec<ResetKind>,
    ignores_command: bool,
    no_soft_reset: bool,
}

#[derive(Debug)]
enum Event {
    Tick,
    Fetched(Result<Vec<u8>, DmaError>),
}

fn is_refused<T>(done: &Result<T, DmaError>) -> bool {
    matches!(done, Err(DmaError::NotBusMaster { .. }))
}

impl Device for Card {
    type Event = Event;

    fn configure(&self, descriptor: &mut Descriptor) -> Result<()> {
        let power = PowerManagement::new();
        let power = if self.no_soft_reset { power.with_no_soft_reset() } else { power };
        descriptor.add_capability(Capability::pm_with(power));
        descriptor.set_rom([0x55; 0x800]);
        if self.ignores_command {
            *descriptor = descriptor.clone().with_ignored_command();
        }
        Ok(())
    }

    fn event(&mut self, cx: &mut Cx<'_, Self>, event: Event) {
        match event {
            Event::Tick => cx.irq(1).raise(),
            Event::Fetched(fetched) => self.refused += u32::from(is_refused(&fetched)),
        }
    }

    fn reset(&mut self, _: &mut Cx<'_, Self>, kind: ResetKind) {
        self.resets.push(kind);
    }
}

impl Card {
    #[expect(clippy::unused_self, reason = "a hook")]
    fn raise(&mut self, cx: &mut Cx<'_, Self>, _: u32) {
        cx.irq(0).raise();
    }

    fn copy(&mut self, cx: &mut Cx<'_, Self>, to: u32) {
        let read = cx.dma().read_obj::<u32>(0);
        let written = cx.dma().write_obj(to.into(), &0x5555_5555u32);
        self.refused += u32::from(is_refused(&read)) + u32::from(is_refused(&written));
        cx.fetch(0, 4, Event::Fetched);
        let messages = cx.dma_messages().unwrap();
        let read = messages.read(0, &mut [0; 4]);
        let written = messages.write(to.into(), &[0; 4]);
        self.refused += u32::from(is_refused(&read)) + u32::from(is_refused(&written));
    }

    #[expect(clippy::unused_self, reason = "a hook")]
    fn report(&mut self, cx: &mut Cx<'_, Self>, bits: u16) {
        cx.bus_errors(BusErrors::from_bits_truncate(bits));
    }
}

fn card() -> Bench<Card> {
    Bench::new(Card::default()).unwrap()
}

fn command(bench: &mut Bench<Card>, bits: u16) {
    bench.write_config(cfg::COMMAND as u64, bits);
}

fn power(bench: &mut Bench<Card>, state: u8) {
    let at = bench.function().descriptor().find_capability(capability_id::PM).unwrap();
    bench.write_config(u64::from(at) + pm::CONTROL as u64, state);
}

#[test]
fn clients_that_never_touch_the_command_register_get_everything() {
    let mut bench = card();
    bench.write(0, 0x00, 7u32);
    bench.write(1, 0x00, 8u32);
    bench.write(0, 0x04, 1u32);
    bench.write(0, 0x08, 0x100u32);
    assert_eq!((bench.read::<u32>(0, 0), bench.read::<u32>(1, 0)), (7, 8));
    assert_eq!((bench.take_irq(0), bench.device().refused), (1, 0));
}

/// As SPDK does.
#[test]
fn clients_that_set_bus_master_alone_get_everything() {
    let mut bench = card();
    command(&mut bench, MASTER | 1 << 10);
    bench.write(0, 0x00, 7u32);
    bench.write(0, 0x04, 1u32);
    assert_eq!((bench.read::<u32>(0, 0), bench.take_irq(0)), (7, 1));
}

#[test]
fn a_bar_that_is_switched_off_reads_ones_and_takes_nothing() {
    let mut bench = card();
    bench.write(0, 0x00, 7u32);
    bench.write(1, 0x00, 8u32);
    bench.write(2, 0x00, 9u32);
    command(&mut bench, IO | MEMORY);
    command(&mut bench, IO);
    for bar in [0, 2] {
        bench.write(bar, 0x00, 1u32);
        assert_eq!(bench.read::<u32>(bar, 0), u32::MAX);
    }
    let mut rom = [0; 4];
    bench.try_read(RegionIndex::Rom, 0, &mut rom).unwrap();
    assert_eq!((bench.read::<u32>(1, 0), rom), (8, [0xff; 4]));
    command(&mut bench, MEMORY);
    bench.write(1, 0x00, 1u32);
    assert_eq!(bench.read::<u32>(1, 0), u32::MAX);
    bench.try_read(RegionIndex::Rom, 0, &mut rom).unwrap();
    assert_eq!((bench.read::<u32>(0, 0), bench.read::<u32>(2, 0), rom), (7, 9, [0x55; 4]));
    command(&mut bench, IO | MEMORY);
    assert_eq!(bench.read::<u32>(1, 0), 8);
}

#[test]
fn a_function_that_is_no_bus_master_neither_reads_nor_writes_nor_interrupts() {
    let mut bench = card();
    command(&mut bench, MEMORY | MASTER);
    command(&mut bench, MEMORY);
    bench.write_memory(0x100, &[1; 4]);
    bench.write(0, 0x08, 0x100u32);
    bench.write(0, 0x04, 1u32);
    bench.handle_events();
    let mut memory = [0; 4];
    bench.read_memory(0x100, &mut memory);
    assert_eq!((bench.device().refused, memory), (5, [1; 4]));
    assert_eq!(bench.take_irq(0), 0);
    let map = bench.function().dma().map(0, 4);
    assert!(matches!(map, Err(DmaError::NotBusMaster { iova: 0 })));
    command(&mut bench, MEMORY | MASTER);
    assert_eq!(bench.take_irq(0), 1, "the message was held back");
    bench.write(0, 0x08, 0x100u32);
    bench.read_memory(0x100, &mut memory);
    bench.handle_events();
    assert_eq!((bench.device().refused, memory), (5, [0x55; 4]));
}

/// Whatever was written before, and however.
#[test]
fn a_client_that_has_written_the_command_register_without_bus_master_has_none() {
    let refused = |bench: &mut Bench<Card>| {
        let before = bench.device().refused;
        bench.write(0, 0x08, 0x100_u32);
        bench.handle_events();
        let map = bench.function().dma().map(0, 4);
        let is_refused = matches!(map, Err(DmaError::NotBusMaster { .. }));
        assert_eq!(bench.device().refused - before, if is_refused { 5 } else { 0 });
        is_refused
    };
    let at = cfg::COMMAND as u64;
    for written in [0_u16, 1 << 10, 1 << 6 | 1 << 8, IO, MEMORY, IO | MEMORY] {
        let mut bench = card();
        assert!(!refused(&mut bench));
        command(&mut bench, written);
        command(&mut bench, written | MEMORY);
        assert!(refused(&mut bench), "{written:#x}");
        command(&mut bench, written | MEMORY | MASTER);
        assert!(!refused(&mut bench), "{written:#x}");
    }
    let mut bench = card();
    bench.write_config(at, 0_u8);
    assert!(refused(&mut bench), "by its lower byte");
    let mut bench = card();
    bench.write_config(at, 0_u32);
    assert!(refused(&mut bench), "together with the status register");
    for (other, value) in [(at + 1, 4_u8), (0x3c, 9), (at + 2, 0xff)] {
        let mut bench = card();
        bench.write_config(other, value);
        assert!(!refused(&mut bench), "{other:#x} is not where bus master is");
    }
}

/// A virtual machine monitor that reboots its guest connects anew, and does not always reset.
#[test]
fn what_one_client_has_enabled_the_next_one_disables() {
    for before in [MASTER, MEMORY | MASTER, IO | MEMORY | MASTER, 0] {
        let mut bench = card();
        command(&mut bench, before);
        bench.function_mut().disconnected();
        bench.function_mut().connected();
        let map = |bench: &Bench<Card>| bench.function().dma().map(0, 4);
        assert!(map(&bench).is_ok(), "a client that does not use the register");
        command(&mut bench, 0);
        assert!(is_refused(&map(&bench)), "{before:#x}");
        let is_off = bench.read::<u32>(0, 0) == u32::MAX;
        assert_eq!(is_off, before & MEMORY != 0, "{before:#x}");
        command(&mut bench, MEMORY | MASTER);
        assert!(map(&bench).is_ok());
        assert_eq!(bench.read::<u32>(0, 0), 0);
    }
}

/// A guard is no way around the gate either.
#[test]
fn what_is_held_is_not_accessed_without_bus_master() {
    let mut bench = card();
    command(&mut bench, MEMORY | MASTER);
    let dma = bench.function().dma().for_session();
    let held = dma.map(0x100, 4).unwrap();
    held.write(0, &[1; 4]).unwrap();
    command(&mut bench, 0);
    assert!(is_refused(&held.write(0, &[2; 4])));
    assert!(is_refused(&held.read(0, &mut [0; 4])));
    assert!(is_refused(&held.load::<u32>(0)));
    assert!(is_refused(&dma.write(0x100, &[2; 4])));
    let mut memory = [0; 4];
    bench.read_memory(0x100, &mut memory);
    assert_eq!(memory, [1; 4]);
    command(&mut bench, MASTER);
    held.write(0, &[3; 4]).unwrap();
}

#[test]
fn what_was_used_is_forgotten_by_a_reset() {
    let mut bench = card();
    command(&mut bench, MEMORY | MASTER);
    command(&mut bench, 0);
    assert_eq!(bench.read::<u32>(0, 0), u32::MAX);
    bench.reset();
    assert_eq!(bench.read::<u32>(0, 0), 0);
}

#[test]
fn a_device_may_ignore_the_command_register() {
    let mut bench = Bench::new(Card { ignores_command: true, ..Card::default() }).unwrap();
    command(&mut bench, MEMORY | MASTER);
    command(&mut bench, 0);
    bench.write(0, 0x00, 7u32);
    bench.write(0, 0x04, 1u32);
    assert_eq!((bench.read::<u32>(0, 0), bench.take_irq(0)), (7, 1));
    power(&mut bench, 3);
    assert_eq!(bench.read::<u32>(0, 0), u32::MAX, "sleep is sleep");
}

#[test]
fn a_function_that_sleeps_does_nothing_and_is_reset_when_it_wakes() {
    let mut bench = card();
    bench.write(0, 0x00, 7u32);
    power(&mut bench, 3);
    bench.write(0, 0x00, 8u32);
    assert_eq!((bench.read::<u32>(0, 0), bench.read::<u32>(1, 0)), (u32::MAX, u32::MAX));
    bench.post(Event::Tick);
    bench.handle_events();
    assert_eq!(bench.take_irq(1), 0);
    assert_eq!(bench.device().scratch, 7, "it is not reset yet");
    power(&mut bench, 0);
    assert_eq!(bench.device().resets, [ResetKind::PowerState]);
    assert_eq!((bench.read::<u32>(0, 0), bench.take_irq(1)), (0, 0));
}

#[test]
fn a_function_without_soft_reset_wakes_as_it_went_to_sleep() {
    let mut bench = Bench::new(Card { no_soft_reset: true, ..Card::default() }).unwrap();
    bench.write(0, 0x00, 7u32);
    power(&mut bench, 3);
    bench.post(Event::Tick);
    bench.handle_events();
    assert_eq!(bench.take_irq(1), 0);
    power(&mut bench, 0);
    assert_eq!(bench.device().resets, []);
    assert_eq!((bench.read::<u32>(0, 0), bench.take_irq(1)), (7, 1));
}

#[test]
fn errors_of_the_bus_stand_in_the_status_register_until_they_are_cleared() {
    let mut bench = card();
    bench.write(0, 0x0c, 0xffffu16);
    let at = cfg::STATUS as u64;
    assert_eq!(bench.read_config::<u16>(at) & 0xff00, 0xb800, "without those that are not wanted");
    bench.write_config(at, 0x2800u16);
    assert_eq!(bench.read_config::<u16>(at) & 0xff00, 0x9000);
    command(&mut bench, 1 << 6 | 1 << 8);
    bench.write(0, 0x0c, 0xffffu16);
    assert_eq!(bench.read_config::<u16>(at) & 0xff00, 0xf900);
}

/// A card that is silent until the guest has set bus master.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe, strict_command)]
#[bar(0: mem32, size = 0x1000)]
#[irq(msix = 2, bar = 4)]
struct Strict {
    #[reg(0x00)]
    scratch: u32,
    #[reg(0x08, wo, write_with = Self::copy)]
    copy: Virtual<u32>,
    refused: u32,
}

impl Device for Strict {
    type Event = ();

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
        self.refused = 0;
    }
}

impl Strict {
    fn copy(&mut self, cx: &mut Cx<'_, Self>, to: u32) {
        let written = cx.dma().write_obj(to.into(), &0x5555_5555u32);
        self.refused += u32::from(is_refused(&written));
        cx.irq(0).raise();
    }
}

#[test]
fn a_strict_device_is_silent_until_it_is_bus_master() {
    let mut bench = Bench::new(Strict::default()).unwrap();
    let command = |bench: &mut Bench<Strict>, bits: u16| {
        bench.write_config(cfg::COMMAND as u64, bits);
    };
    bench.write(0, 0x00, 7_u32);
    assert_eq!(bench.read::<u32>(0, 0), 7, "its registers respond");
    bench.write(0, 0x08, 0x100_u32);
    assert_eq!((bench.device().refused, bench.take_irq(0)), (1, 0), "from the first moment");
    command(&mut bench, MEMORY | MASTER);
    assert_eq!(bench.take_irq(0), 1, "the message was not lost");
    bench.write(0, 0x08, 0x100_u32);
    assert_eq!((bench.device().refused, bench.take_irq(0)), (1, 1));
    bench.reset();
    bench.write(0, 0x08, 0x100_u32);
    assert_eq!((bench.device().refused, bench.take_irq(0)), (1, 0), "after a reset as well");
}

vfio_user::device_tests!(Strict, Strict::default);
