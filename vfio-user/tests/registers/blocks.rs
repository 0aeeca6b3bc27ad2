//! Blocks of registers in devices, driven without a socket.

use proptest::prelude::*;
use vfio_user::declaration::Slot;
use vfio_user::function::{Function, PciFunction};
use vfio_user::protocol::RegionIndex;
use vfio_user::{Cx, Device, PciDevice, Register, RegisterBlock, Virtual};

#[derive(Clone, Copy, Debug, Default, PartialEq, Register)]
#[register(u32)]
struct Config {
    #[field(bit = 0)]
    enable: bool,
    #[field(bits = 8..=15, reset = 0x20)]
    size: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, RegisterBlock)]
#[block(host = QueueHost)]
struct Queue {
    #[reg(0x00, reset = 0x1000)]
    base: u64,
    #[reg(0x08, on_write = configured)]
    config: Config,
    #[reg(0x0c, wo, write_with = doorbell)]
    doorbell: Virtual<u32>,
    #[reg(0x10, read_with = level, write_with = set_level)]
    levels: [Virtual<u16>; 2],
    #[reg(0x14, w1c, on_read = seen)]
    status: u16,
    kicks: u32,
}

/// Without hooks, so without a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, RegisterBlock)]
struct Timer {
    #[reg(0x00)]
    value: u32,
    #[reg(0x04, w1)]
    limit: u8,
}

#[derive(Debug, PartialEq)]
enum Call {
    Configured(usize, Config, Config),
    Doorbell(usize, u32),
    Level(usize, usize, u16),
    Seen(usize, u16),
}

const FIRST_RX: u8 = 4;

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
#[bar(2: mem32, size = 0x1000)]
struct Nic {
    #[reg(0x00)]
    control: u32,
    #[block(0x100, stride = 0x20)]
    tx: [Queue; 4],
    #[block(0x40, bar = 2, first = FIRST_RX)]
    rx: [Queue; 2],
    #[block(0x10)]
    timer: Timer,
    #[migrate(skip)]
    calls: Vec<Call>,
}

impl Device for Nic {
    type Event = ();
}

impl QueueHost for Nic {
    fn configured(&mut self, _: &mut Cx<'_, Self>, index: usize, old: Config, new: Config) {
        self.calls.push(Call::Configured(index, old, new));
    }

    fn doorbell(&mut self, _: &mut Cx<'_, Self>, index: usize, value: u32) {
        match index.checked_sub(4) {
            None => self.tx[index].kicks += 1,
            Some(index) => self.rx[index].kicks += 1,
        }
        self.calls.push(Call::Doorbell(index, value));
    }

    fn level(&mut self, _: &mut Cx<'_, Self>, index: usize, element: usize) -> u16 {
        u16::try_from(index << 8 | element).unwrap()
    }

    fn set_level(&mut self, _: &mut Cx<'_, Self>, index: usize, element: usize, value: u16) {
        self.calls.push(Call::Level(index, element, value));
    }

    fn seen(&mut self, _: &mut Cx<'_, Self>, index: usize, value: u16) {
        self.calls.push(Call::Seen(index, value));
    }
}

/// Another device with the same block.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 2)]
#[bar(0: mem32, size = 0x1000)]
struct Loopback {
    #[block(0x0)]
    queue: Queue,
}

impl Device for Loopback {
    type Event = ();
}

