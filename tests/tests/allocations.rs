//! An access to a region allocates nothing, nor does a register on its way into a state or out of
//! one.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use vfio_user::{Bench, Cx, Device, PciDevice, Remote, Virtual};
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::serve;
use vfio_user_tests::wire::{self, command};

/// The system's allocator, counting for each thread.
struct Counting;

thread_local! {
    // Constant and without a destructor, so that the allocator may use it at any time.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<u64> = const { Cell::new(0) };
}

fn count(bytes: usize) {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
    BYTES.set(BYTES.get() + bytes as u64);
}

#[expect(unsafe_code, reason = "an allocator is unsafe to write; this one adds only a counter")]
// SAFETY: every method passes its arguments to the system's allocator, unchanged, and returns what
// that returns. The counter neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promises are those of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promises are those of `System`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: the caller's promises are those of `System`.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are those of `System`.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10f6)]
#[bar(0: mem32, size = 0x10000)]
#[irq(msix = 4)]
#[capability(pm, express)]
struct Meter {
    #[reg(0x00, ro, read_with = Self::allocations)]
    allocations: Virtual<u64>,
    #[reg(0x08, wo, write_with = Self::keep)]
    keep: Virtual<u32>,
    #[reg(0x0c, wo, write_with = Self::allocate)]
    allocate: Virtual<u32>,
    #[reg(0x10)]
    scratch: u64,
    #[reg(0x18, w1c, on_write = Self::observe)]
    status: u32,
    #[reg(0x1c, on_read = Self::observe_read)]
    observed: u32,
    #[reg(0x20, wo, write_with = Self::raise)]
    raise: Virtual<u32>,
    #[reg(0x28, ro, read_with = Self::bytes)]
    bytes: Virtual<u64>,
    #[reg(0x100, stride = 8)]
    ring: [u32; 32],
    #[migrate(skip)]
    remote: Option<Remote<()>>,
}

impl Device for Meter {
    type Event = ();
}

#[expect(clippy::unused_self, reason = "hooks are methods")]
impl Meter {
    fn allocations(&mut self, _: &mut Cx<'_, Self>) -> u64 {
        ALLOCATIONS.get()
    }

    fn bytes(&mut self, _: &mut Cx<'_, Self>) -> u64 {
        BYTES.get()
    }

    fn keep(&mut self, cx: &mut Cx<'_, Self>, _: u32) {
        self.remote = Some(cx.remote());
    }

    fn allocate(&mut self, _: &mut Cx<'_, Self>, bytes: u32) {
        drop(std::hint::black_box(vec![1u8; bytes as usize]));
    }

