//! A function of our own server, as our client's view shows it.

use std::time::Duration;

use vfio_user::client::{AttachOptions, PciView, Vectors};
use vfio_user::declaration::BarKind;
use vfio_user::pci::spec::{capability_id, extended_id};
use vfio_user::pci::{CommandBits, StatusBits};
use vfio_user::protocol::RegionIndex;
use vfio_user::{Device, Error, PciDevice, PciError, SharedError};
use vfio_user_tests::PATIENCE;
use vfio_user_tests::serve::{Running, zoo_at_path};
use vfio_user_tests::zoo::{ROM, dma_go, dma_status, reg};

const ENABLED: CommandBits =
    CommandBits::IO_SPACE.union(CommandBits::MEMORY_SPACE).union(CommandBits::BUS_MASTER);

fn attach(running: &Running) -> PciView {
    let options =
        AttachOptions { timeout: PATIENCE, patience: PATIENCE, ..AttachOptions::default() };
    PciView::attach_with(running.path(), options).unwrap()
}

fn zoo() -> (Running, PciView) {
    let (running, _) = zoo_at_path();
    let view = attach(&running);
    (running, view)
}

#[test]
fn a_function_is_decoded_assigned_and_enabled() {
    let (_running, view) = zoo();
    let header = view.header();
    let ids = (header.vendor, header.device, header.subsystem_vendor, header.subsystem);
    assert_eq!(ids, (0x1af4, 0x10f5, 0x1b36, 0x1100));
    assert_eq!((header.class, header.revision, header.interrupt_pin), (0x05_8001, 7, 1));
    assert_eq!(view.command().unwrap(), ENABLED);
    assert!(view.status().unwrap().contains(StatusBits::CAPABILITIES_LIST));
    for (bar, kind, size) in [
        (0, BarKind::Mem32, 0x1000),
        (1, BarKind::Io, 0x100),
        (2, BarKind::Mem64, 0x2_0000_0000),
        (4, BarKind::Mem32, 0x100),
    ] {
        let details = view.bar_details(bar).unwrap();
        assert_eq!((details.kind, details.size, details.region), (kind, size, size));
        assert_eq!(details.prefetchable, bar == 2);
        assert!(details.address > 0 && details.address.is_multiple_of(size));
        let register = view.config().read::<u32>(0x10 + 4 * u64::from(bar)).unwrap();
        assert_eq!(u64::from(register & !0xf), details.address & 0xffff_fff0);
    }
    assert!(matches!(view.bar(3), Err(PciError::NoBar(3))));
    let rom = view.rom_details().unwrap().unwrap();
    assert!(rom.size >= ROM.len() as u64 && rom.address > 0);
    for id in [capability_id::PM, capability_id::MSI, capability_id::MSIX, capability_id::VPD] {
        assert!(view.capability(id).is_some(), "capability {id:#x}");
    }
    let offset = view.capability(capability_id::MSI).map(|found| found.offset);
    assert_eq!(offset, Some(0xd0));
    let extended = view.extended_capabilities();
    assert!(extended.iter().any(|found| (found.id, found.offset) == (extended_id::DVSEC, 0x180)));
}

#[test]
fn a_bar_is_read_and_written() {
    let (_running, view) = zoo();
    let bar = view.bar(0).unwrap();
    bar.write(reg::SCRATCH, 0x1234_5678_u32).unwrap();
    assert_eq!(bar.read::<u32>(reg::SCRATCH).unwrap(), 0x1234_5678);
    view.bar(1).unwrap().write(0, 9_u8).unwrap();
    assert_eq!(view.bar(1).unwrap().read::<u8>(0).unwrap(), 9);
    let far = view.bar(2).unwrap();
    far.write(0x1_ffff_fff8, 7_u64).unwrap();
    assert_eq!(far.read::<u64>(0x1_ffff_fff8).unwrap(), 7);
}

/// Raises an interrupt of the function.
fn raise(view: &PciView, vector: u32) {
    view.bar(0).unwrap().write(reg::RAISE, vector).unwrap();
}

/// Checks that a vector is delivered, or that it is not.
#[track_caller]
fn expect_interrupt(vectors: &Vectors, vector: usize, delivered: bool) {
    let timeout = if delivered { PATIENCE } else { Duration::ZERO };
    assert_eq!(vectors[vector].wait(timeout).unwrap().is_some(), delivered);
}

#[test]
fn vectors_are_delivered_masked_and_disabled() {
    let (_running, view) = zoo();
    for (is_msix, count) in [(true, 200), (false, 5), (true, 256)] {
        let enabled = if is_msix { view.enable_msix(count) } else { view.enable_msi(count) };
        let vectors = enabled.unwrap();
        let last = count - 1;
        raise(&view, last);
        expect_interrupt(&vectors, last as usize, true);
        expect_interrupt(&vectors, 0, false);
        vectors.mask(last).unwrap();
        raise(&view, last);
        expect_interrupt(&vectors, last as usize, false);
        vectors.unmask(last).unwrap();
        expect_interrupt(&vectors, last as usize, true);
        let beyond = vectors.mask(last + 1);
        assert!(matches!(beyond, Err(Error::Pci(PciError::NoVector { .. }))), "{beyond:?}");
        assert!(view.command().unwrap().contains(CommandBits::INTERRUPT_DISABLE));
    }
    let vectors = view.enable_msix(1).unwrap();
    let control = u64::from(view.capability(capability_id::MSIX).unwrap().offset) + 2;
    assert_eq!(view.config().read::<u16>(control).unwrap(), 0x80ff);
    vectors.disable().unwrap();
    assert_eq!(view.config().read::<u16>(control).unwrap(), 0x00ff);
}

