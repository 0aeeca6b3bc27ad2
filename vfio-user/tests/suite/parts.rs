//! The generated tests find registers that are something else when they are accessed in parts.

use vfio_user::declaration::RegisterValue;
use vfio_user::suite::Suite;
use vfio_user::{Cx, Device, PciDevice, ResetKind, Virtual};

/// Hooks that do with parts what they do with the whole.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
#[bar(1: mem32, size = 0x1000, access = 4)]
struct Sound {
    #[reg(0x00, read_with = Self::address, write_with = Self::set_address)]
    address: Virtual<u64>,
    #[reg(0x08, wo, wide, write_with = Self::set_hidden)]
    hidden: u64,
    #[reg(0x10, write_with = Self::inverted)]
    inverted: u32,
    #[reg(0x14, wo, write_with = Self::counted, test(exclude = policies))]
    counted: u32,
    #[reg(0x00, bar = 1, write_with = Self::whole_only)]
    whole_only: u32,
    #[reg(0x10, bar = 1, read_with = Self::address, write_with = Self::set_address)]
    halves: Virtual<u64>,
    #[reg(0x18, rc, wide)]
    events: u64,
    private: u64,
}

impl Device for Sound {
    type Event = ();

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
        self.private = 0;
    }
}

impl Sound {
    fn address(&mut self, _: &mut Cx<'_, Self>) -> u64 {
        self.private
    }

    fn set_address(&mut self, _: &mut Cx<'_, Self>, address: u64) {
        self.private = address;
    }

    fn set_hidden(&mut self, _: &mut Cx<'_, Self>, address: u64) {
        self.hidden = address;
    }

    fn inverted(&mut self, _: &mut Cx<'_, Self>, value: u32) {
        // What was not written is inverted already.
        self.inverted = value ^ (value ^ self.inverted);
    }

    fn counted(&mut self, _: &mut Cx<'_, Self>, value: u32) {
        self.counted = self.counted.wrapping_add(value);
    }

    fn whole_only(&mut self, _: &mut Cx<'_, Self>, value: u32) {
        self.whole_only = !value;
    }
}

mod sound {
    vfio_user::device_tests!(super::Sound, super::Sound::default);
}

/// A device with one register and its hooks for writes.
macro_rules! faulty {
    ($name:ident, $value:ty, [$($reg:tt)*], $field:ty, |$device:ident, $bus:ident| $body:expr) => {
        #[derive(Default, PciDevice)]
        #[pci(vendor = 0x1234, device = 2)]
        #[bar(0: mem32, size = 0x1000)]
        struct $name {
            #[reg(0x10, $($reg)* write_with = Self::write)]
            value: $field,
            private: u64,
        }

        impl Device for $name {
            type Event = ();
        }

        impl $name {
            fn write(&mut self, _: &mut Cx<'_, Self>, $bus: $value) {
                let $device = self;
                $body;
            }

            #[allow(dead_code)]
            fn read(&mut self, _: &mut Cx<'_, Self>) -> $value {
                RegisterValue::from_bits(self.private)
            }
        }
    };
}

faulty!(Hidden, u64, [wo,], u64, |device, bus| device.value = bus);
faulty!(Sum, u32, [], u32, |device, bus| device.value = device.value.wrapping_add(bus));
faulty!(Inverting, u16, [], u16, |device, bus| device.value = !bus);
faulty!(Half, u64, [read_with = Self::read,], Virtual<u64>, |device, bus| {
    if bus >> 32 != 0 {
        device.private = bus;
    }
});
faulty!(Low, u64, [wide(commit = low),], u64, |device, bus| device.value = bus);
faulty!(Fine, u64, [read_with = Self::read,], Virtual<u64>, |device, bus| device.private = bus);

#[test]
#[should_panic(
    expected = "value holds 0xffffffff00000000 after it was written as bytes 0..4, bytes \
                           4..8, and 0xffffffffffffffff after the same as a whole; a register \
                           whose hooks cannot take parts is `wide`"
)]
fn a_hidden_address_that_takes_halves_is_found() {
    Suite::new(Hidden::default).parts();
}

#[test]
#[should_panic(expected = "value holds")]
fn a_hook_that_adds_up_parts_is_found() {
    Suite::new(Sum::default).parts();
}

#[test]
#[should_panic(expected = "after it was written as bytes 0..1, bytes 1..2")]
fn a_hook_that_changes_what_was_not_written_is_found() {
    Suite::new(Inverting::default).parts();
}

#[test]
#[should_panic(expected = "value reads")]
fn a_hook_that_waits_for_one_half_is_found_by_what_it_reads_as() {
    Suite::new(Half::default).parts();
}

#[test]
fn a_register_that_commits_with_one_half_is_compared_in_the_orders_that_it_takes() {
    Suite::new(Low::default).parts();
    Suite::new(Fine::default).parts();
}
