//! How interrupts are delivered, and how many there are.

use vfio_user::declaration::{Descriptor, Ids, LayoutError};
use vfio_user::function::{Function as _, PciFunction};
use vfio_user::pci::CommandBits;
use vfio_user::pci::spec::{capability_id, cfg};
use vfio_user::protocol::RegionIndex;
use vfio_user::{Cx, Device, InterruptMode, PciDevice, ResetKind, Result, Virtual};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[bar(0: mem32, size = 0x1000)]
#[irq(intx, msi = 8, msix = 16, bar = 4)]
#[migrate(none)]
struct Card {
    #[reg(0x00, write_with = Self::look)]
    look: Virtual<u32>,
    mode: Option<InterruptMode>,
    msi: Option<u16>,
    msix: Option<u16>,
    changes: Vec<(CommandBits, CommandBits)>,
    command: CommandBits,
}

impl Device for Card {
    type Event = ();

    fn configure(&self, descriptor: &mut Descriptor) -> Result<()> {
        self.msi.into_iter().for_each(|vectors| descriptor.set_msi(vectors));
        self.msix.into_iter().try_for_each(|vectors| descriptor.set_msix(vectors))?;
        Ok(())
    }

    fn reset(&mut self, cx: &mut Cx<'_, Self>, _: ResetKind) {
        self.command = cx.command();
    }

    fn command_changed(&mut self, cx: &mut Cx<'_, Self>, old: CommandBits, new: CommandBits) {
        assert_eq!(cx.command(), new);
        self.command = new;
        self.changes.push((old, new));
    }
}

impl Card {
    fn look(&mut self, cx: &mut Cx<'_, Self>, _: u32) {
        self.mode = Some(cx.interrupt_mode());
    }
}

fn card(msi: Option<u16>, msix: Option<u16>) -> PciFunction<Card> {
    PciFunction::new(Card { msi, msix, ..Card::default() }).expect("a valid device")
}

fn write_config(function: &mut PciFunction<Card>, at: usize, value: u16) {
    function.write(RegionIndex::Config, at as u64, &value.to_le_bytes()).expect("inside");
}

/// Writes the control word of a capability.
fn control(function: &mut PciFunction<Card>, id: u8, value: u16) {
    let at = function.descriptor().find_capability(id).expect("the function has it");
    write_config(function, usize::from(at) + 2, value);
}

fn mode(function: &mut PciFunction<Card>) -> InterruptMode {
    function.write(RegionIndex::Bar0, 0, &[0; 4]).expect("a register");
    assert_eq!(function.device().mode, Some(function.interrupts().mode()));
    function.interrupts().mode()
}

#[test]
fn the_guest_chooses_the_mode() {
    let mut card = card(None, None);
    assert_eq!(mode(&mut card), InterruptMode::Intx);
    for (enabled, messages) in [(0, 1), (1, 2), (2, 4), (3, 8)] {
        control(&mut card, capability_id::MSI, enabled << 4 | 1);
        assert_eq!(mode(&mut card), InterruptMode::Msi(messages));
    }
    control(&mut card, capability_id::MSIX, 1 << 15);
    assert_eq!(mode(&mut card), InterruptMode::Msix(16));
    control(&mut card, capability_id::MSIX, 0);
    control(&mut card, capability_id::MSI, 0);
    write_config(&mut card, cfg::COMMAND, CommandBits::INTERRUPT_DISABLE.bits());
    assert_eq!(mode(&mut card), InterruptMode::None);
}

#[test]
fn vectors_are_counted_at_run_time() {
    let mut few = card(Some(2), Some(3));
    control(&mut few, capability_id::MSI, 3 << 4 | 1);
    let msix = few.descriptor().msix_layout().expect("it has MSI-X");
    assert_eq!((msix.vectors, msix.pba), (3, 0x800));
    control(&mut few, capability_id::MSIX, 1 << 15);
    assert_eq!(mode(&mut few), InterruptMode::Msix(3));

    let mut none = card(Some(0), Some(0));
    assert_eq!(none.descriptor().find_capability(capability_id::MSI), None);
    assert_eq!(none.descriptor().find_capability(capability_id::MSIX), None);
    assert_eq!(mode(&mut none), InterruptMode::Intx);

    let many = card(None, Some(200));
    let msix = many.descriptor().msix_layout().expect("it has MSI-X");
    assert_eq!((msix.vectors, msix.pba), (200, 200 * 16), "behind the table");
}

#[test]
fn wrong_numbers_of_vectors_are_errors() {
    let wrong = |msi, msix| PciFunction::new(Card { msi, msix, ..Card::default() }).is_err();
    assert!(wrong(Some(3), None), "not a power of two");
    assert!(wrong(Some(64), None));
    assert!(wrong(None, Some(2049)));
    assert!(wrong(None, Some(300)), "the table does not fit its BAR");
    let mut plain = Descriptor::new("plain", Ids::default());
    assert_eq!(plain.set_msix(1), Err(LayoutError::MsixUndeclared));
}

#[test]
fn a_device_sees_the_command_register_change() {
    let mut card = card(None, None);
    let (none, memory) = (CommandBits::empty(), CommandBits::MEMORY_SPACE);
    let both = memory | CommandBits::BUS_MASTER;
    write_config(&mut card, cfg::COMMAND, memory.bits());
    write_config(&mut card, cfg::COMMAND, memory.bits());
    write_config(&mut card, cfg::COMMAND, both.bits());
    write_config(&mut card, cfg::COMMAND, both.bits() | 1 << 8);
    assert_eq!(card.device().changes, [(none, memory), (memory, both)]);
    assert_eq!(card.device().command, both);
    card.reset();
    assert_eq!(card.device().command, none, "a reset clears it without the hook");
    assert_eq!(card.device().changes.len(), 2);
}
