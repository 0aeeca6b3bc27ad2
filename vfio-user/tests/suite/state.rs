//! The generated tests find devices whose private state does not follow resets and migrations.

use vfio_user::suite::Suite;
use vfio_user::{Cx, Device, Error, PciDevice, RegisterBlock, ResetKind, Result, Virtual};

#[derive(Clone, Copy, Default, RegisterBlock)]
#[block(host = ChannelHost)]
struct Channel {
    #[reg(0x00, wo, write_with = kick)]
    kick: Virtual<u32>,
    kicks: u32,
}

/// What is wrong with a device.
#[derive(Clone, Copy, Default, PartialEq)]
enum Fault {
    #[default]
    None,
    /// A reset leaves a private field.
    Survivor,
    /// A reset leaves a private field of a block.
    SurvivorInBlock,
    /// `loaded` does not compute again what is not saved, and what a register reads as.
    NotComputed,
    /// The same of what decides about later writes.
    NotDecided,
    /// `loaded` changes a private field.
    Changed,
    /// The same of the second element of a block.
    ChangedInBlock,
    /// The state of a new device is refused.
    Unborn,
    /// A hook stores bits that the register does not have.
    Reserved,
    /// An event does.
    ReservedByEvent,
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Sample {
    #[reg(0x00, mask = 0xff, on_write = Self::limited)]
    limit: u32,
    #[reg(0x04, ro, read_with = Self::twice)]
    twice: Virtual<u32>,
    #[reg(0x08, mask = 1, on_write = Self::decided)]
    mode: u32,
    #[reg(0x0c, write_with = Self::stored, test(exclude = policies))]
    data: u32,
    #[reg(0x10, mask = 0xff00, on_write = Self::spoiled)]
    narrow: u32,
    #[block(0x100, stride = 0x10)]
    channels: [Channel; 2],
    writes: u64,
    /// Follow from `limit` and `mode`.
    #[migrate(skip)]
    doubled: u32,
    #[migrate(skip)]
    inverts: bool,
    #[migrate(skip)]
    fault: Fault,
}

impl Device for Sample {
    type Event = ();

    fn event(&mut self, _: &mut Cx<'_, Self>, (): ()) {
        if self.fault == Fault::ReservedByEvent {
            self.narrow |= 1;
        }
    }

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
        self.follow();
        if self.fault != Fault::Survivor {
            self.writes = 0;
        }
        if self.fault != Fault::SurvivorInBlock {
            self.channels.iter_mut().for_each(|channel| channel.kicks = 0);
        }
    }

    fn loaded(&mut self, _: &mut Cx<'_, Self>) -> Result<()> {
        match self.fault {
            Fault::NotComputed => self.inverts = self.mode != 0,
            Fault::NotDecided => self.doubled = self.limit * 2,
            Fault::Changed => self.writes = self.writes.wrapping_add(1),
            Fault::ChangedInBlock => self.channels[1].kicks = 0,
            Fault::Unborn if self.writes == 0 => return Err(Error::device("nothing was written")),
            _ => self.follow(),
        }
        Ok(())
    }
}

impl ChannelHost for Sample {
    fn kick(&mut self, cx: &mut Cx<'_, Self>, index: usize, _: u32) {
        self.channels[index].kicks += 1;
        cx.post(());
    }
}

impl Sample {
    fn new(fault: Fault) -> Self {
        Sample { fault, ..Sample::default() }
    }

    /// What is not saved follows from what is.
    fn follow(&mut self) {
        (self.doubled, self.inverts) = (self.limit * 2, self.mode != 0);
    }

    fn limited(&mut self, _: &mut Cx<'_, Self>, _: u32, limit: u32) {
        self.doubled = limit * 2;
        self.writes += 1;
    }

    fn twice(&mut self, _: &mut Cx<'_, Self>) -> u32 {
        self.doubled
    }

    fn decided(&mut self, _: &mut Cx<'_, Self>, _: u32, mode: u32) {
        self.inverts = mode != 0;
    }

