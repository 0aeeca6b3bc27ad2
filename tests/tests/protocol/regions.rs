//! Regions that the author serves: BARs without registers, the VGA ranges, device specific ones.

use vfio_user::client::{self, Client};
use vfio_user::declaration::{Descriptor, RegionType};
use vfio_user::protocol::{Errno, MigrationState, RegionFlags, RegionIndex};
use vfio_user::{Access, Bench, Cx, Device, Error, PciDevice, ResetKind, Result};
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::serve::{self, Running};
use vfio_user_tests::wire::{self, command, errno};

const CONFIG: u32 = 7;
const VGA: u32 = 8;
const LOG: u32 = 9;
const WINDOW: u32 = 10;
const LOG_TYPE: RegionType = RegionType::of_vendor(0x1af4, 3);
const WINDOW_TYPE: RegionType = RegionType { ty: 1, subtype: 2 };

/// A device whose BAR 0 has registers, and everything else is its own.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x1111, class = 0x03_0000)]
#[bar(0: mem32, size = 0x1000)]
#[bar(1: io, size = 0x10, unmapped = ones)]
#[bar(2: mem32, size = 0x1_0000, access = 4, unaligned = ignore, unmapped = refuse)]
#[bar(3: mem32, size = 0x4000, shared(0x1000..0x2000))]
#[irq(msix = 1, bar = 5)]
struct Windows {
    #[reg(0x00)]
    scratch: u32,
    #[migrate(max_len = 0x1_0000)]
    window: Vec<u8>,
    #[migrate(max_len = 8)]
    ports: Vec<u8>,
}

impl Windows {
    fn new() -> Self {
        Windows { window: vec![0; 0x1_0000], ports: vec![0; 8], ..Windows::default() }
    }
}

fn transfer(memory: &mut [u8], offset: u64, access: Access<'_>) -> Result<(), Errno> {
    let start = usize::try_from(offset).map_err(|_| Errno::EINVAL)?;
    match access {
        Access::Read(data) => {
            let from = memory.get(start..start + data.len()).ok_or(Errno::ENOSYS)?;
            data.copy_from_slice(from);
        }
        Access::Write(data) => {
            let to = memory.get_mut(start..start + data.len()).ok_or(Errno::ENOSYS)?;
            to.copy_from_slice(data);
        }
    }
    Ok(())
}

impl Device for Windows {
    type Event = ();

    fn configure(&self, descriptor: &mut Descriptor) -> Result<()> {
        descriptor.set_vga();
        descriptor.add_region(LOG_TYPE, 0x100, RegionFlags::READ);
        descriptor.add_region(WINDOW_TYPE, 0x1_0000, RegionFlags::READ | RegionFlags::WRITE);
        Ok(())
    }

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
        self.window.fill(0);
        self.ports.fill(0);
    }

    fn access(
        &mut self,
        cx: &mut Cx<'_, Self>,
        region: RegionIndex,
        offset: u64,
        access: Access<'_>,
    ) -> Result<(), Errno> {
        match (region, access) {
            (RegionIndex::Bar1, access) => transfer(&mut self.ports, offset, access),
            (RegionIndex::Bar2 | RegionIndex::Bar3, access) if offset < 0x8000 => {
                transfer(&mut self.window, offset, access)
            }
            (RegionIndex::Vga, Access::Read(data)) => {
                let [_, _, page, ..] = offset.to_le_bytes();
                data.fill(page);
                Ok(())
            }
            (RegionIndex::Vga, Access::Write(_)) => {
                cx.irq(0).raise();
                Ok(())
            }
            (RegionIndex::Specific(0), Access::Read(data)) => {
                data.fill(b'l');
                Ok(())
            }
            (RegionIndex::Specific(1), _) if offset == 0xbad0 => Err(Errno::EIO),
            (RegionIndex::Specific(1), access) => transfer(&mut self.window, offset, access),
            _ => Err(Errno::ENOSYS),
        }
    }
}

fn served() -> (Running, RawClient) {
    let running = Running::at_path(Windows::new);
    let client = running.client();
    (running, client)
}

