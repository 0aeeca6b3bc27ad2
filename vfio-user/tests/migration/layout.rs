//! What a guest sees and cannot change is compared, part by part, and a refusal names both sides.

use vfio_user::declaration::Descriptor;
use vfio_user::migration::{Frame, Hello, StateError, StreamError, StreamReader, StreamWriter};
use vfio_user::{Bench, Device, PciDevice, Result};

/// A device that differs from the others in one thing.
macro_rules! card {
    ($name:ident { $(#[$attribute:meta])* }) => {
        #[derive(Debug, Default, PciDevice)]
        $(#[$attribute])*
        struct $name {
            #[migrate(skip)]
            rom: Vec<u8>,
        }

        impl Device for $name {
            type Event = ();

            fn configure(&self, descriptor: &mut Descriptor) -> Result<()> {
                if !self.rom.is_empty() {
                    descriptor.set_rom(self.rom.clone());
                }
                Ok(())
            }
        }
    };
}

card!(Plain {
    #[pci(vendor = 1, device = 2, class = 0x01_0802, revision = 3, subsystem = (4, 5), name = "card")]
    #[bar(0: mem32, size = 0x1000)]
    #[bar(2: mem64, size = 0x10000)]
    #[irq(msi = 4)]
    #[capability(pm)]
});
card!(Revised {
    #[pci(vendor = 1, device = 2, class = 0x01_0802, revision = 4, subsystem = (4, 5), name = "card")]
    #[bar(0: mem32, size = 0x1000)]
    #[bar(2: mem64, size = 0x10000)]
    #[irq(msi = 4)]
    #[capability(pm)]
});
card!(Classed {
    #[pci(vendor = 1, device = 2, class = 0x01_0803, revision = 3, subsystem = (4, 5), name = "card")]
    #[bar(0: mem32, size = 0x1000)]
    #[bar(2: mem64, size = 0x10000)]
    #[irq(msi = 4)]
    #[capability(pm)]
});
card!(Subsystem {
    #[pci(vendor = 1, device = 2, class = 0x01_0802, revision = 3, subsystem = (4, 6), name = "card")]
    #[bar(0: mem32, size = 0x1000)]
    #[bar(2: mem64, size = 0x10000)]
    #[irq(msi = 4)]
    #[capability(pm)]
});
card!(Larger {
    #[pci(vendor = 1, device = 2, class = 0x01_0802, revision = 3, subsystem = (4, 5), name = "card")]
    #[bar(0: mem32, size = 0x4000)]
    #[bar(2: mem64, size = 0x10000)]
    #[irq(msi = 4)]
    #[capability(pm)]
});
card!(Huge {
    #[pci(vendor = 1, device = 2, class = 0x01_0802, revision = 3, subsystem = (4, 5), name = "card")]
    #[bar(0: mem32, size = 0x1000)]
    #[bar(2: mem64, size = 0x2_0000_0000, prefetchable)]
    #[irq(msi = 4)]
    #[capability(pm)]
});
card!(Ported {
    #[pci(vendor = 1, device = 2, class = 0x01_0802, revision = 3, subsystem = (4, 5), name = "card")]
    #[bar(0: io, size = 0x80)]
    #[bar(2: mem64, size = 0x10000)]
    #[irq(msi = 4)]
    #[capability(pm)]
});
card!(Fewer {
    #[pci(vendor = 1, device = 2, class = 0x01_0802, revision = 3, subsystem = (4, 5), name = "card")]
    #[bar(0: mem32, size = 0x1000)]
    #[irq(msi = 4)]
    #[capability(pm)]
});
card!(Messages {
    #[pci(vendor = 1, device = 2, class = 0x01_0802, revision = 3, subsystem = (4, 5), name = "card")]
    #[bar(0: mem32, size = 0x1000)]
    #[bar(2: mem64, size = 0x10000)]
    #[irq(msi = 8)]
    #[capability(pm)]
});
card!(Pinned {
    #[pci(vendor = 1, device = 2, class = 0x01_0802, revision = 3, subsystem = (4, 5), name = "card")]
    #[bar(0: mem32, size = 0x1000)]
    #[bar(2: mem64, size = 0x10000)]
    #[irq(intx, msi = 4)]
    #[capability(pm)]
});
card!(Unpowered {
    #[pci(vendor = 1, device = 2, class = 0x01_0802, revision = 3, subsystem = (4, 5), name = "card")]
    #[bar(0: mem32, size = 0x1000)]
    #[bar(2: mem64, size = 0x10000)]
    #[irq(msi = 4)]
});
card!(Express {
    #[pci(vendor = 1, device = 2, class = 0x01_0802, revision = 3, subsystem = (4, 5), name = "card")]
    #[bar(0: mem32, size = 0x1000)]
    #[bar(2: mem64, size = 0x10000)]
    #[irq(msi = 4)]
    #[capability(pm, express)]
});
card!(Vectors {
    #[pci(vendor = 1, device = 2, name = "card")]
    #[irq(msix = 3)]
    #[capability(express, serial = 1)]
});
card!(MoreVectors {
    #[pci(vendor = 1, device = 2, name = "card")]
    #[irq(msix = 7)]
    #[capability(express, serial = 1)]
});
card!(Serial {
    #[pci(vendor = 1, device = 2, name = "card")]
    #[irq(msix = 3)]
    #[capability(express, serial = 2)]
});

fn saved<D: PciDevice + Default>() -> Vec<u8> {
    Bench::new(D::default()).unwrap().save()
}

/// The state of each is refused by the other, and the refusal has these words.
#[track_caller]
fn assert_differ<A: PciDevice + Default, B: PciDevice + Default>(part: &str, a: &str, b: &str) {
    assert_refused(&mut Bench::new(B::default()).unwrap(), &saved::<A>(), part, a, b);
    assert_refused(&mut Bench::new(A::default()).unwrap(), &saved::<B>(), part, b, a);
}

#[track_caller]
fn assert_refused<D: PciDevice>(
    target: &mut Bench<D>,
    stream: &[u8],
    part: &str,
    theirs: &str,
    ours: &str,
) {
    let before = target.save();
    let error = target.load(stream).unwrap_err();
    let StateError::LayoutDiffers(differences) = &error else { panic!("{error}") };
    let found = differences.iter().find(|difference| difference.part == part);
    let found = found.unwrap_or_else(|| panic!("{part:?} is not named: {error}"));
    assert!(found.theirs.starts_with(theirs) && found.ours.starts_with(ours), "{error}");
    let named = format!("{part}: the state has {theirs}");
    assert!(error.to_string().contains(&named), "{error}");
    assert_eq!(target.save(), before);
}

#[test]
fn every_part_of_the_layout_is_named_with_both_values() {
    assert_differ::<Plain, Revised>("revision", "0x03", "0x04");
    assert_differ::<Plain, Classed>("class code", "0x010802", "0x010803");
    assert_differ::<Plain, Subsystem>("subsystem id", "0x0005", "0x0006");
    assert_differ::<Plain, Larger>("BAR 0", "mem32, 0x1000 bytes", "mem32, 0x4000 bytes");
    assert_differ::<Plain, Ported>("BAR 0", "mem32, 0x1000 bytes", "io, 0x80 bytes");
    let huge = "prefetchable mem64, 0x200000000 bytes";
    assert_differ::<Plain, Huge>("BAR 2", "mem64, 0x10000 bytes", huge);
    assert_differ::<Plain, Fewer>("BAR 2", "mem64, 0x10000 bytes", "none");
    assert_differ::<Plain, Pinned>("interrupt pin", "0x00", "0x01");
    assert_differ::<Plain, Messages>("msi at 0x48, offset 0x0", "4 vectors", "8 vectors");
    assert_differ::<Plain, Unpowered>("capabilities", "pm at 0x40, msi at 0x48", "msi at 0x40");
    assert_differ::<Plain, Express>("capabilities", "pm at 0x40, msi at 0x48", "pm at 0x40, ");
    assert_differ::<Vectors, MoreVectors>("msix at 0x7c, offset 0x0", "3 vectors", "7 vectors");
    assert_differ::<Vectors, Serial>("serial at 0x100, offset 0x4", "0x00000001", "0x00000002");
}

fn with_rom(image: &[u8]) -> Bench<Plain> {
    Bench::new(Plain { rom: image.to_vec() }).unwrap()
}

#[test]
fn another_rom_is_refused_by_its_digest_or_size() {
    let image = |fill: u8, len: usize| {
        let mut image = vec![fill; len];
        image[..2].copy_from_slice(&[0x55, 0xaa]);
        image
    };
    let (one, other, longer) = (image(1, 0x1000), image(2, 0x1000), image(1, 0x2000));
    let same = with_rom(&one).save();
    with_rom(&one).load(&same).unwrap();
    let size = "0x1000 bytes with digest ";
    assert_refused(&mut with_rom(&other), &same, "ROM", size, size);
    let mut late = one.clone();
    *late.last_mut().unwrap() ^= 1;
    assert_refused(&mut with_rom(&late), &same, "ROM", size, size);
    assert_refused(&mut with_rom(&longer), &same, "ROM", size, "0x2000 bytes with digest ");
    assert_refused(&mut with_rom(&longer), &same, "ROM BAR", "0x1000 bytes", "0x2000 bytes");
    assert_refused(&mut with_rom(&[]), &same, "ROM", size, "none");
    assert_refused(&mut with_rom(&one), &with_rom(&[]).save(), "ROM", "none", size);
    // In the same pages, but shorter.
    assert_refused(&mut with_rom(&one[..0xfff]), &same, "ROM", size, "0xfff bytes");
}

/// A stream as it was before layouts were named.
fn unnamed(stream: &[u8], change: impl FnOnce(&mut Hello)) -> Vec<u8> {
    let (mut hello, mut state) = (None, Vec::new());
    let taken = StreamReader::new().push(stream, |frame| {
        match frame {
            Frame::Hello(of) => hello = Some(of),
            Frame::State(sections) => state = sections.to_vec(),
            _ => {}
        }
        Ok::<_, StreamError>(())
    });
    taken.unwrap();
    let mut hello = hello.unwrap();
    change(&mut hello);
    let mut writer = StreamWriter::new(&hello);
    writer.state(&state);
    writer.end();
    writer.take()
}

#[test]
fn streams_that_do_not_name_their_layout_are_compared_by_its_digest() {
    let mut target = Bench::new(Plain::default()).unwrap();
    let stream = target.save();
    target.load(&unnamed(&stream, |_| {})).unwrap();
    let other = target.load(&unnamed(&stream, |hello| hello.layout ^= 1));
    assert!(matches!(other, Err(StateError::Layout)), "{other:?}");
}