impl QueueHost for Loopback {
    fn configured(&mut self, _: &mut Cx<'_, Self>, _: usize, _: Config, _: Config) {}

    fn doorbell(&mut self, _: &mut Cx<'_, Self>, index: usize, value: u32) {
        self.queue.kicks = value + u32::try_from(index).unwrap();
    }

    fn level(&mut self, _: &mut Cx<'_, Self>, _: usize, _: usize) -> u16 {
        0
    }

    fn set_level(&mut self, _: &mut Cx<'_, Self>, _: usize, _: usize, _: u16) {}

    fn seen(&mut self, _: &mut Cx<'_, Self>, _: usize, _: u16) {}
}

fn host<D: PciDevice>(device: D) -> PciFunction<D> {
    PciFunction::new(device).expect("a valid device")
}

fn read<D: PciDevice>(device: &mut PciFunction<D>, bar: RegionIndex, offset: u64) -> u32 {
    let mut data = [0; 4];
    device.read(bar, offset, &mut data).expect("reads succeed");
    u32::from_le_bytes(data)
}

fn write<D: PciDevice>(device: &mut PciFunction<D>, bar: RegionIndex, offset: u64, data: &[u8]) {
    device.write(bar, offset, data).expect("writes succeed");
}

#[test]
fn every_element_has_its_registers() {
    let mut nic = host(Nic::default());
    write(&mut nic, RegionIndex::Bar0, 0x144, &[1, 2, 3, 4]);
    assert_eq!(nic.device().tx[2].base, 0x0403_0201_0000_1000);
    assert_eq!(read(&mut nic, RegionIndex::Bar0, 0x144), 0x0403_0201);
    assert_eq!(read(&mut nic, RegionIndex::Bar0, 0x124), 0);
    write(&mut nic, RegionIndex::Bar2, 0x58, &[9]);
    assert_eq!(nic.device().rx[1].base, 0x1009);
    write(&mut nic, RegionIndex::Bar0, 0x10, &[5]);
    assert_eq!(nic.device().timer.value, 5);
}

#[test]
fn hooks_get_the_index_of_the_block_and_then_that_of_the_register() {
    let mut nic = host(Nic::default());
    write(&mut nic, RegionIndex::Bar0, 0x16c, &7u32.to_le_bytes());
    write(&mut nic, RegionIndex::Bar2, 0x6a, &[0, 8]);
    write(&mut nic, RegionIndex::Bar2, 0x52, &[0x34, 0x12]);
    read(&mut nic, RegionIndex::Bar0, 0x114);
    assert_eq!(
        nic.device().calls,
        [
            Call::Doorbell(3, 7),
            Call::Level(5, 1, 0x800),
            Call::Level(4, 1, 0x1234),
            Call::Seen(0, 0),
        ]
    );
    assert_eq!(nic.device().tx[3].kicks, 1);
    assert_eq!(read(&mut nic, RegionIndex::Bar2, 0x68), 0x0501_0500);
}

#[test]
fn hooks_get_fields() {
    let mut nic = host(Nic::default());
    write(&mut nic, RegionIndex::Bar0, 0x128, &[0xff, 0x01]);
    let old = Config { enable: false, size: 0x20 };
    let new = Config { enable: true, size: 0x01 };
    assert_eq!(nic.device().calls, [Call::Configured(1, old, new)]);
}

#[test]
fn blocks_reset_like_registers() {
    let mut nic = host(Nic { tx: [Queue { status: 3, ..Queue::default() }; 4], ..Nic::default() });
    write(&mut nic, RegionIndex::Bar0, 0x100, &[0xff; 0x80]);
    write(&mut nic, RegionIndex::Bar0, 0x14, &[7]);
    write(&mut nic, RegionIndex::Bar0, 0x14, &[8]);
    assert_eq!(nic.device().timer.limit, 7, "write once");
    nic.reset();
    for queue in nic.device().tx {
        assert_eq!((queue.base, queue.status), (0x1000, 3));
        assert_eq!(queue.config, Config { enable: false, size: 0x20 });
    }
    write(&mut nic, RegionIndex::Bar0, 0x14, &[9]);
    assert_eq!(nic.device().timer.limit, 9, "once again");
}

#[test]
fn a_block_serves_two_devices() {
    let mut loopback = host(Loopback::default());
    write(&mut loopback, RegionIndex::Bar0, 0x0c, &[7, 0, 0, 0]);
    assert_eq!(loopback.device().queue.kicks, 7);
}

#[test]
fn registers_of_blocks_have_names() {
    let mut nic = host(Nic::default());
    nic.poke("tx[2].base", 0x77).unwrap();
    nic.poke("rx[1].config.size", 0x12).unwrap();
    assert_eq!(nic.device().tx[2].base, 0x77);
    assert_eq!(nic.device().rx[1].config.size, 0x12);
    assert_eq!(nic.peek("tx[2].base").unwrap().bits(), 0x77);
    assert_eq!(nic.peek("timer.value").unwrap().bits(), 0);
    assert!(!nic.peek("tx[0].levels[1]").unwrap().is_known());
    for unknown in ["tx[4].base", "tx.base[1]", "timer[1].value", "rx", "timer.none"] {
        assert!(nic.peek(unknown).is_err(), "{unknown}");
    }
}

#[test]
fn slots_name_every_element() {
    let slots: Vec<_> = Nic::DESCRIPTOR.slots().collect();
    assert_eq!(slots.len(), 1 + 4 * 6 + 2 * 6 + 2);
    let (register, slot) = slots[1 + 6 + 2];
    assert_eq!((register.name(), slot), ("doorbell", Slot::new(2, 0).in_block(0, 1)));
    assert_eq!(Nic::DESCRIPTOR.register(slot).name(), "doorbell");
    assert_eq!(Nic::DESCRIPTOR.blocks()[1].extent().stride, 0x18);
}

/// `Queue` as flat bytes: what a write of each byte stores.
fn flat_write(model: &mut [u8], offset: usize, value: u8) {
    match offset % 0x20 {
        0x00..=0x07 | 0x09 => model[offset] = value,
        0x08 => model[offset] = value & 1,
        0x14 | 0x15 => model[offset] &= !value,
        _ => {}
    }
}

proptest! {
    #[test]
    fn random_scripts_do_what_a_flat_model_does(
        script in prop::collection::vec(
            (0usize..0x80, prop::collection::vec(any::<u8>(), 1..=8)), 1..40)
    ) {
        let mut nic = host(Nic {
            tx: [Queue { status: 0xffff, ..Queue::default() }; 4],
            ..Nic::default()
        });
        let mut model = [0u8; 0x80];
        for queue in model.chunks_exact_mut(0x20) {
            queue[..0x16].copy_from_slice(&[
                0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff,
            ]);
        }
        for (offset, mut data) in script {
            data.truncate(0x80 - offset);
            write(&mut nic, RegionIndex::Bar0, 0x100 + offset as u64, &data);
            for (at, value) in (offset..).zip(data) {
                flat_write(&mut model, at, value);
            }
        }
        let mut data = [0; 0x80];
        nic.read(RegionIndex::Bar0, 0x100, &mut data).unwrap();
        for (index, queue) in data.chunks_exact_mut(0x20).enumerate() {
            let index = u8::try_from(index).unwrap();
            prop_assert_eq!(&queue[0x10..0x14], &[0, index, 1, index]);
            queue[0x10..0x14].fill(0);
        }
        prop_assert_eq!(data, model);
    }
}