#[test]
fn specific_regions_are_counted_and_say_what_they_are() {
    let (_running, mut client) = served();
    let reply = client.request(command::GET_INFO, &wire::words(&[16, 0, 0, 0]), &[]);
    assert_eq!(reply.ok(), wire::words(&[16, 3, 11, 5]));
    let mut info = |argsz, index| {
        client.request(command::GET_REGION_INFO, &wire::region_info(argsz, index), &[])
    };
    let vga = info(4096, VGA).ok();
    assert_eq!((&vga[..16], vga.len()), (&wire::words(&[32, 3, VGA, 0])[..], 32));
    assert_eq!(wire::u64_at(&vga, 16), 0xc_0000);
    let short = info(32, LOG).ok();
    assert_eq!(short[..16], wire::words(&[48, 1, LOG, 0]), "read-only, needs more room");
    let log = info(48, LOG).ok();
    assert_eq!(log[..16], wire::words(&[48, 1 | 8, LOG, 32]));
    assert_eq!(wire::u64_at(&log, 16), 0x100);
    assert_eq!(log[32..], wire::words(&[0x0001_0002, 0, 0x8000_1af4, 3]), "TYPE, version 1");
    let window = info(64, WINDOW).ok();
    assert_eq!(window[32..], wire::words(&[0x0001_0002, 0, 1, 2]));
    for index in [11, 12, u32::MAX] {
        info(64, index).fails_with(errno::EINVAL);
    }
}

#[test]
fn they_are_accessed_in_any_size_inside_their_bounds() {
    let (_running, mut client) = served();
    assert_eq!(client.read(LOG, 0xfd, 3), b"lll");
    assert_eq!(client.try_read(LOG, 0xfe, 3), Err(errno::EINVAL));
    assert_eq!(client.try_write(LOG, 0, b"x"), Err(errno::EINVAL), "read-only");
    let data: Vec<_> = (0..0x8000_u32).map(|at| (at % 251) as u8).collect();
    client.write(WINDOW, 0x123, &data);
    assert_eq!(client.read(WINDOW, 0x123, 0x8000), data, "in one piece");
    assert_eq!(client.try_read(WINDOW, 0xbad0, 1), Err(5), "what the author says");
    assert_eq!(client.try_read(WINDOW, 0xffff, 2), Err(errno::EINVAL));
    assert_eq!(client.try_read(WINDOW, u64::MAX, 1), Err(errno::EINVAL));
    assert_eq!(client.read(VGA, 0xa_0000, 2), [0x0a, 0x0a]);
    assert_eq!(client.try_read(VGA, 0xc_0000, 1), Err(errno::EINVAL));
    for region in [11, 12, u32::MAX] {
        assert_eq!(client.try_read(region, 0, 1), Err(errno::EINVAL));
        assert_eq!(client.try_write(region, 0, b"x"), Err(errno::EINVAL));
    }
}

#[test]
fn a_bar_without_registers_is_the_authors() {
    let mut bench = Bench::new(Windows::new()).unwrap();
    bench.write(1, 0x02, 0x1234_u16);
    assert_eq!(bench.read::<u32>(1, 0x00), 0x1234_0000);
    assert_eq!(bench.read::<u32>(1, 0x0c), u32::MAX, "what the author leaves is unmapped");
    assert_eq!(bench.read::<u64>(1, 0x04), u64::MAX, "also in part");
    bench.write(1, 0x08, 0_u32);
    bench.write(2, 0x40, 0x1122_3344_u32);
    assert_eq!(bench.read::<u32>(2, 0x40), 0x1122_3344);
    let mut byte = [0];
    for offset in [0x41, 0x8000, 0xfffc] {
        assert_eq!(bench.try_read(RegionIndex::Bar2, offset, &mut byte), Err(Errno::EINVAL));
    }
    let mut words = [0; 4];
    assert_eq!(bench.try_read(RegionIndex::Bar2, 0x42, &mut words), Err(Errno::EINVAL));
    assert_eq!(bench.try_write(RegionIndex::Bar2, 0x9000, &words), Err(Errno::EINVAL));
    let mut twelve = [0; 12];
    assert_eq!(bench.try_read(RegionIndex::Bar2, 0x3c, &mut twelve), Ok(()), "three pieces");
    assert_eq!(twelve[4..8], [0x44, 0x33, 0x22, 0x11]);
    assert_eq!(bench.read::<u32>(0, 0), 0, "registers are not");
}

