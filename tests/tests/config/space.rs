//! Configuration space, against masks written down from the PCI specifications.

use proptest::prelude::*;
use vfio_user_tests::config_model::{Author, Model, Reset, capabilities, extended_capabilities};
use vfio_user_tests::puppet::Puppet;
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::wire::{self, command, errno, number, region::CONFIG};
use vfio_user_tests::{serve, zoo};

const SIZE: usize = 4096;
const PM: u8 = 0x01;
const VPD: u8 = 0x03;
const MSI: u8 = 0x05;
const CUSTOM: u8 = 0x06;
const VENDOR: u8 = 0x09;
const SUBSYSTEM: u8 = 0x0d;
const EXPRESS: u8 = 0x10;
const MSIX: u8 = 0x11;
const AER: u16 = 0x01;
const SERIAL: u16 = 0x03;
const VSEC: u16 = 0x0b;
const LTR: u16 = 0x18;
const DVSEC: u16 = 0x23;
const EXTENDED: u16 = 0xfe;

fn whole(client: &mut RawClient) -> Vec<u8> {
    client.read(CONFIG, 0, 4096)
}

fn get(client: &mut RawClient, offset: usize, width: u32) -> u64 {
    client.number(CONFIG, offset as u64, width)
}

fn put(client: &mut RawClient, offset: usize, width: usize, value: u64) {
    client.write(CONFIG, offset as u64, &value.to_le_bytes()[..width]);
}

fn find(space: &[u8], id: u8) -> usize {
    capabilities(space).iter().find(|(found, _)| *found == id).expect("the capability").1
}

fn find_extended(space: &[u8], id: u16) -> usize {
    extended_capabilities(space).iter().find(|(found, _)| *found == id).expect("the capability").1
}

/// The model of the zoo.
fn model(space: &[u8]) -> Model {
    let rom = zoo::ROM.len().next_power_of_two().max(2048) as u64;
    let bars = [0x1000, 0x100, 0x2_0000_0000, 0, 0x100, 0x2000];
    let writable = vec![
        (find(space, VENDOR) + 3, vec![0, 0xff, 0x0f]),
        (find(space, CUSTOM) + 2, vec![0xf0]),
        (find_extended(space, VSEC) + 8, vec![0xff; 4]),
    ];
    let vpd = (zoo::Zoo::PRODUCT_DATA.to_vec(), vec![0xf0]);
    Model::new(space, &Author { bars, rom, writable, vpd })
}

#[test]
fn the_header_says_what_was_declared() {
    let (_running, mut client, _kit) = serve::zoo();
    let space = whole(&mut client);
    let word = |at: usize, len: usize| number(&space[at..at + len]);
    assert_eq!((word(0, 2), word(2, 2)), (0x1af4, 0x10f5), "vendor and device");
    assert_eq!((word(4, 2), word(6, 2)), (0, 0x0010), "command and status");
    assert_eq!((word(8, 1), word(9, 3)), (7, 0x05_8001), "revision and class");
    assert_eq!(word(0x0c, 4), 0, "header type 0");
    assert_eq!((word(0x2c, 2), word(0x2e, 2)), (0x1b36, 0x1100), "subsystem");
    assert_eq!((word(0x3c, 1), word(0x3d, 1)), (0, 1), "INTA");
    assert_eq!(word(0x10, 4), 0, "32-bit memory");
    assert_eq!(word(0x14, 4), 1, "ports");
    assert_eq!(word(0x18, 8), 0b1100, "64-bit prefetchable memory");
    assert_eq!((word(0x20, 4), word(0x24, 4)), (0, 0));
}

