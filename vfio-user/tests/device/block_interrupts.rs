//! Interrupts that the runtime composes from the registers of blocks.

use proptest::prelude::*;
use vfio_user::function::{Function, PciFunction};
use vfio_user::protocol::RegionIndex;
use vfio_user::{Bench, Cx, Device, PciDevice, RegisterBlock, Virtual};

#[derive(Clone, Copy, Debug, Default, PartialEq, RegisterBlock)]
#[block(host = QueueHost)]
struct Queue {
    #[reg(0x00, w1c)]
    #[intr(status, enable = enable, mask = mask, test = test)]
    status: u32,
    #[reg(0x04)]
    enable: u32,
    #[reg(0x08)]
    mask: u32,
    #[reg(0x0c, wo)]
    test: Virtual<u32>,
    #[reg(0x10, ro)]
    #[intr(status, trigger = level, vector = 1)]
    full: u8,
    #[reg(0x14, wo, write_with = push)]
    push: Virtual<u8>,
    #[reg(0x18, ro)]
    #[intr(status, clear = clear, vector = Self::ERRORS)]
    errors: u16,
    #[reg(0x1a, wo)]
    clear: Virtual<u16>,
}

impl Queue {
    const ERRORS: u8 = 1;
}

/// Two vectors a queue, behind that of the device itself; another queue shares those of the first.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
#[irq(msix = 7)]
struct Card {
    #[reg(0x00, w1c)]
    #[intr(status, test = test)]
    status: u32,
    #[reg(0x04, wo)]
    test: Virtual<u32>,
    #[block(0x100, stride = 0x20, vector = 1, vector_stride = Self::EACH)]
    queues: [Queue; 3],
    #[block(0x200, first = 3, vector = 1)]
    spare: Queue,
}

impl Card {
    const EACH: u16 = 2;

    fn queue(&mut self, index: usize) -> &mut Queue {
        self.queues.get_mut(index).unwrap_or(&mut self.spare)
    }
}

impl Device for Card {
    type Event = usize;

    fn event(&mut self, _: &mut Cx<'_, Self>, queue: usize) {
        self.queue(queue).errors |= 0x8000;
    }
}

impl QueueHost for Card {
    fn push(&mut self, cx: &mut Cx<'_, Self>, index: usize, value: u8) {
        self.queue(index).full = value;
        if value == 0xff {
            cx.post(index);
        }
    }
}

vfio_user::device_tests!(Card, Card::default);

const STATUS: u64 = 0x00;
const ENABLE: u64 = 0x04;
const MASK: u64 = 0x08;
const TEST: u64 = 0x0c;
const PUSH: u64 = 0x14;
const ERRORS: u64 = 0x18;
const CLEAR: u64 = 0x1a;

/// Where a queue lies; the last is the spare one.
fn queue(index: u64) -> u64 {
    0x100 + 0x20 * index + if index == 3 { 0xa0 } else { 0 }
}

fn card() -> Bench<Card> {
    Bench::new(Card::default()).expect("a valid device")
}

/// The vectors that have been raised.
fn taken(card: &mut Bench<Card>) -> Vec<u64> {
    (0..7).map(|vector| card.take_irq(vector)).collect()
}

