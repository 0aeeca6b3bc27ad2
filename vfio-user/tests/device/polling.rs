//! What is said of a guest that waits for a value that never comes.

use tracing::Level;
use vfio_user::{Bench, Cx, Device, PciDevice, Virtual};

use crate::log::{leveled, logged};

/// More reads than it takes.
const LONG: u32 = 100_000;

#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x5a5d, name = "edu")]
#[bar(0: mem32, size = 0x1000)]
#[unmodelled(0x40 = "PHYSTAT")]
struct Edu {
    #[reg(0x00)]
    status: u32,
    #[reg(0x04, ro, read_with = Self::ready)]
    ready: Virtual<u32>,
    #[reg(0x08, ro, read_with = Self::now, volatile)]
    now: Virtual<u32>,
    #[reg(0x0c)]
    scratch: u32,
    clock: u32,
}

impl Device for Edu {
    type Event = ();
}

impl Edu {
    #[expect(clippy::unused_self, reason = "hooks are methods")]
    fn ready(&mut self, _: &mut Cx<'_, Self>) -> u32 {
        0x80
    }

    fn now(&mut self, _: &mut Cx<'_, Self>) -> u32 {
        self.clock += 1;
        self.clock
    }
}

fn edu() -> Bench<Edu> {
    Bench::new(Edu { status: 0x81, ..Edu::default() }).unwrap()
}

fn poll(edu: &mut Bench<Edu>, offset: u64) {
    for _ in 0..LONG {
        edu.read::<u32>(0, offset);
    }
}

#[test]
fn a_register_that_is_polled_names_itself_once() {
    let mut edu = edu();
    let lines = leveled(Level::WARN, || {
        poll(&mut edu, 0x00);
        poll(&mut edu, 0x00);
        poll(&mut edu, 0x04);
        poll(&mut edu, 0x40);
        poll(&mut edu, 0x100);
    });
    let expected = [
        "the guest polls edu.status: 0x81, 65536 reads without a change",
        "the guest polls edu.ready: 0x80, 65536 reads without a change",
        "the guest polls edu.PHYSTAT: 0x0, 65536 reads without a change",
        "the guest polls edu, BAR 0 at 0x100: 0x0, 65536 reads without a change",
    ];
    assert_eq!(lines, expected.map(|line| (Level::WARN, line.to_owned())));
}

#[test]
fn a_value_that_changes_is_no_spin() {
    let mut edu = edu();
    let lines = logged(Level::WARN, || {
        poll(&mut edu, 0x08);
        for count in 0..2 * LONG {
            edu.read::<u32>(0, 0x00);
            if count % 50_000 == 0 {
                edu.write(0, 0x0c, count);
            }
        }
        for _ in 0..LONG {
            edu.read::<u32>(0, 0x00);
            edu.read::<u32>(0, 0x04);
        }
    });
    assert!(lines.is_empty(), "{lines:?}");
}
