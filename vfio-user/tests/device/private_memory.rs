//! A device on the bench whose memory its client keeps to itself.

use std::thread;
use std::time::Duration;

use vfio_user::pci::spec::cfg;
use vfio_user::{Bench, Cx, Device, DmaError, PciDevice, Virtual};

const PATIENCE: Duration = Duration::from_secs(10);

/// Copies `len` bytes from `source` to `target`, in one way or another.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[bar(0: mem32, size = 0x1000)]
#[irq(msix = 2)]
struct Copier {
    #[reg(0x00)]
    source: u64,
    #[reg(0x08)]
    target: u64,
    #[reg(0x10, mask = 0xf_ffff)]
    len: u32,
    #[reg(0x14, wo, write_with = Self::fetch)]
    fetch: Virtual<u32>,
    #[reg(0x18, wo, write_with = Self::work)]
    work: Virtual<u32>,
    /// Stores the value at `target` and at `source`, in this order, and raises a message after
    /// each.
    #[reg(0x1c, wo, write_with = Self::store)]
    store: Virtual<u32>,
    #[migrate(skip)]
    failures: Vec<DmaError>,
}

enum Event {
    Fetched(Result<Vec<u8>, DmaError>),
    Worked(Result<(), DmaError>),
}

impl Device for Copier {
    type Event = Event;

    fn event(&mut self, cx: &mut Cx<'_, Self>, event: Event) {
        let copied = match event {
            Event::Fetched(bytes) => bytes.and_then(|bytes| cx.dma().write(self.target, &bytes)),
            Event::Worked(copied) => copied,
        };
        self.failures.extend(copied.err());
        cx.irq(0).raise();
    }
}

impl Copier {
    fn fetch(&mut self, cx: &mut Cx<'_, Self>, _: u32) {
        let mut bytes = vec![0; self.len as usize];
        self.failures.extend(cx.dma().read(self.source, &mut bytes).err());
        cx.fetch(self.source, self.len as usize, Event::Fetched);
    }

    fn work(&mut self, cx: &mut Cx<'_, Self>, _: u32) {
        let (dma, remote) = (cx.dma().for_session(), cx.remote());
        let (source, target, len) = (self.source, self.target, self.len as usize);
        thread::spawn(move || {
            let mut bytes = vec![0; len];
            let copied = dma.read(source, &mut bytes).and_then(|()| dma.write(target, &bytes));
            // A test that has ended listens no more.
            let _ = remote.post(Event::Worked(copied));
        });
    }

    fn store(&mut self, cx: &mut Cx<'_, Self>, value: u32) {
        for (vector, iova) in [(0, self.target), (1, self.source)] {
            self.failures.extend(cx.dma().write(iova, &value.to_le_bytes()).err());
            cx.irq(vector).raise();
        }
    }
}

fn copier(source: u64, target: u64, len: u32) -> Bench<Copier> {
    let mut bench = Bench::with_private_memory(Copier::default()).unwrap();
    bench.write(0, 0x00, source);
    bench.write(0, 0x08, target);
    bench.write(0, 0x10, len);
    bench
}

fn memory(bench: &Bench<Copier>, iova: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    bench.read_memory(iova, &mut bytes);
    bytes
}

/// No period is that of a piece.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

#[test]
fn a_hook_cannot_read_and_fetches_what_comes_in_pieces() {
    const LEN: usize = 200_001;
    let mut bench = copier(0x1001, 0x8_0003, LEN.try_into().unwrap());
    bench.write_memory(0x1001, &pattern(LEN));
    bench.write(0, 0x14, 1u32);
    assert!(matches!(bench.device().failures[..], [DmaError::MessageMode { iova: 0x1001 }]));
    assert_eq!(memory(&bench, 0x8_0003, LEN), vec![0; LEN], "no request has been sent yet");
    bench.handle_events();
    assert_eq!((memory(&bench, 0x8_0003, LEN), bench.take_irq(0)), (pattern(LEN), 1));
    assert_eq!(
        (memory(&bench, 0x8_0000, 3), memory(&bench, 0x8_0003 + LEN as u64, 3)),
        (vec![0; 3], vec![0; 3])
    );
}

#[test]
fn what_a_hook_writes_is_written_in_order_and_interrupts_wait_for_it() {
    let mut bench = copier(0x100, 0x100, 4);
    for value in [1u32, 2] {
        bench.write(0, 0x1c, value);
    }
    assert_eq!(
        (memory(&bench, 0x100, 4), bench.take_irq(0), bench.take_irq(1)),
        (vec![0; 4], 0, 0)
    );
    bench.handle_events();
    assert_eq!(memory(&bench, 0x100, 4), [2, 0, 0, 0], "the last one");
    assert!(bench.take_irq(0) > 0 && bench.take_irq(1) > 0);
}

#[test]
fn a_thread_waits_for_its_memory_while_an_interrupt_is_waited_for() {
    let mut bench = copier(0x100, 0x4_0000, 0x3_0000);
    bench.write_memory(0x100, &pattern(0x3_0000));
    bench.write(0, 0x18, 1u32);
    assert_eq!(bench.wait_irq(0, PATIENCE).unwrap(), 1);
    assert_eq!(memory(&bench, 0x4_0000, 0x3_0000), pattern(0x3_0000));
    assert!(bench.device().failures.is_empty());
}

#[test]
fn what_is_not_there_or_not_allowed_is_refused() {
    let mut bench = copier(Bench::<Copier>::MEMORY - 2, 0x100, 4);
    bench.write(0, 0x14, 1u32);
    bench.handle_events();
    let failures = &bench.device().failures;
    assert!(
        failures.iter().all(|error| matches!(error, DmaError::Unmapped { .. })),
        "{failures:?}"
    );
    assert_eq!((failures.len(), bench.take_irq(0)), (2, 1));
    for command in [6u16, 2] {
        bench.write_config(cfg::COMMAND as u64, command);
    }
    bench.write(0, 0x1c, 7u32);
    bench.handle_events();
    let failures = &bench.device().failures[2..];
    assert!(failures.iter().all(|error| matches!(error, DmaError::NotBusMaster { .. })));
    assert_eq!((failures.len(), memory(&bench, 0x100, 4)), (2, vec![0; 4]));
}