#[test]
fn every_element_has_its_vectors() {
    let mut card = card();
    for index in 0..3 {
        card.write(0, queue(index) + ENABLE, 0xff_u32);
        card.write(0, queue(index) + TEST, 1_u32 << index);
        let mut expected = [0; 7];
        expected[1 + 2 * usize::try_from(index).unwrap()] = 1;
        assert_eq!(taken(&mut card), expected);
    }
    assert_eq!(card.device().queues.map(|queue| queue.status), [1, 2, 4]);
    assert_eq!((card.device().status, card.device().spare.status), (0, 0));
    card.write(0, 0x04, 1_u32);
    assert_eq!(taken(&mut card), [1, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn gates_are_those_of_the_element() {
    let mut card = card();
    card.write(0, queue(0) + ENABLE, 0xff_u32);
    card.write(0, queue(1) + TEST, 1_u32);
    assert_eq!(taken(&mut card), [0; 7]);
    card.write(0, queue(1) + MASK, 1_u32);
    card.write(0, queue(1) + ENABLE, 1_u32);
    assert_eq!(taken(&mut card), [0; 7]);
    card.write(0, queue(1) + MASK, 0_u32);
    assert_eq!(taken(&mut card), [0, 0, 0, 1, 0, 0, 0]);
}

#[test]
fn blocks_may_share_a_vector() {
    let mut card = card();
    card.write(0, queue(0) + PUSH, 1_u8);
    assert_eq!(taken(&mut card), [0, 0, 1, 0, 0, 0, 0]);
    card.write(0, queue(3) + PUSH, 1_u8);
    assert_eq!(taken(&mut card), [0; 7], "raised already");
    card.write(0, queue(0) + PUSH, 0_u8);
    card.write(0, queue(0) + PUSH, 1_u8);
    assert_eq!(taken(&mut card), [0; 7], "the other one still is");
    card.write(0, queue(0) + PUSH, 0_u8);
    card.write(0, queue(3) + PUSH, 0_u8);
    card.write(0, queue(3) + PUSH, 1_u8);
    assert_eq!(taken(&mut card), [0, 0, 1, 0, 0, 0, 0]);
}

#[test]
fn events_compose_and_a_clear_register_acknowledges() {
    let mut card = card();
    card.write(0, queue(2) + PUSH, 0xff_u8);
    card.handle_events();
    assert_eq!(card.read::<u16>(0, queue(2) + ERRORS), 0x8000);
    assert_eq!(taken(&mut card), [0, 0, 0, 0, 0, 0, 2]);
    card.write(0, queue(2) + CLEAR, 0x8000_u16);
    assert_eq!(card.device().queues[2].errors, 0);
    card.write(0, queue(2) + PUSH, 0xff_u8);
    card.handle_events();
    assert_eq!(taken(&mut card), [0, 0, 0, 0, 0, 0, 1]);
}

#[test]
fn what_was_raised_before_a_migration_is_not_raised_again() {
    let mut source = card();
    source.write(0, queue(1) + ENABLE, 1_u32);
    source.write(0, queue(1) + TEST, 1_u32);
    let mut target = card();
    target.load(&source.save()).unwrap();
    taken(&mut target);
    target.write(0, queue(0) + ENABLE, 0_u32);
    assert_eq!(taken(&mut target), [0; 7]);
    target.write(0, queue(1) + STATUS, 1_u32);
    target.write(0, queue(1) + TEST, 1_u32);
    assert_eq!(taken(&mut target), [0, 0, 0, 1, 0, 0, 0]);
}

/// All elements share the line, as all functions of a card do.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 2)]
#[bar(0: mem32, size = 0x1000)]
#[irq(intx)]
struct Line {
    #[block(0x000)]
    ports: [Port; 4],
}

#[derive(Clone, Copy, Debug, Default, RegisterBlock)]
struct Port {
    #[reg(0x0, w1c)]
    #[intr(status, enable = enable, test = test)]
    status: u8,
    #[reg(0x1)]
    enable: u8,
    #[reg(0x2, wo)]
    test: Virtual<u8>,
}

impl Device for Line {
    type Event = ();
}

/// In a capability, behind its header of 3 bytes.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 3)]
#[irq(msi = 4)]
struct Hidden {
    #[capability(vendor(at = 0x80, vector = 3))]
    port: Port,
}

impl Device for Hidden {
    type Event = ();
}

#[test]
fn blocks_of_capabilities_have_interrupts_too() {
    let mut hidden = Bench::new(Hidden::default()).unwrap();
    hidden.write_config(0x84, 0xff_u8);
    hidden.write_config(0x85, 1_u8);
    assert_eq!((hidden.take_irq(0), hidden.take_irq(3)), (0, 1));
}

proptest! {
    #[test]
    fn the_line_is_asserted_while_any_bit_of_any_element_is_active(
        script in prop::collection::vec((0usize..4, 0u64..3, any::<u8>()), 1..40)
    ) {
        let mut line = PciFunction::new(Line::default()).unwrap();
        let mut model = [(0_u8, 0_u8); 4];
        for (port, register, value) in script {
            let offset = port as u64 * 3 + register;
            line.write(RegionIndex::Bar0, offset, &[value]).unwrap();
            let (status, enable) = &mut model[port];
            match register {
                0 => *status &= !value,
                1 => *enable = value,
                _ => *status |= value,
            }
            let mut found = [0];
            line.read(RegionIndex::Config, 0x06, &mut found).unwrap();
            let expected = model.iter().any(|(status, enable)| status & enable != 0);
            prop_assert_eq!(found[0] >> 3 & 1 == 1, expected);
        }
    }
}