#[test]
fn intx_masks_itself() {
    let (_running, view) = zoo();
    let vectors = view.enable_intx().unwrap();
    assert_eq!(view.command().unwrap(), ENABLED);
    let level = |value: u32| view.bar(0).unwrap().write(reg::LEVEL, value << 16).unwrap();
    level(1);
    expect_interrupt(&vectors, 0, true);
    assert!(view.status().unwrap().contains(StatusBits::INTERRUPT));
    // It is still asserted.
    vectors.unmask(0).unwrap();
    expect_interrupt(&vectors, 0, true);
    level(0);
    vectors.unmask(0).unwrap();
    expect_interrupt(&vectors, 0, false);
}

#[test]
fn memory_is_allocated_accessed_by_the_device_and_unmapped() {
    let (_running, view) = zoo();
    let bar = view.bar(0).unwrap();
    let [source, target] = [1, 0x1001].map(|size| view.allocate(size).unwrap());
    assert_eq!((source.size(), target.size()), (0x1000, 0x2000));
    assert_eq!((source.iova(), target.iova()), (0x10_0000, 0x10_1000));
    source.store(0xff8, 0x1122_3344_5566_7788_u64).unwrap();
    let go = |from: u64, to: u64| {
        bar.write(reg::DMA_SOURCE, from).unwrap();
        bar.write(reg::DMA_TARGET, to).unwrap();
        bar.write(reg::DMA_LEN, 8_u32).unwrap();
        bar.write(reg::DMA_GO, dma_go::COPY).unwrap();
        bar.read::<u32>(reg::DMA_STATUS).unwrap()
    };
    assert_eq!(go(source.iova() + 0xff8, target.iova() + 0x1ff8), dma_status::DONE);
    assert_eq!(target.load::<u64>(0x1ff8), Ok(0x1122_3344_5566_7788));
    assert_eq!(source.load::<u8>(0x1000), Err(SharedError::Outside { offset: 0x1000, len: 1 }));
    assert_eq!(
        target.write(u64::MAX, &[0]),
        Err(SharedError::Outside { offset: u64::MAX, len: 1 })
    );
    let (freed, kept) = (source.iova(), target.iova());
    source.unmap().unwrap();
    assert_eq!(go(freed, kept), dma_status::UNMAPPED);
    let again = view.allocate(0x1000).unwrap();
    assert_eq!(again.iova(), freed);
    drop(target);
    assert_eq!(go(freed, kept), dma_status::UNMAPPED);
    assert_eq!(go(freed, freed + 8), dma_status::DONE);
}

#[test]
fn a_reset_keeps_addresses_and_memory() {
    let (_running, view) = zoo();
    let memory = view.allocate(0x1000).unwrap();
    let (bar, address) = (view.bar(0).unwrap(), view.bar_details(0).unwrap().address);
    bar.write(reg::SCRATCH, 1_u32).unwrap();
    view.reset().unwrap();
    assert_eq!(bar.read::<u32>(reg::SCRATCH).unwrap(), 0);
    assert_eq!(view.command().unwrap(), ENABLED);
    assert_eq!(u64::from(view.config().read::<u32>(0x10).unwrap()), address);
    bar.write(reg::DMA_TARGET, memory.iova()).unwrap();
    bar.write(reg::DMA_DATA, 5_u64).unwrap();
    bar.write(reg::DMA_GO, dma_go::WRITE).unwrap();
    assert_eq!(memory.load::<u64>(0), Ok(5));
}

#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10fa)]
#[bar(2: mem64, size = 0x4000, shared(0x1000..0x2000))]
struct PartlyShared {
    #[reg(0x00, bar = 2)]
    scratch: u32,
}

impl Device for PartlyShared {
    type Event = ();
}

#[test]
fn a_bar_is_accessed_where_it_is_mapped_without_the_server() {
    let running = Running::at_path(PartlyShared::default);
    let view = attach(&running);
    let bar = view.bar(2).unwrap();
    bar.write(0x00, 3_u32).unwrap();
    bar.write(0x1ffc, 4_u32).unwrap();
    assert_eq!(view.client().region(RegionIndex::Bar2).read::<u32>(0x1ffc).unwrap(), 4);
    drop(running);
    assert_eq!(bar.read::<u32>(0x1ffc).unwrap(), 4);
    assert_eq!(bar.start_read::<u32>(0x1ffc).unwrap().wait().unwrap(), 4);
    assert!(matches!(bar.read::<u32>(0x00), Err(Error::Disconnected)));
    assert!(matches!(view.allocate(1), Err(Error::Disconnected)));
}