#[test]
fn the_capability_list_ends_and_says_what_was_declared() {
    let (_running, mut client, _kit) = serve::zoo();
    let space = whole(&mut client);
    let mut ids: Vec<_> = capabilities(&space).iter().map(|(id, _)| *id).collect();
    ids.sort_unstable();
    assert_eq!(ids, [PM, VPD, MSI, CUSTOM, VENDOR, VENDOR, SUBSYSTEM, EXPRESS, MSIX]);
    let word = |at: usize, len: usize| number(&space[at..at + len]);
    assert_eq!(word(find(&space, PM) + 2, 2) & 7, 3, "power management 1.2");
    assert_eq!(word(find(&space, MSI) + 2, 2), 0x0186, "64-bit, 8 messages, masks");
    let msix = find(&space, MSIX);
    assert_eq!(word(msix + 2, 2), 255, "256 vectors");
    assert_eq!((word(msix + 4, 4), word(msix + 8, 4)), (5, 0x1005), "table and pending bits");
    let express = find(&space, EXPRESS);
    assert_eq!(word(express + 2, 2), 2, "an endpoint, version 2");
    assert_eq!(word(express + 4, 4) & 1 << 28, 1 << 28, "function level reset");
    assert_eq!(word(find(&space, PM) + 2, 2) >> 9, 0b010_0101, "D1; events from D0 and D3hot");
    assert_eq!(find(&space, MSI), 0xd0, "where it was put");
    let vendor = find(&space, VENDOR);
    assert_eq!((word(vendor + 2, 1), &space[vendor + 3..vendor + 8]), (8, &b"a zoo"[..]));
    assert_eq!((word(0xf0, 1), &space[0xf2..0xfd]), (9, &b"\x0dmore of it"[..]));
    assert_eq!(word(find(&space, CUSTOM) + 2, 2), 0x3412);
    assert_eq!(word(find(&space, SUBSYSTEM) + 4, 4), 0x1100_1b36);
    let size = |id: &u8, at: usize| match *id {
        PM | VPD | SUBSYSTEM => 8,
        VENDOR => space[at + 2].into(),
        CUSTOM => 4,
        MSI => 24,
        MSIX => 12,
        _ => 60,
    };
    let mut taken: Vec<_> =
        capabilities(&space).iter().map(|(id, at)| *at..at + size(id, *at)).collect();
    taken.sort_unstable_by_key(|range| range.start);
    assert!(taken.windows(2).all(|pair| pair[0].end <= pair[1].start), "{taken:?}");
    assert!(taken.last().unwrap().end <= 256);
}

#[test]
fn the_extended_list_ends_and_says_what_was_declared() {
    let (_running, mut client, _kit) = serve::zoo();
    let space = whole(&mut client);
    let expected = [(SERIAL, 0x100), (VSEC, 0x10c), (LTR, 0x11c), (EXTENDED, 0x124), (AER, 0x12c)];
    assert_eq!(extended_capabilities(&space)[..5], expected);
    assert_eq!(extended_capabilities(&space)[5..], [(DVSEC, 0x180)]);
    let word = |at: usize, len: usize| number(&space[at..at + len]);
    assert_eq!(word(0x104, 8), zoo::Zoo::SERIAL);
    assert_eq!((word(0x110, 4), word(0x114, 8)), (0x0101_0200, 0x5a5a_5a5a_5a5a_5a5a), "VSEC");
    assert_eq!((word(0x126, 1) & 0xf, word(0x128, 4)), (3, 0x0403_0201), "version and bytes");
    assert_eq!((word(0x184, 4), word(0x188, 2)), (0x0112_1b36, 7), "DVSEC");
    assert_eq!(&space[0x18a..0x191], b"strange");
}

#[test]
fn every_size_at_every_offset_reads_like_the_whole() {
    let (_running, mut client, _kit) = serve::zoo();
    put(&mut client, 0x04, 4, 0x547);
    put(&mut client, 0x10, 8, 0x1234_5678_9abc_def0);
    let space = whole(&mut client);
    for size in 1..=8u32 {
        for offset in 0..=0x1a0 - size as usize {
            let part = &space[offset..offset + size as usize];
            assert_eq!(client.read(CONFIG, offset as u64, size), part, "{offset:#x}+{size}");
        }
    }
    for offset in (0x1a0..SIZE - 64).step_by(64) {
        assert_eq!(client.read(CONFIG, offset as u64, 64), space[offset..offset + 64]);
    }
}

#[test]
fn accesses_past_the_end_are_refused() {
    let (_running, mut client, _kit) = serve::zoo();
    for (offset, len) in [(4096, 1), (4095, 2), (4089, 8), (0, 4097), (1, 4096), (u64::MAX, 1)] {
        assert_eq!(client.try_read(CONFIG, offset, len), Err(errno::EINVAL));
        let data = vec![0xff; len as usize];
        assert_eq!(client.try_write(CONFIG, offset, &data), Err(errno::EINVAL));
    }
    assert_eq!(client.read(CONFIG, 4095, 1), [0]);
    assert_eq!(get(&mut client, 4, 2), 0, "nothing was written");
}

#[test]
fn ones_and_zeros_everywhere_change_what_they_may() {
    let (_running, mut client, _kit) = serve::zoo();
    let mut model = model(&whole(&mut client));
    for value in [0xff, 0x00, 0x55, 0xaa] {
        for size in 1..=8usize {
            for offset in 0..=0x1a0 - size {
                client.posted_write(CONFIG, offset as u64, &vec![value; size]);
                model.write(offset, &vec![value; size]);
            }
            assert_eq!(whole(&mut client), model.bytes, "{value:#x}, {size} bytes");
        }
    }
    client.write(CONFIG, 0, &[0xff; SIZE]);
    model.write(0, &[0xff; SIZE]);
    assert_eq!(whole(&mut client), model.bytes, "all at once");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn any_writes_change_exactly_what_the_masks_say(
        writes in proptest::collection::vec(
            (0usize..0x1a0, proptest::collection::vec(any::<u8>(), 1..9)),
            1..50,
        ),
    ) {
        let (_running, mut client, _kit) = serve::zoo();
        let initial = whole(&mut client);
        let mut model = model(&initial);
        for (offset, data) in writes {
            client.write(CONFIG, offset as u64, &data);
            model.write(offset, &data);
            prop_assert_eq!(whole(&mut client), &model.bytes[..], "{:#x} {:x?}", offset, data);
        }
        client.request(command::RESET, &[], &[]).ok();
        model.reset(Reset::Device);
        prop_assert_eq!(whole(&mut client), model.bytes, "after a reset");
    }
}

