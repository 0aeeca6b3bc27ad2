//! The generated tests find devices whose private state does not follow resets and migrations.

use std::cell::Cell;
use std::time::{Duration, Instant};

use vfio_user::suite::Suite;
use vfio_user::{
    Cx, Device, Error, PciDevice, RegisterBlock, ResetKind, Result, Resumed, Timer, Virtual,
};

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

/// What is wrong with a device that follows the time.
#[derive(Clone, Copy, Default, PartialEq)]
enum Late {
    #[default]
    None,
    /// `saving` does not store how far the counter is.
    NotSaved,
    /// `saving` stores it, and goes on from where the counter started.
    SavedTwice,
    /// `loaded` goes on from where this device's own counter was.
    NotLoaded,
    /// `loaded` lets the counter that is `volatile` start again: the two need not read the same.
    RoughNotLoaded,
    /// `saving` counts how often it is called.
    SavingCounted,
    /// `saving` starts the counter again, at the source as well.
    Restarted,
    /// `loaded` disarms a timer.
    Disarmed,
    /// `loaded` arms it anew.
    ArmedAnew,
    /// `resume` disarms it.
    DisarmedByResume,
    /// `loaded` lets the hook of the timer do nothing.
    Deaf,
    /// A reset does not arm what `start` arms.
    NotArmedByReset,
    /// The same, of one kind of reset.
    NotArmedByFlr,
    NotArmedByPower,
    /// A kind of reset leaves a private field.
    KeptByFlr,
    KeptByPower,
    KeptByClient,
}

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 2)]
#[bar(0: mem32, size = 0x1000)]
#[capability(pm, express(endpoint, flr))]
struct Clock {
    #[reg(0x00, ro, read_with = Self::count)]
    count: Virtual<u64>,
    #[reg(0x08, ro, volatile, read_with = Self::rough)]
    rough: Virtual<u64>,
    /// Seconds.
    #[reg(0x10, ro)]
    ticks: u32,
    #[reg(0x14, on_write = Self::wrote)]
    scratch: u32,
    #[timer(Self::tick)]
    timer: Timer,
    /// Nanoseconds before `since`.
    before: u64,
    writes: u64,
    #[migrate(skip)]
    since: Instant,
    /// What `rough` leaves out.
    #[migrate(skip)]
    offset: u64,
    #[migrate(skip)]
    is_deaf: bool,
    #[migrate(skip)]
    fault: Late,
}

impl Clock {
    const SECOND: Duration = Duration::from_secs(1);

    fn new(fault: Late) -> Self {
        Clock {
            count: Virtual::default(),
            rough: Virtual::default(),
            ticks: 0,
            scratch: 0,
            timer: Timer::default(),
            before: 0,
            writes: 0,
            since: Instant::now(),
            offset: 0,
            is_deaf: false,
            fault,
        }
    }

    fn count(&mut self, cx: &mut Cx<'_, Self>) -> u64 {
        self.before + u64::try_from((cx.now() - self.since).as_nanos()).unwrap()
    }

    fn rough(&mut self, cx: &mut Cx<'_, Self>) -> u64 {
        self.count(cx) - self.offset
    }

    fn wrote(&mut self, _: &mut Cx<'_, Self>, _: u32, _: u32) {
        self.writes += 1;
    }

    fn tick(&mut self, cx: &mut Cx<'_, Self>) {
        self.ticks += u32::from(!self.is_deaf);
        self.timer.arm_again(cx, Self::SECOND);
    }
}

impl Device for Clock {
    type Event = ();

    fn start(&mut self, cx: &mut Cx<'_, Self>) -> Result<()> {
        self.since = cx.now();
        self.timer.arm(cx, Self::SECOND);
        Ok(())
    }

    fn reset(&mut self, cx: &mut Cx<'_, Self>, kind: ResetKind) {
        (self.before, self.since) = (0, cx.now());
        let is_armed = match self.fault {
            Late::NotArmedByReset => false,
            Late::NotArmedByFlr => kind != ResetKind::FunctionLevel,
            Late::NotArmedByPower => kind != ResetKind::PowerState,
            _ => true,
        };
        if is_armed {
            self.timer.arm(cx, Self::SECOND);
        }
        let kept = match self.fault {
            Late::KeptByFlr => Some(ResetKind::FunctionLevel),
            Late::KeptByPower => Some(ResetKind::PowerState),
            Late::KeptByClient => Some(ResetKind::Device),
            _ => None,
        };
        if kept != Some(kind) {
            self.writes = 0;
        }
    }

    fn saving(&mut self, cx: &mut Cx<'_, Self>) {
        let count = self.count(cx);
        match self.fault {
            Late::NotSaved => {}
            Late::SavingCounted => self.writes += 1,
            Late::SavedTwice => self.before = count,
            Late::Restarted => (self.before, self.since) = (0, cx.now()),
            _ => (self.before, self.since) = (count, cx.now()),
        }
    }

