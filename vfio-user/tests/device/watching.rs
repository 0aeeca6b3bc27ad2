//! How writes to watched registers are noticed, chosen at run time.

use vfio_user::declaration::{Descriptor, Watching};
use vfio_user::{Bench, Cx, Device, PciDevice, Result, Virtual, device_tests};

const NONE: u32 = u32::MAX;

#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x5eed)]
#[bar(0: mem32, size = 0x2000, shared(0x1000..0x2000))]
struct Engine {
    #[reg(0x00)]
    scratch: u32,
    #[reg(0x1000, watch, reset = NONE, write_with = Self::ring)]
    bells: [Virtual<u32>; 4],
    #[reg(0x1010, watch)]
    limit: u32,
    #[migrate(skip)]
    rung: Vec<(usize, u32)>,
    #[migrate(skip)]
    watching: Watching,
}

impl Device for Engine {
    type Event = ();

    fn configure(&self, descriptor: &mut Descriptor) -> Result<()> {
        Ok(descriptor.set_watching(0, self.watching)?)
    }
}

impl Engine {
    fn ring(&mut self, _: &mut Cx<'_, Self>, index: usize, value: u32) {
        self.rung.push((index, value));
    }
}

fn engine(watching: Watching) -> Bench<Engine> {
    Bench::new(Engine { watching, ..Engine::default() }).unwrap()
}

mod messages {
    use super::*;

    device_tests!(Engine, || Engine { watching: Watching::ByMessages, ..Engine::default() });
}

mod threads {
    use super::*;

    device_tests!(Engine, || Engine { watching: Watching::ByThreads, ..Engine::default() });
}

#[test]
fn by_messages_they_are_registers_like_any_other() {
    let mut engine = engine(Watching::ByMessages);
    assert!(engine.shared(0).is_absent());
    engine.write(0, 0x1008, 7_u32);
    engine.write(0, 0x1008, 7_u32);
    engine.write(0, 0x1010, 9_u32);
    assert_eq!(engine.device().rung, [(2, 7), (2, 7)]);
    assert_eq!(engine.device().limit, 9);
    assert_eq!(engine.read::<u32>(0, 0x1008), NONE);
    assert_eq!(engine.read::<u32>(0, 0x1010), 9);
    assert_eq!(engine.peek("limit"), 9);
}

#[test]
fn threads_find_what_guests_store_and_hooks_what_messages_write() {
    let mut engine = engine(Watching::ByThreads);
    let memory = engine.shared(0).clone();
    memory.store(0x1004, 5_u32).unwrap();
    memory.store(0x1010, 6_u32).unwrap();
    engine.handle_events();
    assert_eq!((engine.device().rung.len(), engine.device().limit), (0, 0));
    engine.write(0, 0x1000, 8_u32);
    assert_eq!(engine.device().rung, [(0, 8)]);
    // Only the register that was written is the device's.
    assert_eq!(memory.load::<u32>(0x1000).unwrap(), NONE);
    assert_eq!(memory.load::<u32>(0x1004).unwrap(), 5);
    assert_eq!(memory.load::<u32>(0x1010).unwrap(), 6);
}

#[test]
fn the_device_polls_them_by_default() {
    let mut engine = engine(Watching::default());
    engine.shared(0).store(0x1004, 5_u32).unwrap();
    engine.handle_events();
    assert_eq!(engine.device().rung, [(1, 5)]);
}
