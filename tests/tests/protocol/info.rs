//! What a client learns: the device, its regions, its interrupts.

use std::fs::File;
use std::os::unix::fs::FileExt;

use vfio_user_tests::ram::Ram;
use vfio_user_tests::raw::{Answer, RawClient};
use vfio_user_tests::wire::{self, command, errno, irq};
use vfio_user_tests::{serve, zoo};

const READ_WRITE: u32 = 3;
const MMAP: u32 = 4;
const CAPS: u32 = 8;

fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}

fn info(client: &mut RawClient, argsz: u32, index: u32) -> Answer {
    client.request(command::GET_REGION_INFO, &wire::region_info(argsz, index), &[])
}

#[test]
fn the_device_is_described_to_any_client_with_room_for_it() {
    let (_running, mut client, _kit) = serve::zoo();
    for argsz in [16, 17, 32, u32::MAX] {
        let reply = client.request(command::GET_INFO, &wire::words(&[argsz, 0, 0, 0]), &[]);
        assert_eq!(reply.ok(), wire::words(&[16, 3, 9, 5]), "PCI, reset, 9 regions, 5 interrupts");
    }
    for argsz in [0, 1, 15] {
        let request = wire::words(&[argsz, 0, 0, 0]);
        client.request(command::GET_INFO, &request, &[]).fails_with(errno::EINVAL);
    }
    let reserved = wire::words(&[16, 0xffff_ffff, 7, 9]);
    assert_eq!(client.request(command::GET_INFO, &reserved, &[]).ok()[4], 3);
}

#[test]
fn all_nine_regions_are_described() {
    let (_running, mut client, _kit) = serve::zoo();
    let rom = zoo::ROM.len().next_power_of_two().max(2048) as u64;
    let expected = [
        (READ_WRITE, 0x1000),
        (READ_WRITE, 0x100),
        (READ_WRITE, 0x2_0000_0000),
        (0, 0),
        (READ_WRITE, 0x100),
        (READ_WRITE, 0x2000),
        (1, rom),
        (READ_WRITE, 4096),
        (0, 0),
    ];
    for (index, (flags, size)) in (0..).zip(expected) {
        for argsz in [32, 33, 4096] {
            let mut answer = info(&mut client, argsz, index);
            assert!(answer.fds.is_empty());
            let reply = std::mem::take(&mut answer.payload);
            assert_eq!(reply[..16], wire::words(&[32, flags, index, 0]), "region {index}");
            assert_eq!((wire::u64_at(&reply, 16), wire::u64_at(&reply, 24)), (size, 0));
            assert_eq!(reply.len(), 32);
        }
    }
}

#[test]
fn regions_that_do_not_exist_and_rooms_that_are_too_small_are_refused() {
    let (_running, mut client, _kit) = serve::zoo();
    for index in [9, 10, 0x7fff_ffff, u32::MAX] {
        info(&mut client, 32, index).fails_with(errno::EINVAL);
    }
    for argsz in [0, 31] {
        info(&mut client, argsz, 0).fails_with(errno::EINVAL);
    }
}

/// The vectors of the protocol's description, section 19.
#[test]
fn a_mappable_region_is_described_in_two_steps() {
    let ram = Ram::new();
    let file = ram.file();
    let (_running, client) = serve::function(ram);
    client.send(
        &hex("04 00 05 00 30 00 00 00 00 00 00 00 00 00 00 00 | 20 00 00 00 00 00 00 00 \
              00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"),
        &[],
    );
    let first = client.answer_to(4, command::GET_REGION_INFO);
    assert!(first.fds.is_empty(), "no descriptor with half a reply");
    assert_eq!(
        first.ok(),
        hex("40 00 00 00 07 00 00 00 00 00 00 00 00 00 00 00 \
             00 40 00 00 00 00 00 00 00 00 00 00 00 00 00 00")
    );
    let payload = wire::region_info(64, 0);
    client.send(&wire::message(5, command::GET_REGION_INFO, 0, &payload), &[]);
    let mut second = client.answer_to(5, command::GET_REGION_INFO);
    let fds = std::mem::take(&mut second.fds);
    assert_eq!(
        second.ok(),
        hex("40 00 00 00 0f 00 00 00 00 00 00 00 20 00 00 00 \
             00 40 00 00 00 00 00 00 00 00 00 00 00 00 00 00 \
             01 00 01 00 00 00 00 00 01 00 00 00 00 00 00 00 \
             00 10 00 00 00 00 00 00 00 10 00 00 00 00 00 00")
    );
    let [fd] = <[_; 1]>::try_from(fds).expect("one descriptor");
    file.write_all_at(b"shared", 0x1000).unwrap();
    let mut bytes = [0; 6];
    File::from(fd).read_exact_at(&mut bytes, 0x1000).unwrap();
    assert_eq!(&bytes, b"shared");
}

#[test]
fn every_argument_size_below_the_need_gets_the_fixed_part_alone() {
    let (_running, mut client) = serve::function(Ram::new());
    for argsz in 32..80 {
        let answer = info(&mut client, argsz, 3);
        assert_eq!(answer.payload[..12], wire::words(&[80, READ_WRITE | MMAP, 3]));
        assert_eq!((answer.payload.len(), answer.fds.len()), (32, 0), "argsz {argsz}");
        assert_eq!(wire::u32_at(&answer.payload, 12), 0, "no capability");
    }
    for argsz in [80, 81, 4064] {
        let answer = info(&mut client, argsz, 3);
        assert_eq!(answer.payload[..16], wire::words(&[80, READ_WRITE | MMAP | CAPS, 3, 32]));
        assert_eq!((answer.payload.len(), answer.fds.len()), (80, 1));
        let areas: Vec<_> =
            (48..80).step_by(8).map(|at| wire::u64_at(&answer.payload, at)).collect();
        assert_eq!(areas, [0, 0x2000, 0x8000, 0x4000]);
        assert_eq!(wire::u64_at(&answer.payload, 24), 0x1_0000, "where the region starts");
    }
}