    fn loaded(&mut self, cx: &mut Cx<'_, Self>) -> Result<()> {
        match self.fault {
            Late::NotLoaded => {}
            Late::RoughNotLoaded => (self.offset, self.since) = (self.before, cx.now()),
            _ => self.since = cx.now(),
        }
        match self.fault {
            Late::Disarmed => self.timer.cancel(),
            Late::ArmedAnew => self.timer.arm(cx, Self::SECOND),
            Late::Deaf => self.is_deaf = true,
            _ => {}
        }
        Ok(())
    }

    fn resume(&mut self, _: &mut Cx<'_, Self>, resumed: Resumed) {
        if self.fault == Late::DisarmedByResume && resumed == Resumed::Loaded {
            self.timer.cancel();
        }
    }
}

mod timely {
    use super::{Clock, Late};

    vfio_user::device_tests!(Clock, || Clock::new(Late::None));
}

/// What the tests say of a device that follows the time.
fn found(fault: Late, test: fn(&Suite<Clock>)) -> String {
    // A fault for each thread: `Suite` takes a function without data.
    thread_local!(static FAULT: Cell<Late> = const { Cell::new(Late::None) });
    FAULT.set(fault);
    let suite = Suite::new(|| Clock::new(FAULT.get()));
    let panic = std::panic::catch_unwind(|| test(&suite)).expect_err("the fault is not found");
    *panic.downcast::<String>().expect("a panic with a text")
}

#[track_caller]
fn assert_found(fault: Late, test: fn(&Suite<Clock>), expected: &str) {
    let found = found(fault, test);
    assert!(found.contains(expected), "{found}");
}

#[test]
fn a_counter_that_does_not_migrate_with_the_time_is_found() {
    for (fault, expected) in [
        (Late::NotSaved, "count follows the time and goes back from 0x"),
        (Late::SavedTwice, "count reads 0x"),
        (Late::SavingCounted, "`writes` is something else when the state is saved again"),
        (Late::Restarted, "count follows the time and goes back from 0x"),
        (Late::NotLoaded, "count reads 0x"),
        (Late::RoughNotLoaded, "rough follows the time and goes back from 0x"),
    ] {
        assert_found(fault, Suite::round_trips, expected);
    }
}

#[test]
fn a_timer_that_does_not_go_on_is_found() {
    for (fault, expected) in [
        (Late::Disarmed, "the timer `timer` has no deadline after its state was loaded"),
        (Late::ArmedAnew, "the timer `timer` has 1s left after its state was loaded, where"),
        (Late::DisarmedByResume, "the timer `timer` has no deadline after its state was loaded"),
        (Late::Deaf, "ticks"),
    ] {
        assert_found(fault, Suite::round_trips, expected);
    }
}

#[test]
fn a_timer_that_a_reset_does_not_arm_is_found() {
    for (fault, kind) in [
        (Late::NotArmedByReset, ""),
        (Late::NotArmedByFlr, "FunctionLevel"),
        (Late::NotArmedByPower, "PowerState"),
    ] {
        let expected = "the timer `timer` is armed in a new device and not after a reset";
        assert_found(fault, Suite::scripts, expected);
        assert_found(fault, Suite::scripts, &format!("`Device::reset` arms it (by {kind}"));
    }
}

#[test]
fn a_private_field_that_survives_one_kind_of_reset_is_found() {
    for (fault, kind) in [
        (Late::KeptByFlr, "FunctionLevel"),
        (Late::KeptByPower, "PowerState"),
        (Late::KeptByClient, "Device"),
    ] {
        let expected = format!("`Device::reset` clears it (by {kind})");
        assert_found(fault, Suite::scripts, &expected);
    }
}

#[test]
fn a_private_field_may_survive_function_level_resets_alone() {
    let suite = Suite::new(|| Clock::new(Late::KeptByFlr)).keep_on_flr(&["writes"]);
    suite.scripts();
    let others = Suite::new(|| Clock::new(Late::KeptByPower)).keep_on_flr(&["writes"]);
    let panic = std::panic::catch_unwind(|| others.scripts());
    assert!(panic.is_err(), "that is no function-level reset");
}

/// A register that answers for one of 65,536 pages, over a private field that resets forget.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Paged {
    #[reg(0x00)]
    page: u16,
    #[reg(0x04, when(page = 0x1234), read_with = Self::hidden, write_with = Self::set_hidden)]
    hidden: Virtual<u32>,
    #[reg(0x04, when(page = 0x4321))]
    plain: u32,
    private: u32,
}

impl Device for Paged {
    type Event = ();
}

impl Paged {
    fn hidden(&mut self, _: &mut Cx<'_, Self>) -> u32 {
        self.private
    }

    fn set_hidden(&mut self, _: &mut Cx<'_, Self>, value: u32) {
        self.private = value;
    }
}

#[test]
#[should_panic(expected = "in `private` after a reset")]
fn what_a_register_with_a_condition_leaves_is_found() {
    Suite::new(Paged::default).scripts();
}