    fn observe(&mut self, _: &mut Cx<'_, Self>, _: u32, _: u32) {}

    fn observe_read(&mut self, _: &mut Cx<'_, Self>, _: u32) {}

    fn raise(&mut self, cx: &mut Cx<'_, Self>, number: u32) {
        cx.irq(u16::try_from(number).unwrap_or(0)).raise();
    }
}

/// Accesses of all kinds.
fn accesses(client: &mut RawClient) {
    for _ in 0..100 {
        for (offset, len) in [(0x10, 8), (0x14, 4), (0x18, 1), (0x1c, 4), (0, 4096), (0x101, 300)] {
            client.read(0, offset, len);
        }
        for (offset, len) in [(0x10, 8), (0x14, 4), (0x18, 1), (0x1c, 4), (0x20, 4), (0x101, 300)] {
            client.write(0, offset, &vec![0; len]);
            client.posted_write(0, offset, &vec![0; len]);
        }
        client.read(7, 0, 4096);
        client.write(7, 4, &[7, 0]);
        client.read(1, 0, 64);
    }
    let read = wire::message(1, command::REGION_READ, 0, &wire::access(0, 0x10, 8));
    client.send(&read.repeat(100), &[]);
    (0..100).for_each(|_| drop(client.answer_to(1, command::REGION_READ).ok()));
}

fn allocated_by(client: &mut RawClient, accesses: impl Fn(&mut RawClient)) -> u64 {
    let before = client.number(0, 0, 8);
    accesses(client);
    client.number(0, 0, 8) - before
}

#[test]
fn accesses_allocate_nothing_in_steady_state() {
    let (_running, mut client) = serve::over_pair(Meter::default);
    client.negotiate();
    let allocate = |client: &mut RawClient| client.write(0, 0x0c, &[1, 0, 0, 0]);
    assert_eq!(allocated_by(&mut client, allocate), 1, "the counter counts");
    accesses(&mut client);
    assert_eq!(allocated_by(&mut client, accesses), 0);
    client.write(0, 0x08, &[1, 0, 0, 0]);
    accesses(&mut client);
    assert_eq!(allocated_by(&mut client, accesses), 0, "with a remote alive");
}

#[test]
fn what_a_client_claims_allocates_nothing() {
    let (_running, mut client) = serve::over_pair(Meter::default);
    client.negotiate();
    client.write(0, 0x0c, &4096u32.to_le_bytes());
    accesses(&mut client);
    let before = client.number(0, 0x28, 8);
    assert!(before >= 4096, "the counter counts");
    let huge = [1 << 20, 1 << 30, 3 << 30, u32::MAX];
    for count in huge {
        let requests = [
            (command::REGION_READ, wire::access(0, 0, count)),
            (command::REGION_WRITE, wire::access(0, 0, count)),
            (command::SET_IRQS, wire::set_irqs(0x24, 2, 0, count)),
            (command::SET_IRQS, wire::set_irqs(0x22, 2, 0, count)),
        ];
        for (command, payload) in requests {
            client.request(command, &payload, &[]).fails_with(wire::errno::EINVAL);
        }
        client.request(command::GET_REGION_INFO, &wire::region_info(count, 0), &[]).ok();
        client.request(command::GET_INFO, &wire::words(&[count, 0, 0, 0]), &[]).ok();
    }
    client.send(&wire::header(1, command::REGION_WRITE, 16 << 20, 0x10), &[]);
    client.send(&vec![0; (16 << 20) - 16], &[]);
    assert!(client.number(0, 0x28, 8) - before < 4096);
}

/// A device of single registers: as they have always been, of a later version, and with older
/// names.
macro_rules! registers {
    ($device:ident: $($name:ident $added:ident $renamed:ident = $at:tt $next:tt $last:tt $was:tt,)*) => {
        #[derive(Default, PciDevice)]
        #[pci(vendor = 0x1af4, device = 0x10f6, name = "registers")]
        #[bar(0: mem32, size = 0x1000)]
        #[migrate(version = 2)]
        struct $device {
            $(
                #[reg($at)]
                $name: u32,
                #[reg($next)]
                #[migrate(since = 2, default = 1)]
                $added: u32,
                #[reg($last)]
                #[migrate(renamed_from = $was)]
                $renamed: u16,
            )*
        }

        impl Device for $device {
            type Event = ();
        }
    };
}

registers!(Few: a0 b0 c0 = 0x000 0x004 0x008 "old0",);
registers!(Many:
    a0 b0 c0 = 0x000 0x004 0x008 "old0",
    a1 b1 c1 = 0x010 0x014 0x018 "old1",
    a2 b2 c2 = 0x020 0x024 0x028 "old2",
    a3 b3 c3 = 0x030 0x034 0x038 "old3",
    a4 b4 c4 = 0x040 0x044 0x048 "old4",
    a5 b5 c5 = 0x050 0x054 0x058 "old5",
    a6 b6 c6 = 0x060 0x064 0x068 "old6",
    a7 b7 c7 = 0x070 0x074 0x078 "old7",
    a8 b8 c8 = 0x080 0x084 0x088 "old8",
    a9 b9 c9 = 0x090 0x094 0x098 "old9",
    aa ba ca = 0x0a0 0x0a4 0x0a8 "olda",
    ab bb cb = 0x0b0 0x0b4 0x0b8 "oldb",
    ac bc cc = 0x0c0 0x0c4 0x0c8 "oldc",
    ad bd cd = 0x0d0 0x0d4 0x0d8 "oldd",
    ae be ce = 0x0e0 0x0e4 0x0e8 "olde",
    af bf cf = 0x0f0 0x0f4 0x0f8 "oldf",
);

/// What saving a device and loading it again allocates, every register being other than at a reset.
fn allocated_by_state<D: PciDevice + Default>() -> [u64; 2] {
    let mut bench = Bench::new(D::default()).unwrap();
    for offset in (0..0x100).step_by(4) {
        bench.write(0, offset, 0x55_u32);
    }
    let counted = |run: &mut dyn FnMut()| {
        let before = ALLOCATIONS.get();
        run();
        ALLOCATIONS.get() - before
    };
    // The types of fields are found once.
    let mut stream = bench.save();
    bench.function_mut().load(&stream).unwrap();
    let saved = counted(&mut || stream = bench.function().save().unwrap());
    let loaded = counted(&mut || bench.function_mut().load(&stream).unwrap());
    [saved, loaded]
}

#[test]
fn single_registers_allocate_nothing_in_a_state() {
    let [few, many] = [allocated_by_state::<Few>(), allocated_by_state::<Many>()];
    for (what, (few, many)) in ["saved", "loaded"].into_iter().zip(few.into_iter().zip(many)) {
        assert!(few > 0, "the counter counts");
        // Buffers that grow do so a few times more.
        let more = many.saturating_sub(few);
        assert!(more < 16, "{what}: {few} allocations for 3 registers, {more} more for 45 more");
    }
}