#[test]
fn a_region_that_is_mappable_as_a_whole_says_so_in_an_area() {
    let (_running, mut client) = serve::function(Ram::new());
    let answer = info(&mut client, 4064, 2);
    assert_eq!(answer.payload[..16], wire::words(&[64, READ_WRITE | MMAP | CAPS, 2, 32]));
    assert_eq!(wire::u64_at(&answer.payload, 24), 0x1000);
    let area = (wire::u64_at(&answer.payload, 48), wire::u64_at(&answer.payload, 56));
    assert_eq!((area, answer.fds.len()), ((0, 0x2000), 1));
}

#[test]
fn a_descriptor_does_not_disturb_the_replies_around_it() {
    let (_running, client) = serve::function(Ram::new());
    let device = wire::message(1, command::GET_INFO, 0, &wire::words(&[16, 0, 0, 0]));
    let region = wire::message(2, command::GET_REGION_INFO, 0, &wire::region_info(64, 0));
    client.send(&[&device[..], &region, &device, &region, &region, &device].concat(), &[]);
    for (id, fds) in [(1, 0), (2, 1), (1, 0), (2, 1), (2, 1), (1, 0)] {
        let answer = client.receive();
        assert_eq!((answer.id, answer.fds.len()), (id, fds));
    }
}

#[test]
fn regions_are_read_and_written_only_as_they_allow() {
    let (_running, mut client) = serve::function(Ram::new());
    assert_eq!(client.try_write(4, 0, &[1]), Err(errno::EINVAL), "read-only");
    assert_eq!(client.try_read(4, 0, 4), Ok(vec![0; 4]));
    assert_eq!(client.try_read(5, 0, 1), Err(errno::EINVAL), "write-only");
    assert_eq!(client.try_write(5, 0, &[1]), Ok(()));
    for region in [6, 8] {
        assert_eq!(client.try_read(region, 0, 1), Err(errno::EINVAL), "absent");
        assert_eq!(client.try_write(region, 0, &[1]), Err(errno::EINVAL), "absent");
    }
}

#[test]
fn accesses_reach_to_the_end_of_a_region_and_not_beyond() {
    let (_running, mut client, _kit) = serve::zoo();
    let sizes = [(0, 0x1000), (1, 0x100), (2, 0x2_0000_0000), (5, 0x2000), (7, 4096)];
    for (region, size) in sizes {
        assert!(client.try_read(region, size - 1, 1).is_ok(), "region {region}");
        assert!(client.try_read(region, size - 8, 8).is_ok(), "region {region}");
        for (offset, count) in [
            (size, 1),
            (size - 1, 2),
            (size - 7, 8),
            (u64::MAX, 1),
            (u64::MAX - 3, 4),
            (u64::MAX, u32::MAX),
            (0, u32::MAX),
        ] {
            assert_eq!(client.try_read(region, offset, count), Err(errno::EINVAL));
        }
        assert_eq!(client.try_write(region, size - 1, &[0; 2]), Err(errno::EINVAL));
        assert_eq!(client.try_write(region, u64::MAX, &[0]), Err(errno::EINVAL));
        assert_eq!(client.try_read(region, size, 0), Ok(vec![]), "nothing, at the end");
        assert_eq!(client.try_write(region, 0, &[]), Ok(()), "nothing");
    }
    for region in [3, 8, 9, 10, u32::MAX] {
        assert_eq!(client.try_read(region, 0, 1), Err(errno::EINVAL), "region {region}");
    }
}

#[test]
fn the_rom_is_its_image_and_then_ones() {
    let (_running, mut client, _kit) = serve::zoo();
    let rom = client.read(6, 0, 2048);
    assert_eq!(&rom[..zoo::ROM.len()], zoo::ROM);
    assert!(rom[zoo::ROM.len()..].iter().all(|byte| *byte == 0xff));
    assert_eq!(client.try_write(6, 0, &[0]), Err(errno::EINVAL));
}

#[test]
fn all_interrupts_are_described() {
    let (_running, mut client, _kit) = serve::zoo();
    for (index, flags, count) in [
        (irq::INTX, 7, 1),
        (irq::MSI, 9, 8),
        (irq::MSIX, 1, 256),
        (irq::ERR, 1, 1),
        (irq::REQ, 1, 1),
    ] {
        for argsz in [16, 32] {
            let asked = wire::words(&[argsz, 0, index, 0]);
            let info = client.request(command::GET_IRQ_INFO, &asked, &[]).ok();
            assert_eq!(info, wire::words(&[16, flags, index, count]), "index {index}");
        }
    }
    for (argsz, index) in [(16, 5), (16, u32::MAX), (15, 0), (0, 0)] {
        let asked = wire::words(&[argsz, 0, index, 0]);
        client.request(command::GET_IRQ_INFO, &asked, &[]).fails_with(errno::EINVAL);
    }
}

#[test]
fn interrupts_that_a_function_lacks_have_no_vectors() {
    let (_running, mut client) = serve::function(Ram::new());
    let asked = wire::words(&[16, 0, irq::MSI, 0]);
    let info = client.request(command::GET_IRQ_INFO, &asked, &[]).ok();
    assert_eq!(wire::u32_at(&info, 12), 0);
    let asked = hex("16 00 07 00 20 00 00 00 00 00 00 00 00 00 00 00 | \
                     10 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00");
    client.send(&asked, &[]);
    let info = client.answer_to(0x16, command::GET_IRQ_INFO).ok();
    assert_eq!(wire::words(&[16, 1, 2, 8]), info);
}
