//! What devices with queues use: rings, lists of memory, values of doorbells.

use vfio_user::declaration::{Descriptor, Watching};
use vfio_user::{
    Bench, Cx, Device, Dma, DmaError, DoorbellValues, PciDevice, Result, Ring, ScatterList,
    ShadowDoorbells, Virtual,
};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 0x9e5d)]
#[bar(0: mem64, size = 0x2000, access = 4..=8, shared(0x1000..0x2000))]
struct Queued {
    #[reg(0x00, wo, write_with = Self::go)]
    go: Virtual<u32>,
    #[reg(0x1000, watch, reset = DoorbellValues::NONE, write_with = Self::rung)]
    doorbells: [Virtual<u32>; 4],
    bells: DoorbellValues,
    #[migrate(skip)]
    test: fn(&Dma),
    #[migrate(skip)]
    watching: Watching,
}

impl Queued {
    fn new(watching: Watching, test: fn(&Dma)) -> Bench<Self> {
        let (go, doorbells) = Default::default();
        let bells = DoorbellValues::new(0x1000, 4);
        Bench::new(Queued { go, doorbells, bells, test, watching }).unwrap()
    }

    fn go(&mut self, cx: &mut Cx<'_, Self>, _: u32) {
        (self.test)(cx.dma());
    }

    fn rung(&mut self, _: &mut Cx<'_, Self>, index: usize, value: u32) {
        self.bells.ring(index, value);
    }
}

impl Device for Queued {
    type Event = ();

    fn configure(&self, descriptor: &mut Descriptor) -> Result<()> {
        Ok(descriptor.set_watching(0, self.watching)?)
    }
}

/// Runs a test in a hook, with memory of the client. Returns the first bytes of that.
fn with_memory(test: fn(&Dma)) -> [u8; 0x100] {
    let mut bench = Queued::new(Watching::ByMessages, test);
    bench.write_memory(0, &[0; 0x100]);
    bench.write(0, 0, 1_u32);
    let mut bytes = [0; 0x100];
    bench.read_memory(0, &mut bytes);
    bytes
}

#[test]
fn a_ring_counts_what_is_pending_and_what_has_room() {
    with_memory(|dma| {
        let mut commands = Ring::new(0, 4);
        let mut completions = Ring::new(0x40, 3);
        dma.write(0, [10_u64, 11, 12, 13].map(u64::to_le_bytes).as_flattened()).unwrap();
        assert_eq!((commands.pending(), completions.room()), (0, 2));
        assert!(commands.set_driver_index(3) && !commands.set_driver_index(4));
        let held = completions.hold::<u64>(dma).unwrap();
        let mut echo = |commands: &mut Ring| {
            let command: u64 = commands.read(dma).unwrap();
            commands.advance();
            let phase = completions.phase();
            completions.post(&held, &command).unwrap();
            (command, phase, completions.room())
        };
        assert_eq!(echo(&mut commands), (10, true, 1));
        assert_eq!(echo(&mut commands), (11, true, 0));
        assert_eq!((commands.pending(), commands.following_index()), (1, 3));
        // The driver goes around.
        assert!(commands.set_driver_index(1));
        assert_eq!(commands.pending(), 3);
        assert!(completions.set_driver_index(2));
        let mut words = [0; 16];
        dma.read(0x40, &mut words).unwrap();
        assert_eq!(words, *[10_u64, 11].map(u64::to_le_bytes).as_flattened());
        completions.advance();
        assert_eq!((completions.device_index(), completions.room()), (0, 1));
        assert!(!completions.phase(), "the third of three was passed");
    });
}

#[test]
fn a_ring_that_leaves_the_address_space_is_an_error() {
    with_memory(|dma| {
        let ring = Ring::new(u64::MAX - 7, u32::MAX);
        assert!(ring.hold::<[u64; 8]>(dma).is_err());
        assert!(!ring.is_valid(4096));
        assert!(Ring::new(0, 0).is_valid(1));
        assert_eq!(Ring::new(0, 0).room(), 0);
    });
}

