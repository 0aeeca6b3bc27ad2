//! Arrays and blocks whose elements share bytes: another register selects the one that answers.

use vfio_user::protocol::RegionIndex;
use vfio_user::{Bench, Cx, Device, PciDevice, Register, RegisterBlock, Virtual};

#[derive(Clone, Copy, Debug, Default, PartialEq, Register)]
#[register(u16)]
struct Index {
    #[field(bits = 0..=3)]
    ring: u8,
    #[field(bit = 8)]
    shadow: bool,
}

#[derive(Clone, Copy, Default, RegisterBlock)]
#[block(host = QueueHost)]
struct Queue {
    #[reg(0x00)]
    size: u16,
    #[reg(0x02, on_write = selected)]
    vector: u16,
    #[reg(0x04)]
    lane: u8,
    #[reg(0x06, select = lane)]
    lanes: [u16; 4],
    #[reg(0x08, wide, when(size = 4..=8))]
    base: u64,
    #[reg(0x10, w1c)]
    #[intr(status)]
    status: u8,
}

/// A device with the registers of a queue behind an index, as those of virtio.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x1000, name = "virtio")]
#[bar(0: mem32, size = 0x100, unmapped = ones)]
#[irq(msix = 8)]
struct Virtio {
    #[reg(0x16)]
    queue_select: u16,
    #[block(0x20, select = queue_select, vector_stride = 1)]
    queues: [Queue; 5],
    #[reg(0x40)]
    index: Index,
    #[reg(0x44, select = index.ring, when(index.shadow = 0), lock = locked)]
    rings: [u32; 10],
    #[reg(0x44, select = index.ring, when(index.shadow = 1), write_with = Self::shadow)]
    shadows: [Virtual<u32>; 3],
    #[reg(0x48)]
    locked: u8,
    #[migrate(max_len = 16)]
    written: Vec<(u32, u32)>,
}

impl Device for Virtio {
    type Event = ();

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: vfio_user::ResetKind) {
        self.written.clear();
    }
}

impl Virtio {
    fn shadow(&mut self, _: &mut Cx<'_, Self>, ring: usize, value: u32) {
        self.note(ring, value);
    }

    fn note(&mut self, index: usize, value: u32) {
        self.written.truncate(15);
        self.written.push((u32::try_from(index).expect("they are few"), value));
    }
}

impl QueueHost for Virtio {
    fn selected(&mut self, _: &mut Cx<'_, Self>, queue: usize, _: u16, vector: u16) {
        self.note(queue, vector.into());
    }
}

fn virtio() -> Bench<Virtio> {
    Bench::new(Virtio::default()).unwrap()
}

#[test]
fn the_selected_element_answers() {
    let mut bench = virtio();
    for ring in 0..10_u16 {
        bench.write(0, 0x40, ring);
        bench.write(0, 0x44, u32::from(ring) * 3);
        bench.write(0, 0x47, 0xee_u8);
    }
    bench.write(0, 0x40, 7_u16);
    assert_eq!(bench.read::<u32>(0, 0x44), 0xee00_0015);
    assert_eq!(bench.peek("rings[9]"), 0xee00_001b);
    bench.write(0, 0x48, 1_u8);
    bench.write(0, 0x44, 0_u32);
    assert_eq!(bench.peek("rings[7]"), 0xee00_0015, "locked");
}

#[test]
fn hooks_get_the_selected_index() {
    let mut bench = virtio();
    bench.write(0, 0x40, 0x102_u16);
    bench.write(0, 0x44, 5_u32);
    bench.write(0, 0x16, 4_u16);
    bench.write(0, 0x22, 6_u16);
    assert_eq!(bench.device().written, [(2, 5), (4, 6)]);
    assert_eq!(bench.peek("queues[4].vector"), 6);
}

#[test]
fn registers_of_the_selected_block_answer() {
    let mut bench = virtio();
    for queue in [3_u16, 1] {
        bench.write(0, 0x16, queue);
        bench.write(0, 0x20, queue << 4);
        bench.write(0, 0x24, 2_u8);
        bench.write(0, 0x26, queue << 8);
        bench.write(0, 0x28, 0x1000_u64 * u64::from(queue));
    }
    assert_eq!(bench.read::<u16>(0, 0x20), 0x10);
    assert_eq!(bench.peek("queues[3].lanes[2]"), 0x300);
    assert_eq!(bench.peek("queues[1].lanes[2]"), 0x100);
    assert_eq!(bench.peek("queues[3].base"), 0x3000);
    assert_eq!(bench.read::<u8>(0, 0x28), 0xff, "answers four bytes and more");
    bench.poke("queues[3].status", 1);
    bench.handle_events();
    bench.write(0, 0x16, 3_u16);
    assert_eq!(bench.take_irq(3), 1);
    bench.write(0, 0x30, 1_u8);
    assert_eq!(bench.peek("queues[3].status"), 0);
}

#[test]
fn an_element_that_does_not_exist_reads_zero_and_ignores_writes() {
    let mut bench = virtio();
    for index in [5_u16, 8, u16::MAX] {
        bench.write(0, 0x16, index);
        bench.write(0, 0x20, u64::MAX);
        assert_eq!(bench.read::<u32>(0, 0x20), 0);
        assert_eq!(bench.read::<u8>(0, 0x27), 0);
        bench.write(0, 0x40, index | 0x0f);
        bench.write(0, 0x44, u32::MAX);
        assert_eq!(bench.read::<u32>(0, 0x44), 0);
        let mut byte = [9];
        assert_eq!(bench.function().peek_at(0, 0x44, &mut byte), Ok(true));
        assert_eq!(byte, [0]);
        assert!(bench.function_mut().poke_at(0, 0x44, &[1]).is_err());
    }
    let mut byte = [0];
    bench.try_read(RegionIndex::Bar0, 0x35, &mut byte).unwrap();
    assert_eq!(byte, [0xff], "nothing is there");
    assert!(bench.device().rings.iter().all(|ring| *ring == 0));
    assert!(bench.device().queues.iter().all(|queue| queue.size == 0 && queue.vector == 0));
    assert!(bench.device().written.is_empty());
}

#[test]
fn every_element_is_state() {
    let mut bench = virtio();
    for index in 0..5 {
        bench.poke(&format!("queues[{index}].size"), index + 1);
        bench.poke(&format!("rings[{index}]"), index + 7);
    }
    let state = bench.save();
    let mut other = virtio();
    other.load(&state).unwrap();
    for index in 0..5 {
        assert_eq!(other.peek(&format!("queues[{index}].size")), index + 1);
        assert_eq!(other.peek(&format!("rings[{index}]")), index + 7);
    }
    other.reset();
    assert_eq!(other.peek("queues[4].size"), 0);
}

mod suite {
    use super::Virtio;

    vfio_user::device_tests!(Virtio, Virtio::default);

    #[test]
    fn selected_registers_are_tested() {
        let coverage = device_suite().coverage();
        assert_eq!((coverage.registers, coverage.registers_total), (10, 11), "{coverage}");
    }
}
