//! The generated tests fail for devices that do not do what they declare.

use std::cell::Cell;

use vfio_user::declaration::{
    Bar, BarKind, Capability, Descriptor, Hooks, Ids, Policy, Register, Slot,
};
use vfio_user::migration::StateLayout;
use vfio_user::suite::{Exempt, Suite};
use vfio_user::{Cx, Device, Hook, PciDevice};

const ID: usize = 0;
const SCRATCH: usize = 1;
const STATUS: usize = 2;
const TICKS: usize = 3;

const REGISTERS: &[Register] = &[
    Register::new::<u32>("id", 0x00).with_policy(Policy::Ro).with_reset(0x1234_5678),
    Register::new::<u32>("scratch", 0x04),
    Register::new::<u32>("status", 0x08).with_policy(Policy::W1c),
    Register::new::<u32>("ticks", 0x0c).with_policy(Policy::Rc).with_hooks(Hooks::ON_READ),
];

const IDS: Ids =
    Ids { vendor: 0x1234, device: 1, class: 0, revision: 0, subsystem_vendor: 0, subsystem: 0 };

/// What is wrong with a device.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// `id` is constructed, and reset, as something else.
    Reset,
    /// `scratch` is stored in `status` as well.
    Alias,
    /// A look at `scratch` changes it.
    Peek,
    /// `status` cannot be cleared.
    Stuck,
    /// Bit 3 of `scratch` is not there.
    Missing,
    /// The hook of `ticks` panics once `scratch` is odd.
    Panic,
    /// A reset changes `scratch`.
    Leftover,
    /// `scratch` becomes something else when a state is loaded.
    Forgotten,
    /// No state is loaded.
    Stubborn,
}

/// A device written by hand, so that it can be wrong.
struct Broken {
    fault: Fault,
    values: [u64; 4],
    looks: Cell<u64>,
}

impl Broken {
    fn new(fault: Fault) -> Self {
        Broken { fault, values: [0; 4], looks: Cell::new(0) }
    }
}

impl Device for Broken {
    type Event = ();

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: vfio_user::ResetKind) {
        if self.fault == Fault::Leftover {
            self.values[SCRATCH] += 1;
        }
    }

    fn loaded(&mut self, _: &mut Cx<'_, Self>) -> vfio_user::Result<()> {
        match self.fault {
            Fault::Forgotten => self.values[SCRATCH] ^= 1,
            Fault::Stubborn => return Err(vfio_user::Error::device("no")),
            _ => {}
        }
        Ok(())
    }
}

impl PciDevice for Broken {
    const DESCRIPTOR: Descriptor = Descriptor::new("broken", IDS)
        .with_bar(0, Bar::new(BarKind::Mem32, 0x1000))
        .with_capabilities(&[Capability::pm()])
        .with_state(StateLayout::new(1, 1, &[]))
        .with_registers(REGISTERS);

    fn load(&self, slot: Slot) -> u64 {
        let value = self.values[slot.register];
        match (self.fault, slot.register) {
            (Fault::Reset, ID) => value ^ 1,
            (Fault::Peek, SCRATCH) => {
                self.looks.set(self.looks.get() + 1);
                value ^ self.looks.get()
            }
            (Fault::Missing, SCRATCH) => value & !8,
            _ => value,
        }
    }

    fn store(&mut self, slot: Slot, bits: u64) {
        match (self.fault, slot.register) {
            (Fault::Alias, SCRATCH) => self.values[STATUS] = bits,
            (Fault::Stuck, STATUS) => self.values[STATUS] |= bits,
            _ => {}
        }
        if (self.fault, slot.register) != (Fault::Stuck, STATUS) {
            self.values[slot.register] = bits;
        }
    }

    fn hook(&mut self, _: &mut Cx<'_, Self>, slot: Slot, hook: Hook) -> u64 {
        assert_eq!((slot.register, matches!(hook, Hook::AfterRead(_))), (TICKS, true));
        assert!(self.fault != Fault::Panic || self.values[SCRATCH] & 1 == 0, "odd");
        0
    }
}

mod sound {
    use super::{Broken, Fault};

    vfio_user::device_tests!(Broken, || Broken::new(Fault::None));
}

#[test]
fn coverage_is_counted() {
    let coverage = Suite::new(|| Broken::new(Fault::None)).exclude(&["scratch"]).coverage();
    assert_eq!((coverage.accessed, coverage.registers, coverage.registers_total), (3, 3, 4));
    assert_eq!(coverage.exempt["scratch"], Exempt::Excluded);
    let line = "broken: 3 of 4 registers accessed; policies of 3 registers, 0 of 0 fields; \
                exempt: scratch (excluded)";
    assert_eq!(coverage.to_string(), line);
}

#[test]
#[should_panic(expected = "`scratched` is excluded, but there is no such register")]
fn what_is_excluded_has_to_be_there() {
    Suite::new(|| Broken::new(Fault::None)).exclude(&["scratched"]).coverage();
}

#[test]
#[should_panic(expected = "no register is tested")]
fn a_device_of_which_nothing_is_tested_is_found() {
    const ALL: &[&str] = &["id", "scratch", "status", "ticks"];
    Suite::new(|| Broken::new(Fault::None)).exclude(ALL).coverage();
}

#[test]
#[should_panic(expected = "id is constructed as 0x12345679 and not 0x12345678")]
fn a_wrong_reset_value_is_found() {
    Suite::new(|| Broken::new(Fault::Reset)).resets();
}

#[test]
#[should_panic(expected = "scratch is 0x1 and not 0x0 after a reset")]
fn a_reset_that_forgets_something_is_found() {
    Suite::new(|| Broken::new(Fault::Leftover)).resets();
}

#[test]
#[should_panic(expected = "a script leaves scratch as 0x1 and not 0x0 after a reset")]
fn a_reset_that_forgets_something_after_a_script_is_found() {
    Suite::new(|| Broken::new(Fault::Leftover)).scripts();
}

#[test]
#[should_panic(expected = "accesses to scratch change status from 0x0")]
fn an_alias_is_found() {
    Suite::new(|| Broken::new(Fault::Alias)).aliasing();
}

#[test]
#[should_panic(expected = "a peek changes scratch from 0x2 to 0x4")]
fn a_peek_that_changes_something_is_found() {
    Suite::new(|| Broken::new(Fault::Peek)).inquiry();
}

#[test]
#[should_panic(expected = "status holds 0xffffffff and not 0xfffffffe after a write")]
fn a_bit_that_does_not_clear_is_found() {
    Suite::new(|| Broken::new(Fault::Stuck)).policies();
}

#[test]
#[should_panic(expected = "scratch holds 0x0 and not 0x8 after a write of 0x8 to 0x0")]
fn a_bit_that_is_not_there_is_found() {
    Suite::new(|| Broken::new(Fault::Missing)).policies();
}

#[test]
#[should_panic(expected = "odd")]
fn a_hook_that_panics_in_an_access_is_found() {
    Suite::new(|| Broken::new(Fault::Panic)).accesses();
}

#[test]
#[should_panic(expected = "odd")]
fn a_hook_that_panics_in_a_script_is_found() {
    Suite::new(|| Broken::new(Fault::Panic)).scripts();
}

#[test]
#[should_panic(expected = "scratch is 0x")]
fn a_register_that_is_not_loaded_is_found() {
    Suite::new(|| Broken::new(Fault::Forgotten)).round_trips();
}

#[test]
#[should_panic(expected = "the device does not load its own state: the device refused the state")]
fn a_device_that_refuses_its_own_state_is_found() {
    Suite::new(|| Broken::new(Fault::Stubborn)).damage();
}
