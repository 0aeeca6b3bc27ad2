//! Slots that name no register of a device reach none of it.

use vfio_user::declaration::Slot;
use vfio_user::{Bench, Cx, Device, Hook, PciDevice, RegisterBlock, Virtual};

#[derive(Clone, Copy, Default, RegisterBlock)]
#[block(host = QueueHost)]
struct Queue {
    #[reg(0x00, read_with = head, write_with = set_head)]
    head: Virtual<u32>,
    #[reg(0x04)]
    base: u32,
}

/// The slot whose hooks are called.
struct Call(Slot);

/// A device with a register of its own at place 0, whose hooks say that they ran.
macro_rules! device {
    ($name:ident { $($field:tt)* } $($blocks:tt)*) => {
        #[derive(Default, PciDevice)]
        #[pci(vendor = 0x1234, device = 1)]
        #[bar(0: mem32, size = 0x1000)]
        struct $name {
            #[reg(0x00, read_with = Self::read, write_with = Self::write, on_read = Self::seen,
                  kick = Self::kicked)]
            own: Virtual<u32>,
            #[reg(0x04, on_write = Self::written)]
            stored: u32,
            calls: u32,
            result: u64,
            $($field)*
        }

        impl Device for $name {
            type Event = Call;

            fn event(&mut self, cx: &mut Cx<'_, Self>, Call(slot): Call) {
                let hooks =
                    [Hook::Write(1), Hook::AfterRead(1), Hook::AfterWrite(0, 1), Hook::Kick];
                self.result = self.hook(cx, slot, Hook::Read);
                self.result |= hooks.map(|hook| self.hook(cx, slot, hook)).iter().sum::<u64>();
            }
        }

        impl $name {
            fn read(&mut self, _: &mut Cx<'_, Self>) -> u32 {
                self.calls += 1;
                7
            }

            fn write(&mut self, _: &mut Cx<'_, Self>, _: u32) {
                self.calls += 1;
            }

            fn seen(&mut self, _: &mut Cx<'_, Self>, _: u32) {
                self.calls += 1;
            }

            fn kicked(&mut self, _: &mut Cx<'_, Self>) {
                self.calls += 1;
            }

            fn written(&mut self, _: &mut Cx<'_, Self>, _: u32, _: u32) {
                self.calls += 1;
            }
        }

        $($blocks)*
    };
}

device!(Alone {});

device!(Both { #[block(0x100)] queues: [Queue; 2], } impl QueueHost for Both {
    fn head(&mut self, _: &mut Cx<'_, Self>, _: usize) -> u32 {
        self.calls += 1;
        9
    }

    fn set_head(&mut self, _: &mut Cx<'_, Self>, _: usize, _: u32) {
        self.calls += 1;
    }
});

/// What a device has after everything was done to a slot that it lacks.
fn state_after<D>(slot: Slot) -> Bench<D>
where
    D: PciDevice + Device<Event = Call> + Default,
{
    let mut device = D::default();
    for (_, known) in D::DESCRIPTOR.slots() {
        device.store(known, 0x55);
    }
    device.store(slot, 0xff);
    assert_eq!(device.load(slot), 0, "{slot:?}");
    for (register, known) in D::DESCRIPTOR.slots() {
        assert_ne!(device.load(known), 0xff, "a store to {slot:?} reaches {}", register.name());
    }
    let mut bench = Bench::new(device).unwrap();
    bench.post(Call(slot));
    bench.handle_events();
    bench
}

fn unknown(blocks: usize) -> impl Iterator<Item = Slot> {
    let places = [blocks, blocks + 1, 100, usize::MAX];
    let of_blocks = places.into_iter().flat_map(|place| {
        (0..3).flat_map(move |register| {
            (0..2).map(move |index| Slot::new(register, 0).in_block(place, index))
        })
    });
    of_blocks.chain([2, 5, usize::MAX].map(|register| Slot::new(register, 0)))
}

#[test]
fn a_device_without_blocks_ignores_slots_of_blocks() {
    for slot in unknown(0) {
        let bench = state_after::<Alone>(slot);
        assert_eq!((bench.device().calls, bench.device().result), (0, 0), "{slot:?}");
    }
}

#[test]
fn a_device_ignores_slots_of_blocks_that_it_lacks() {
    for slot in unknown(1) {
        let bench = state_after::<Both>(slot);
        assert_eq!((bench.device().calls, bench.device().result), (0, 0), "{slot:?}");
    }
}

#[test]
fn known_slots_reach_their_hooks() {
    assert_eq!(reached::<Both>(Slot::new(0, 0)).device().calls, 4);
    let of_queue = reached::<Both>(Slot::new(0, 0).in_block(0, 1));
    assert_eq!((of_queue.device().calls, of_queue.device().result), (2, 9));
}

fn reached<D: PciDevice + Device<Event = Call> + Default>(slot: Slot) -> Bench<D> {
    let mut bench = Bench::new(D::default()).unwrap();
    bench.post(Call(slot));
    bench.handle_events();
    bench
}
