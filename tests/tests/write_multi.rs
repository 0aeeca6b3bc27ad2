//! Several writes in one message.

use vfio_user_tests::ram::Ram;
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::serve;
use vfio_user_tests::wire::{self, command, errno};

fn send(client: &mut RawClient, writes: &[(u32, u64, &[u8])]) -> Result<u64, u32> {
    let payload = wire::write_multi(writes);
    let answer = client.request(command::REGION_WRITE_MULTI, &payload, &[]);
    match answer.errno() {
        Some(errno) => Err(errno),
        None => Ok(wire::number(&answer.ok())),
    }
}

#[test]
fn all_of_them_are_done_in_order() {
    let (_running, mut client) = serve::function(Ram::new());
    let writes: &[(u32, u64, &[u8])] = &[
        (1, 0x100, &[1; 8]),
        (1, 0x104, &[2; 4]),
        (1, 0x104, &[3]),
        (0, 0x1000, &[4; 2]),
        (1, 0x200, &[]),
        (5, 8, &[5; 8]),
    ];
    assert_eq!(send(&mut client, writes), Ok(6));
    assert_eq!(client.read(1, 0x100, 9), [1, 1, 1, 1, 3, 2, 2, 2, 0]);
    assert_eq!(client.read(0, 0x1000, 3), [4, 4, 0]);
    assert_eq!(send(&mut client, &[]), Ok(0));
}

/// QEMU sends up to 200 at once, and wants no reply.
#[test]
fn posted_ones_are_done_before_what_comes_next() {
    let (_running, mut client) = serve::function(Ram::new());
    let bytes: Vec<[u8; 8]> = (0..200).map(|number| [number; 8]).collect();
    let offsets = (0..).step_by(8);
    let writes: Vec<_> = offsets.zip(&bytes).map(|(offset, data)| (1, offset, &data[..])).collect();
    for _ in 0..10 {
        client.post(command::REGION_WRITE_MULTI, &wire::write_multi(&writes), &[]);
        assert_eq!(client.read(1, 0, 1600), bytes.concat());
        client.write(1, 0, &[0; 1600]);
    }
    client.post(command::REGION_WRITE_MULTI, &wire::write_multi(&[(4, 0, &[1])]), &[]);
    client.sync();
}

/// A read-only region, one that does not exist, no region, a place behind the end.
#[test]
fn the_first_that_is_not_allowed_is_the_last() {
    let (_running, mut client) = serve::function(Ram::new());
    for (region, offset) in [(4, 0), (6, 0), (9, 0), (u32::MAX, 0), (5, 12), (1, u64::MAX)] {
        let wrong: (u32, u64, &[u8]) = (region, offset, &[9; 8]);
        let right: (u32, u64, &[u8]) = (1, 0, &[7; 8]);
        assert_eq!(send(&mut client, &[wrong, right]), Err(errno::EINVAL), "region {region}");
        assert_eq!(client.number(1, 0, 8), 0);
        assert_eq!(send(&mut client, &[right, wrong, (1, 8, &[9; 8])]), Ok(1), "region {region}");
        assert_eq!(client.read(1, 0, 16), [[7; 8], [0; 8]].concat());
        client.write(1, 0, &[0; 8]);
    }
}

#[test]
fn counts_that_do_not_fit_are_refused() {
    let (_running, mut client) = serve::function(Ram::new());
    let mut request = |payload: &[u8]| {
        client.request(command::REGION_WRITE_MULTI, payload, &[]).fails_with(errno::EINVAL);
    };
    let whole = wire::write_multi(&[(1, 0, &[1; 8]), (1, 8, &[1; 8])]);
    for len in 0..whole.len() {
        request(&whole[..len]);
    }
    request(&[&whole[..], &[0]].concat());
    for count in [0, 1, 3, u64::MAX, u64::MAX / 24 + 1, 1 << 63] {
        request(&[&count.to_le_bytes(), &whole[8..]].concat());
    }
    // An entry has room for 8 bytes.
    for count in [9u32, 24, u32::MAX] {
        let mut large = wire::write_multi(&[(1, 0, &[1; 8])]);
        large[20..24].copy_from_slice(&count.to_le_bytes());
        request(&large);
    }
    assert_eq!(client.number(1, 0, 8), 0, "nothing has been written");
}