#[test]
fn shared_parts_of_it_are_memory() {
    let mut bench = Bench::new(Windows::new()).unwrap();
    bench.write(3, 0xffc, 0x5555_6666_7777_8888_u64);
    assert_eq!(bench.device().window[0xffc..0x1000], [0x88, 0x88, 0x77, 0x77]);
    assert_eq!(bench.device().window[0x1000..0x1004], [0; 4], "the author does not see these");
    let mut bytes = [0; 4];
    bench.shared(3).read(0x1000, &mut bytes).unwrap();
    assert_eq!(bytes, [0x66, 0x66, 0x55, 0x55]);
    assert_eq!(bench.read::<u64>(3, 0xffc), 0x5555_6666_7777_8888);
}

/// PCI Local Bus Specification 3.0, 6.2.2: ports and memory each have their bit.
#[test]
fn the_command_register_opens_vga_ports_and_vga_memory_apart() {
    const PORTS: (u64, u8) = (0x3c0, 0x00);
    const MEMORY: (u64, u8) = (0xa_0000, 0x0a);
    let mut bench = Bench::new(Windows::new()).unwrap();
    bench.write_config(0x04, 3u16);
    for (command, open, shut) in [(1u16, PORTS, MEMORY), (2, MEMORY, PORTS)] {
        // A message needs a bus master.
        bench.write_config(0x04, command | 0b100);
        let mut byte = [0x55];
        bench.try_read(RegionIndex::Vga, open.0, &mut byte).unwrap();
        assert_eq!(byte, [open.1], "command {command}");
        bench.try_read(RegionIndex::Vga, shut.0, &mut byte).unwrap();
        assert_eq!(byte, [0xff], "command {command}");
        bench.try_write(RegionIndex::Vga, shut.0, &[1]).unwrap();
        assert_eq!(bench.take_irq(0), 0, "command {command}");
        bench.try_write(RegionIndex::Vga, open.0, &[1]).unwrap();
        assert_eq!(bench.take_irq(0), 1, "command {command}");
    }
}

#[test]
fn the_author_may_raise_interrupts_there() {
    let mut bench = Bench::new(Windows::new()).unwrap();
    bench.try_write(RegionIndex::Vga, 0x3c0, &[1]).unwrap();
    assert_eq!(bench.take_irq(0), 1);
}

#[test]
fn our_client_knows_their_types() {
    let running = Running::at_path(Windows::new);
    let client = Client::attach_with(running.path(), client::AttachOptions::default()).unwrap();
    let log = client.region_details(RegionIndex::Specific(0)).unwrap();
    assert_eq!(
        (log.ty, log.size, log.flags),
        (Some(LOG_TYPE), 0x100, RegionFlags::READ | RegionFlags::CAPS)
    );
    let window = client.region_details(RegionIndex::Specific(1)).unwrap();
    assert_eq!(window.ty, Some(WINDOW_TYPE));
    assert_eq!(client.region_details(RegionIndex::Vga).unwrap().ty, None);
    assert!(client.region_details(RegionIndex::Specific(2)).is_err());
    let window = client.region(RegionIndex::Specific(1));
    window.write(0x8, 0x0102_0304_u32).unwrap();
    assert_eq!(window.read::<u16>(0x9).unwrap(), 0x0203);
    assert!(matches!(window.read::<u8>(0xbad0), Err(Error::Refused { .. })));
}

/// The author is not asked while a device stands still.
#[test]
fn while_stopped_they_read_zeros_and_ignore_writes() {
    let running = Running::at_path(Windows::new);
    let client = Client::attach_with(running.path(), client::AttachOptions::default()).unwrap();
    let window = client.region(RegionIndex::Specific(1));
    window.write(0, 0x11_u8).unwrap();
    client.set_migration_state(MigrationState::Stop).unwrap();
    assert_eq!(window.read::<u8>(0).unwrap(), 0);
    assert_eq!(client.region(RegionIndex::Vga).read::<u8>(0xa_0000).unwrap(), 0);
    assert_eq!(client.region(RegionIndex::Bar1).read::<u8>(0).unwrap(), 0xff, "unmapped");
    window.write(0, 0x22_u8).unwrap();
    client.set_migration_state(MigrationState::Running).unwrap();
    assert_eq!(window.read::<u8>(0).unwrap(), 0x11);
}

