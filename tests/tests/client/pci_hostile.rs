//! Functions that are malformed: what our client's view of them says.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use vfio_user::client::{Client, PciView};
use vfio_user::protocol::RegionIndex;
use vfio_user::{ArgumentError, Error, PciError};
use vfio_user_tests::forged::Forged;
use vfio_user_tests::scripted::{attach, options, server};

/// Attaches to a function that was changed by `forge`.
fn view(forge: impl FnOnce(&mut Forged)) -> (Result<PciView, Error>, JoinHandle<()>) {
    let mut forged = Forged::default();
    forge(&mut forged);
    let (stream, thread) = server(move |server| forged.serve(&server));
    (PciView::new(attach(stream).unwrap()), thread)
}

/// Checks what a function that was changed by `forge` fails with, if anything.
#[track_caller]
fn check<T>(
    forge: impl FnOnce(&mut Forged),
    drive: impl FnOnce(&PciView) -> Result<T, Error>,
    expected: Option<PciError>,
) {
    let (view, thread) = view(forge);
    let problem = match view.and_then(|view| drive(&view)) {
        Ok(_) => None,
        Err(Error::Pci(problem)) => Some(problem),
        Err(error) => panic!("{error:?}"),
    };
    assert_eq!(problem, expected);
    thread.join().unwrap();
}

#[track_caller]
fn attach_fails(forge: impl FnOnce(&mut Forged), expected: PciError) {
    check(forge, |_| Ok(()), Some(expected));
}

#[track_caller]
fn bar_fails(bar: u8, forge: impl FnOnce(&mut Forged), expected: PciError) {
    let drive = |view: &PciView| {
        view.bar(1 - bar)?.read::<u32>(0)?;
        Ok(view.bar(bar).map(drop)?)
    };
    check(forge, drive, Some(expected));
}

#[track_caller]
fn msix_fails(count: u32, forge: impl FnOnce(&mut Forged), expected: PciError) {
    check(forge, |view| view.enable_msix(count), Some(expected));
}

#[test]
fn a_function_without_a_mistake_is_accepted() {
    check(|_| {}, |view| view.enable_msix(4), None);
    let drive = |view: &PciView| {
        let vectors = view.enable_msix(2)?;
        assert!(matches!(vectors.mask(0), Err(Error::Pci(PciError::NotMaskable))));
        Ok(())
    };
    check(|forged| forged.refuses_writes = true, drive, None);
}

#[test]
fn a_header_of_something_else_is_refused() {
    attach_fails(|forged| forged.flags = 1, PciError::NotPci);
    attach_fails(|forged| forged.config.fill(0xff), PciError::NoFunction);
    attach_fails(|forged| forged.config[0x0e] = 0x81, PciError::HeaderType(1));
    attach_fails(|forged| forged.regions[7] = 0xff, PciError::ConfigSize(0xff));
    check(|forged| forged.config[0x0e] = 0x80, |_| Ok(()), None);
    check(|forged| forged.regions[7] = 0x100, |_| Ok(()), None);
}

#[test]
fn lists_of_capabilities_end_or_are_refused() {
    attach_fails(|forged| forged.config[0x34] = 0x3c, PciError::CapabilityOffset(0x3c));
    attach_fails(|forged| forged.config[0x41] = 0x41, PciError::CapabilityLoop(0x40));
    let long_loop = |forged: &mut Forged| {
        for at in (0x40..0x100).step_by(4) {
            forged.config[at + 1] = u8::try_from((at + 4) % 0x100).unwrap().max(0x80);
        }
    };
    attach_fails(long_loop, PciError::CapabilityLoop(0x80));
    let extended = |at: usize, next: u16| {
        move |forged: &mut Forged| forged.set(at, &(0x1_0003 | u32::from(next) << 20).to_le_bytes())
    };
    attach_fails(extended(0x100, 0x0fc), PciError::CapabilityOffset(0x0fc));
    attach_fails(extended(0x100, 0x100), PciError::CapabilityLoop(0x100));
    check(
        extended(0x100, 0xffc),
        |view| {
            assert_eq!(view.extended_capabilities().len(), 2);
            Ok(())
        },
        None,
    );
    let at_the_end = |forged: &mut Forged| {
        forged.config[0x34] = 0xf8;
        forged.config[0xf8] = 0x11;
    };
    msix_fails(1, at_the_end, PciError::CapabilityTooLong { id: 0x11, offset: 0xf8 });
}