/// Bases and masks of all BARs: write ones, read back, restore.
const BARS: [(usize, u64, u64); 5] = [
    (0x10, 0x0f, 0x1000),
    (0x14, 0x03, 0x100),
    (0x18, 0x0f, 0x2_0000_0000),
    (0x20, 0x0f, 0x100),
    (0x24, 0x0f, 0x2000),
];

#[test]
fn linux_sizes_the_bars() {
    let (_running, mut client, _kit) = serve::zoo();
    put(&mut client, 4, 2, 0x107);
    for (at, flags, size) in BARS {
        put(&mut client, 4, 2, 0x104);
        let old = get(&mut client, at, 4);
        put(&mut client, at, 4, 0xffff_ffff);
        let mut mask = get(&mut client, at, 4) & !flags;
        put(&mut client, at, 4, old);
        if old & 0b111 == 0b100 {
            let old = get(&mut client, at + 4, 4);
            put(&mut client, at + 4, 4, 0xffff_ffff);
            mask |= get(&mut client, at + 4, 4) << 32;
            put(&mut client, at + 4, 4, old);
        } else {
            mask |= 0xffff_ffff << 32;
        }
        put(&mut client, 4, 2, 0x107);
        assert_eq!(mask.wrapping_neg(), size, "BAR at {at:#x}");
        assert_eq!(get(&mut client, at, 4), old, "restored");
    }
    let old = get(&mut client, 0x30, 4);
    put(&mut client, 0x30, 4, 0xffff_f800);
    let mask = get(&mut client, 0x30, 4) & 0xffff_f800;
    put(&mut client, 0x30, 4, old);
    let size = zoo::ROM.len().next_power_of_two().max(2048) as u64;
    assert_eq!((mask | 0xffff_ffff << 32).wrapping_neg(), size, "ROM");
}

#[test]
fn seabios_sizes_the_bars_and_assigns_addresses() {
    let (_running, mut client, _kit) = serve::zoo();
    for at in (0x10..0x28).step_by(4) {
        let old = get(&mut client, at, 4);
        put(&mut client, at, 4, 0xffff_ffff);
        put(&mut client, at, 4, old);
        assert_eq!(get(&mut client, at, 4), old);
    }
    let addresses = [
        (0x10, 0xfebf_1000, 0xfebf_1000),
        (0x14, 0xc100, 0xc101),
        (0x18, 0x0000_0000, 0x0000_000c),
        (0x1c, 0x0000_0048, 0x0000_0048),
        (0x20, 0xfebf_2f00, 0xfebf_2f00),
        (0x24, 0xfebf_4000, 0xfebf_4000),
        (0x30, 0xfeb0_0001, 0xfeb0_0001),
    ];
    for (at, address, reads) in addresses {
        put(&mut client, at, 4, address);
        assert_eq!(get(&mut client, at, 4), reads, "{at:#x}");
    }
    put(&mut client, 0x3c, 1, 11);
    put(&mut client, 4, 2, 0x103);
    put(&mut client, 4, 2, 0x107);
    assert_eq!((get(&mut client, 0x3c, 1), get(&mut client, 4, 2)), (11, 0x107));
}

#[test]
fn cloud_hypervisor_sizes_the_bars_and_restores_nothing() {
    let (_running, mut client, _kit) = serve::zoo();
    for at in (0x10..0x28).step_by(4).chain([0x30]) {
        put(&mut client, at, 4, 0xffff_ffff);
    }
    let masks: Vec<_> = (0x10..0x28).step_by(4).map(|at| get(&mut client, at, 4)).collect();
    let expected = [0xffff_f000, 0xffff_ff01, 0x0000_000c, 0xffff_fffe, 0xffff_ff00, 0xffff_e000];
    assert_eq!(masks, expected);
    assert_eq!(get(&mut client, 0x30, 4), 0xffff_f801);
    assert_eq!(client.read(0, 0x94, 4), b"virt", "registers work wherever the BAR is");
}