/// A device whose BARs are smaller than a page: the smallest one, and one with two registers.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x1113)]
#[bar(0: mem32, size = 0x10)]
#[bar(2: mem64, size = 0x100)]
#[migrate(none)]
struct Tiny {
    #[reg(0x0c, bar = 0)]
    only: u32,
    #[reg(0x00, bar = 2)]
    first: u32,
    #[reg(0xfc, bar = 2)]
    last: u32,
}

impl Device for Tiny {
    type Event = ();
}

/// A client maps whole pages, so such a BAR has no part that can be mapped: what lies behind it in
/// its page belongs to other devices.
#[test]
fn a_bar_smaller_than_a_page_has_its_size_and_is_accessed_by_messages() {
    let running = Running::at_path(Tiny::default);
    let mut client = running.client();
    for (bar, size, offset) in [(0, 0x10_u32, 0x0c), (2, 0x100, 0xfc)] {
        let info = client.request(command::GET_REGION_INFO, &wire::region_info(4096, bar), &[]);
        assert!(info.fds.is_empty());
        let info = info.ok();
        assert_eq!(info[..16], wire::words(&[32, 3, bar, 0]), "read and write, and no more");
        assert_eq!((wire::u64_at(&info, 16), wire::u64_at(&info, 24)), (size.into(), 0));
        client.write(bar, offset, &[1, 2, 3, 4]);
        assert_eq!(client.read(bar, offset, 4), [1, 2, 3, 4]);
        let all = client.read(bar, 0, size);
        assert_eq!((&all[..4], &all[all.len() - 4..]), (&[0; 4][..], &[1, 2, 3, 4][..]));
        let end = u64::from(size);
        for (start, len) in [(offset, 5), (end, 1), (end - 1, 2), (0xfff, 1), (0x1000, 4)] {
            assert_eq!(client.try_read(bar, start, len), Err(errno::EINVAL), "{start:#x}");
            let data = &[0; 5][..len as usize];
            assert_eq!(client.try_write(bar, start, data), Err(errno::EINVAL), "{start:#x}");
        }
    }
    // The bits that hold an address, by the size.
    for (register, size_mask) in [(0x10, 0xffff_fff0_u32), (0x18, 0xffff_ff04)] {
        client.write(CONFIG, register, &[0xff; 4]);
        assert_eq!(client.number(CONFIG, register, 4), u64::from(size_mask));
    }
    drop(client);

    let client = Client::attach_with(running.path(), client::AttachOptions::default()).unwrap();
    for (bar, register) in [(RegionIndex::Bar0, 0x0c), (RegionIndex::Bar2, 0x00)] {
        let map = client.region_details(bar).unwrap().map().unwrap();
        assert_eq!(map.areas().count(), 0);
        let region = client.region(bar).through(&map);
        region.write(register, 0x1234_u32).unwrap();
        assert_eq!(region.read::<u32>(register).unwrap(), 0x1234);
    }
}

#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x1112)]
#[migrate(none)]
struct Greedy {
    sizes: Vec<u64>,
}

impl Device for Greedy {
    type Event = ();

    fn configure(&self, descriptor: &mut Descriptor) -> Result<()> {
        for size in &self.sizes {
            descriptor.add_region(LOG_TYPE, *size, RegionFlags::READ);
        }
        Ok(())
    }
}

#[test]
fn empty_regions_and_too_many_are_refused() {
    let refusal = |sizes| {
        let error = Bench::new(Greedy { sizes }).map(drop).unwrap_err();
        std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string)
    };
    assert!(refusal(vec![1, 0]).contains("region 10 has no bytes"));
    assert!(refusal(vec![1; 248]).contains("248 regions of the device's own"));
    let (_running, mut client) = serve::over_pair(|| Greedy { sizes: vec![1; 247] });
    client.negotiate();
    let reply = client.request(command::GET_INFO, &wire::words(&[16, 0, 0, 0]), &[]);
    assert_eq!(reply.ok(), wire::words(&[16, 3, 256, 5]));
    assert_eq!(client.try_read(255, 0, 1), Err(38), "ENOSYS: no handler serves it");
}

mod suite {
    vfio_user::device_tests!(super::Windows, super::Windows::new);
}