    fn stored(&mut self, _: &mut Cx<'_, Self>, data: u32) {
        self.data = if self.inverts { !data } else { data };
    }

    fn spoiled(&mut self, _: &mut Cx<'_, Self>, _: u32, narrow: u32) {
        if self.fault == Fault::Reserved {
            self.narrow = narrow | 0x1_0000;
        }
    }
}

mod sound {
    use super::{Fault, Sample};

    vfio_user::device_tests!(Sample, || Sample::new(Fault::None));
}

mod spared {
    use super::{Fault, Sample};

    vfio_user::device_tests!(
        Sample,
        || Sample::new(Fault::Survivor),
        sticky = ["writes"],
        keep_on_flr = ["writes"],
        exclude = ["narrow"],
        volatile = ["channels.kicks"],
    );
}

#[test]
#[should_panic(
    expected = "in `writes` after a reset than a new device has; `Device::reset` clears it"
)]
fn a_private_field_that_survives_a_reset_is_found() {
    Suite::new(|| Sample::new(Fault::Survivor)).scripts();
}

#[test]
#[should_panic(expected = "in `channels.kicks` after a reset")]
fn a_private_field_of_a_block_that_survives_a_reset_is_found() {
    Suite::new(|| Sample::new(Fault::SurvivorInBlock)).sticky(&["writes"]).scripts();
}

#[test]
fn a_private_field_may_survive_if_that_is_said() {
    Suite::new(|| Sample::new(Fault::SurvivorInBlock)).sticky(&["channels.kicks"]).scripts();
}

#[test]
#[should_panic(expected = "`writers` is spared, but there is no such private field")]
fn what_is_spared_has_to_be_there() {
    Suite::new(|| Sample::new(Fault::None)).sticky(&["writers"]).coverage();
}

#[test]
#[should_panic(expected = "`doubled` is spared, but there is no such private field that is saved")]
fn what_is_not_saved_cannot_be_spared() {
    Suite::new(|| Sample::new(Fault::None)).volatile(&["doubled"]).coverage();
}

#[test]
#[should_panic(expected = "twice reads 0x0 after its state was loaded, where its source reads 0x")]
fn a_device_that_does_not_compute_what_is_not_saved_is_found() {
    Suite::new(|| Sample::new(Fault::NotComputed)).round_trips();
}

#[test]
#[should_panic(expected = "after a write to data was the first to both, where its source has 0x")]
fn a_device_that_goes_on_otherwise_is_found() {
    Suite::new(|| Sample::new(Fault::NotDecided)).round_trips();
}

#[test]
#[should_panic(expected = "`writes` is not what its source has after its state was loaded")]
fn a_private_field_that_changes_when_it_is_loaded_is_found() {
    Suite::new(|| Sample::new(Fault::Changed)).round_trips();
}

#[test]
#[should_panic(expected = "`channels.kicks` is not what its source has after its state was loaded")]
fn a_private_field_of_a_block_that_changes_when_it_is_loaded_is_found() {
    Suite::new(|| Sample::new(Fault::ChangedInBlock)).round_trips();
}

#[test]
#[should_panic(expected = "the device does not load its own state: the device refused the state")]
fn a_new_device_whose_state_does_not_load_is_found() {
    Suite::new(|| Sample::new(Fault::Unborn)).round_trips();
}

#[test]
#[should_panic(expected = "the device has stored 0x10000 in reserved bits of narrow")]
fn a_hook_that_stores_reserved_bits_is_found_by_migrations() {
    Suite::new(|| Sample::new(Fault::Reserved)).round_trips();
}

#[test]
#[should_panic(expected = "the device has stored 0x10000 in reserved bits of narrow")]
fn a_hook_that_stores_reserved_bits_is_found_by_scripts() {
    Suite::new(|| Sample::new(Fault::Reserved)).scripts();
}

#[test]
#[should_panic(expected = "the device has stored 0x1 in reserved bits of narrow")]
fn an_event_that_stores_reserved_bits_is_found() {
    Suite::new(|| Sample::new(Fault::ReservedByEvent)).round_trips();
}