#[test]
fn a_list_is_gathered_in_its_order() {
    with_memory(|dma| {
        dma.write(0, &[1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
        let mut list = ScatterList::default();
        assert!(list.is_empty());
        for (iova, len) in [(4, 2), (6, 2), (0, 1), (u64::MAX, 0)] {
            list.push(iova, len);
        }
        list.skip(3);
        list.push(1, 2);
        assert_eq!(list.len(), 10);
        let held = list.gather(dma).unwrap();
        // 4..8 is one range; what is skipped is left out.
        assert_eq!((held.segments().len(), held.len()), (3, 7));
        let mut bytes = [0; 7];
        held.read(0, &mut bytes).unwrap();
        assert_eq!(bytes, [5, 6, 7, 8, 1, 2, 3]);
    });
}

#[test]
fn a_list_is_filled_once_all_of_it_is_held() {
    let bytes = with_memory(|dma| {
        let mut list = ScatterList::default();
        list.push(4, 2);
        list.push(0, 1);
        list.scatter(dma, |_, held| held.write(0, &[1, 2, 3])).unwrap();
        list.push(1 << 50, 1);
        let filled =
            list.scatter(dma, |_, _| -> Result<(), DmaError> { panic!("not all is held") });
        assert!(matches!(filled, Err(DmaError::Unmapped { .. })));
    });
    assert_eq!(bytes[..8], [3, 0, 0, 0, 1, 2, 0, 0]);
}

#[test]
fn what_is_skipped_is_counted_and_not_written() {
    let bytes = with_memory(|dma| {
        let mut list = ScatterList::default();
        list.push(0, 2);
        list.skip(3);
        list.push(4, 2);
        let data = [1, 2, 3, 4, 5, 6, 7];
        let fill = |offset: u64, held: &vfio_user::DmaGuard| {
            let start = usize::try_from(offset).unwrap();
            held.write(0, &data[start..start + usize::try_from(held.len()).unwrap()])
        };
        list.scatter(dma, fill).unwrap();
    });
    assert_eq!(bytes[..8], [1, 2, 0, 0, 6, 7, 0, 0]);
}

#[test]
fn a_shadow_doorbell_asks_for_a_ring_only_when_it_has_none() {
    let bytes = with_memory(|dma| {
        let bells = ShadowDoorbells::new(0x40, 0x80);
        bells.check(dma, 4).unwrap();
        // The queue has been rung by its register, and then in memory.
        bells.start(dma, 2, 7).unwrap();
        bells.start(dma, 2, 6).unwrap();
        assert_eq!(bells.value(dma, 2).unwrap(), 7);
        assert_eq!(bells.await_ring(dma, 2, 5).unwrap(), 7);
        assert_eq!(dma.load::<u32>(0x88).unwrap(), 0, "there was a ring");
        assert_eq!(bells.await_ring(dma, 2, 7).unwrap(), 7);
        assert_eq!(dma.load::<u32>(0x88).unwrap(), 7);
        bells.start(dma, 3, 9).unwrap();
        bells.clear(dma, 3).unwrap();
    });
    assert_eq!(bytes[0x40..0x50], [[0; 4], [0; 4], [7, 0, 0, 0], [0; 4]].concat());
}

#[test]
fn shadow_doorbells_outside_memory_are_an_error() {
    with_memory(|dma| {
        assert!(ShadowDoorbells::new(1 << 50, 0x80).check(dma, 1).is_err());
        assert!(ShadowDoorbells::new(0x40, 0xf0).check(dma, 1 << 20).is_err());
        assert!(ShadowDoorbells::new(0x40, 0x80).value(dma, 1 << 40).is_err());
        let bells = ShadowDoorbells::new(0x1000, 0x2800);
        assert!(bells.is_aligned(0x800) && !bells.is_aligned(0x1000));
    });
}

#[test]
fn doorbells_have_values_by_messages_and_in_memory() {
    for watching in [Watching::ByMessages, Watching::ByThreads] {
        let mut bench = Queued::new(watching, |_| {});
        let bells = bench.device().bells.clone();
        let ring = |bench: &mut Bench<Queued>, index: u64, value: u32| match watching {
            Watching::ByMessages => bench.write(0, 0x1000 + 4 * index, value),
            _ => bench.shared(0).store(0x1000 + 4 * index, value).unwrap(),
        };
        // A ring of an earlier queue is forgotten.
        ring(&mut bench, 1, 9);
        bells.open(bench.shared(0), 1);
        assert_eq!(bells.take(bench.shared(0), 1), None);
        ring(&mut bench, 1, 7);
        let loaded = bench.save();
        assert_eq!(bells.take(bench.shared(0), 1), Some(7));
        bench.load(&loaded).unwrap();
        let bells = bench.device().bells.clone();
        assert_eq!(bells.take(bench.shared(0), 1), Some(7), "it was not taken");
        bells.close(bench.shared(0), 1);
        assert_eq!(bells.take(bench.shared(0), 1), None);
    }
}

#[test]
fn a_doorbell_of_no_queue_is_found_once() {
    for watching in [Watching::ByMessages, Watching::ByThreads] {
        let mut bench = Queued::new(watching, |_| {});
        let bells = bench.device().bells.clone();
        bells.close_all(bench.shared(0));
        bells.open(bench.shared(0), 0);
        let finds =
            |bench: &Bench<Queued>| (0..4).filter(|_| bells.take_stray(bench.shared(0))).count();
        for (doorbell, count) in [(0, 0), (3, 1)] {
            match watching {
                Watching::ByMessages => bench.write(0, 0x1000 + 4 * doorbell, 5_u32),
                _ => bench.shared(0).store(0x1000 + 4 * doorbell, 5_u32).unwrap(),
            }
            assert_eq!([finds(&bench), finds(&bench)], [count, 0], "doorbell {doorbell}");
        }
    }
}