#[test]
fn a_bar_that_sizes_to_nonsense_does_not_prevent_the_use_of_others() {
    let index = RegionIndex::Bar1;
    let mask = 0xffff_ffff_ff0f_f000;
    bar_fails(1, |forged| forged.set_bar(1, 0, 0xff0f_f000), PciError::BarMask { index, mask });
    bar_fails(1, |forged| forged.set_bar(1, 2, !0xfff), PciError::BarType { index, bits: 2 });
    bar_fails(1, |forged| forged.set_bar(1, 6, !0xfff), PciError::BarType { index, bits: 6 });
    let wrong = |size, region| PciError::BarRegion { index, size, region };
    bar_fails(1, |forged| forged.regions[1] = 0x1001, wrong(0x1000, 0x1001));
    bar_fails(1, |forged| forged.regions[1] = u64::MAX, wrong(0x1000, u64::MAX));
    bar_fails(1, |forged| forged.regions[1] = 0, wrong(0x1000, 0));
    bar_fails(1, |forged| forged.set_bar(1, 0, 0), PciError::NoBar(1));
    let size = 0x8000_0000;
    let huge = |forged: &mut Forged| forged.set_bar(1, 0, 0x8000_0000);
    bar_fails(1, huge, PciError::NoAddress { index, size });
    // 2^63 bytes of 64-bit memory.
    let wide = |forged: &mut Forged| {
        forged.set_bar(1, 4, 0);
        forged.set_bar(2, 0, 0x8000_0000);
    };
    bar_fails(1, wide, PciError::NoAddress { index, size: 1 << 63 });
    // The last BAR has no second half.
    let last = PciError::BarType { index: RegionIndex::Bar5, bits: 4 };
    let drive = |view: &PciView| Ok(view.bar(5).map(drop)?);
    check(|forged| forged.set_bar(5, 4, !0xf), drive, Some(last));
    check(|_| {}, |view| Ok(view.bar(6).map(drop)?), Some(PciError::NoBar(6)));
    // No size of the ROM.
    let rom = PciError::BarMask { index: RegionIndex::Rom, mask: 0xff0f_f800 };
    let forge =
        |forged: &mut Forged| forged.writable[0x30..0x34].copy_from_slice(&[0, 0xf8, 0xf, 0xff]);
    check(forge, |view| Ok(view.rom_details()?), Some(rom));
}

#[test]
fn a_function_that_cannot_be_set_up_decodes_as_before() {
    let mut forged = Forged { refuses_region: Some(1), ..Forged::default() };
    forged.config[0x04] = 6;
    let (stream, thread) = server(move |server| forged.serve(&server));
    let client = Arc::new(attach(stream).unwrap());
    assert!(matches!(PciView::new(Arc::clone(&client)), Err(Error::Refused { .. })));
    assert_eq!(client.region(RegionIndex::Config).read::<u16>(4).unwrap(), 6);
    drop(client);
    thread.join().unwrap();
}

#[test]
fn vectors_that_are_not_there_are_not_enabled() {
    msix_fails(0, |_| {}, PciError::Vectors { wanted: 0, most: 4 });
    msix_fails(5, |_| {}, PciError::Vectors { wanted: 5, most: 4 });
    msix_fails(3, |forged| forged.vectors[2] = 2, PciError::Vectors { wanted: 3, most: 2 });
    msix_fails(5, |forged| forged.vectors[2] = u32::MAX, PciError::Vectors { wanted: 5, most: 4 });
    msix_fails(1, |forged| forged.config[6] = 0, PciError::NoCapability(0x11));
    check(|_| {}, |view| view.enable_msi(1), Some(PciError::NoCapability(0x05)));
    let none = PciError::Vectors { wanted: 1, most: 0 };
    check(|forged| forged.vectors[0] = 1, PciView::enable_intx, Some(none));
    check(|forged| forged.config[0x3d] = 1, PciView::enable_intx, Some(none));
    check(|_| {}, PciView::reset, Some(PciError::NoReset));
}

#[test]
fn a_table_outside_of_its_bar_is_refused() {
    let wrong = |bar, offset, size| PciError::MsixTable { bar, offset, size };
    msix_fails(1, |forged| forged.set(0x44, &[0xc9, 0xf]), wrong(1, 0xfc8, 64));
    msix_fails(1, |forged| forged.set(0x44, &[0xf9, 0xff, 0xff, 0xff]), wrong(1, 0xffff_fff8, 64));
    msix_fails(1, |forged| forged.set(0x44, &[3]), wrong(3, 0, 64));
    msix_fails(1, |forged| forged.set(0x44, &[7]), wrong(7, 0, 64));
    msix_fails(1, |forged| forged.set(0x48, &[1, 0x10]), wrong(1, 0x1000, 8));
    // The region is smaller than the BAR.
    msix_fails(1, |forged| forged.regions[1] = 0x20, wrong(1, 0, 64));
}

#[test]
fn a_function_that_is_not_ready_after_a_reset_is_waited_for_and_not_for_ever() {
    for (ones, expected) in [(0, None), (3, None), (u32::MAX, Some(PciError::NotReady))] {
        let mut forged = Forged { ones, ..Forged::default() };
        forged.add_express();
        let (stream, thread) = server(move |server| forged.serve(&server));
        let client = Client::from_stream(stream, options(Duration::from_secs(1))).unwrap();
        let view = PciView::new(client).unwrap();
        let problem = match view.reset() {
            Ok(()) => None,
            Err(Error::Pci(problem)) => Some(problem),
            Err(error) => panic!("{error:?}"),
        };
        assert_eq!(problem, expected);
        drop(view);
        thread.join().unwrap();
    }
}

#[test]
fn memory_for_which_there_are_no_addresses_is_refused() {
    let (view, thread) = view(|_| {});
    let view = view.unwrap();
    for size in [u64::MAX, u64::MAX - 0xfff, 1 << 62] {
        let refused = view.allocate(size);
        let expected = Error::Argument(ArgumentError::NoAddresses(size));
        assert_eq!(refused.unwrap_err().to_string(), expected.to_string());
    }
    view.allocate(0x1000).unwrap().unmap().unwrap();
    drop(view);
    thread.join().unwrap();
}
