//! Where drivers find the structures of the transport.

use vfio_user::Bench;
use vfio_user::protocol::RegionIndex;
use vfio_user_virtio::VirtioPci;

use crate::echo::Echo;

/// The vendor capabilities: type, place, BAR, offset and length.
fn capabilities(bench: &mut Bench<VirtioPci<Echo>>) -> Vec<(u8, u64, u8, u32, u32)> {
    let mut at = u64::from(bench.read_config::<u8>(0x34));
    let mut found = Vec::new();
    while at != 0 {
        if bench.read_config::<u8>(at) == 0x09 {
            found.push((
                bench.read_config(at + 3),
                at,
                bench.read_config(at + 4),
                bench.read_config(at + 8),
                bench.read_config(at + 12),
            ));
        }
        at = bench.read_config::<u8>(at + 1).into();
    }
    found
}

#[test]
fn all_five_are_in_the_list() {
    let mut bench = Bench::new(VirtioPci::new(Echo::default())).unwrap();
    let mut found = capabilities(&mut bench);
    found.sort_unstable();
    let kinds: Vec<_> =
        found.iter().map(|(kind, _, bar, offset, _)| (*kind, *bar, *offset)).collect();
    assert_eq!(kinds, [(1, 0, 0), (2, 0, 0x3000), (3, 0, 0x1000), (4, 0, 0x2000), (5, 0, 0)]);
    assert!(found.iter().all(|(kind, .., len)| *kind == 5 || *len > 0));
    let notify = found[1].1;
    assert_eq!(bench.read_config::<u32>(notify + 16), 4);
    assert_eq!(bench.read_config::<u8>(notify + 2), 20);
    assert_eq!(bench.read_config::<u32>(0), 0x1043_1af4);
    assert_eq!(bench.read_config::<u8>(8), 1, "revision");
    assert_eq!(bench.read_config::<u32>(0x2c), 0x1043_1af4);
}

#[test]
fn notifications_to_a_polling_device_go_to_a_page() {
    let mut bench = Bench::new(VirtioPci::polling(Echo::default())).unwrap();
    let found = capabilities(&mut bench);
    let notify = found.iter().find(|(kind, ..)| *kind == 2).unwrap();
    assert_eq!((notify.2, notify.3), (2, 0));
}

/// Firmware reaches structures that it has not mapped.
#[test]
fn configuration_space_reaches_all_of_them() {
    let mut bench = Bench::new(VirtioPci::new(Echo::default())).unwrap();
    let at = capabilities(&mut bench).iter().find(|(kind, ..)| *kind == 5).unwrap().1;
    let turn = |bench: &mut Bench<VirtioPci<Echo>>, offset: u32, length: u32| {
        bench.write_config(at + 4, 0_u8);
        bench.write_config(at + 8, offset);
        bench.write_config(at + 12, length);
    };
    turn(&mut bench, 0x14, 1);
    bench.write_config(at + 16, 0x03_u8);
    assert_eq!(bench.read::<u8>(0, 0x14), 0x03);
    turn(&mut bench, 0x2004, 4);
    bench.write_config(at + 16, 0x1234_5678_u32);
    assert_eq!(bench.read::<u32>(0, 0x2004), 0x1234_5678);
    assert_eq!(bench.read_config::<u32>(at + 16), 0x1234_5678);
}

#[test]
fn configuration_ends_where_the_device_says() {
    let mut bench = Bench::new(VirtioPci::new(Echo::default())).unwrap();
    bench.write(0, 0x2006, 0xffff_ffff_u32);
    assert_eq!(bench.read::<u64>(0, 0x2004), 0xffff_0000);
    assert_eq!(bench.read::<u32>(0, 0x2ffc), 0);
    let mut all = [1; 0x1000];
    bench.try_read(RegionIndex::Bar0, 0x2000, &mut all).unwrap();
    assert_eq!(all[6..10], [0xff, 0xff, 0, 0]);
}