#[test]
fn command_bits_are_kept_and_status_bits_survive() {
    let (_running, mut client, _kit) = serve::zoo();
    put(&mut client, 4, 2, 0xffff);
    assert_eq!(get(&mut client, 4, 2), 0x0547);
    // The interrupt disable test of Linux, and the restore of its saved state behind a reset.
    put(&mut client, 4, 2, 0x0003);
    put(&mut client, 4, 2, 0x0403);
    assert_eq!(get(&mut client, 4, 2), 0x0403);
    put(&mut client, 4, 4, 0x0010_0103);
    assert_eq!(get(&mut client, 4, 4), 0x0010_0103, "the capability bit is not harmed");
    put(&mut client, 6, 2, 0xffff);
    assert_eq!(get(&mut client, 6, 2), 0x0010);
    put(&mut client, 5, 1, 0xff);
    assert_eq!(get(&mut client, 4, 2), 0x0503, "a byte is a byte");
}

#[test]
fn qemu_writes_in_the_middle_of_the_msix_capability() {
    let (_running, mut client, _kit) = serve::zoo();
    let space = whole(&mut client);
    let msix = find(&space, MSIX);
    for (written, reads) in [(0xc0ff, 0xc0ff), (0x80ff, 0x80ff), (0x3fff, 0x00ff), (0xc000, 0xc0ff)]
    {
        put(&mut client, msix + 2, 2, written);
        assert_eq!(get(&mut client, msix + 2, 2), reads);
    }
    put(&mut client, msix + 3, 1, 0x80);
    put(&mut client, msix + 2, 1, 0xff);
    assert_eq!(get(&mut client, msix + 2, 2), 0x80ff);
    let after = whole(&mut client);
    assert_eq!(after[..msix + 2], space[..msix + 2]);
    assert_eq!(after[msix + 4..], space[msix + 4..]);
}

/// Windows writes identification registers and capability headers when it enumerates.
#[test]
fn a_burst_of_writes_to_read_only_registers_is_ignored() {
    let (_running, mut client, _kit) = serve::zoo();
    let space = whole(&mut client);
    let model = model(&space);
    for _ in 0..3 {
        for at in (0..SIZE).filter(|at| model.is_read_only(*at)) {
            assert_eq!(client.try_write(CONFIG, at as u64, &[0xff]), Ok(()));
        }
    }
    for (at, width) in [(0x00, 4), (0x08, 4), (0x0e, 1), (0x28, 4), (0x2c, 4), (0x34, 4), (0x38, 4)]
    {
        assert_eq!(client.try_write(CONFIG, at, &vec![0; width]), Ok(()));
    }
    assert_eq!(whole(&mut client), space);
}

#[test]
fn configuration_survives_a_reconnect_and_not_a_reset() {
    let (running, _kit) = serve::zoo_at_path();
    let mut client = running.client();
    let initial = whole(&mut client);
    put(&mut client, 0x04, 2, 0x107);
    put(&mut client, 0x10, 4, 0xfebf_0000);
    put(&mut client, 0x3c, 1, 11);
    let space = whole(&mut client);
    drop(client);
    let mut client = running.client();
    assert_eq!(whole(&mut client), space);
    client.request(command::RESET, &[], &[]).ok();
    assert_eq!(whole(&mut client), initial);
}

/// A guest may access all that an Express function has, and some VMMs read it.
#[test]
fn behind_a_conventional_configuration_space_there_are_ones() {
    let (_running, mut client) = serve::over_pair(Puppet::factory(|_| {}));
    client.negotiate();
    let ids = client.read(CONFIG, 0, 4);
    for (offset, len) in [(256, 4), (0x100, 256), (4092, 4), (256, 3840), (1000, 1), (4096, 0)] {
        assert_eq!(client.read(CONFIG, offset, len), vec![0xff; len as usize]);
        client.write(CONFIG, offset, &vec![0; len as usize]);
        assert_eq!(client.read(CONFIG, offset, len), vec![0xff; len as usize]);
    }
    let across = client.read(CONFIG, 0, 4096);
    assert_eq!((&across[..4], across[256], across[4095]), (&ids[..], 0xff, 0xff));
    client.write(CONFIG, 0x3c, &vec![0x5a; 0x3c4]);
    assert_eq!(client.read(CONFIG, 0x3c, 1), [0x5a], "the part that is there");
    let multi: &[(u32, u64, &[u8])] = &[(CONFIG, 0x800, &[1; 8]), (CONFIG, 0x3c, &[7])];
    let answer = client.request(command::REGION_WRITE_MULTI, &wire::write_multi(multi), &[]).ok();
    assert_eq!((number(&answer), client.read(CONFIG, 0x3c, 1)), (2, vec![7]));
    for (offset, len) in [(4093, 4), (4096, 1), (256, 4096), (u64::MAX, 1)] {
        let read = wire::access(CONFIG, offset, len);
        client.request(command::REGION_READ, &read, &[]).fails_with(errno::EINVAL);
    }
}
