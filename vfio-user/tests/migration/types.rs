//! Private fields of many types: what is saved is what loads.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::num::NonZeroU16;
use std::ops::Range;
use std::time::Duration;

use proptest::prelude::*;
use vfio_user::serde::{Deserialize, Serialize};

use super::*;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(crate = "vfio_user::serde")]
enum Step {
    #[default]
    Idle,
    Wait(u32),
    Copy(u64, [u8; 3]),
    Send {
        to: (u8, Ipv4Addr),
        parts: Vec<(u16, Option<char>)>,
    },
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(crate = "vfio_user::serde")]
struct Wrapped([(i8, bool); 2]);

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(crate = "vfio_user::serde")]
struct Empty {}

#[derive(Clone, Debug, Default, PartialEq, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe, name = "types")]
#[bar(0: mem32, size = 0x1000)]
struct Types {
    #[reg(0x00, wide(commit = last))]
    halves: [u64; 4],
    pairs: [(u8, u8); 4],
    matrix: [[u16; 3]; 2],
    #[migrate(max_len = 8)]
    macs: Vec<[u8; 6]>,
    #[migrate(max_len = 8)]
    hosts: Vec<Ipv4Addr>,
    peer: Option<(IpAddr, Option<SocketAddrV4>)>,
    #[migrate(max_len = 8)]
    steps: VecDeque<Step>,
    #[migrate(max_len = (8, 256))]
    table: BTreeMap<(u8, i64), Vec<Option<[bool; 2]>>>,
    #[migrate(max_len = (8, 512))]
    names: BTreeSet<String>,
    wrapped: Wrapped,
    port: Option<NonZeroU16>,
    range: Range<u64>,
    time: (Duration, f32, f64, i128),
    nothing: ((), Empty, [(); 3]),
}

impl Device for Types {
    type Event = ();
}

fn steps() -> impl Strategy<Value = Step> {
    let parts = proptest::collection::vec(any::<(u16, Option<char>)>(), 0..4);
    prop_oneof![
        Just(Step::Idle),
        any::<u32>().prop_map(Step::Wait),
        any::<(u64, [u8; 3])>().prop_map(|(at, bytes)| Step::Copy(at, bytes)),
        (any::<(u8, Ipv4Addr)>(), parts).prop_map(|(to, parts)| Step::Send { to, parts }),
    ]
}

fn devices() -> impl Strategy<Value = Types> {
    use proptest::collection::{btree_map, btree_set, vec};
    let lists = (
        vec(any::<[u8; 6]>(), 0..8),
        vec(any::<Ipv4Addr>(), 0..8),
        vec(steps(), 0..8),
        btree_map(any::<(u8, i64)>(), any::<Vec<Option<[bool; 2]>>>(), 0..8),
        btree_set(any::<String>(), 0..8),
    );
    let plain = (
        any::<[(u8, u8); 4]>(),
        any::<[[u16; 3]; 2]>(),
        any::<Option<(IpAddr, Option<SocketAddrV4>)>>(),
        any::<[(i8, bool); 2]>(),
        any::<Option<NonZeroU16>>(),
        any::<Range<u64>>(),
        any::<(Duration, f32, f64, i128)>(),
    );
    (lists, plain).prop_map(
        |(
            (macs, hosts, steps, table, names),
            (pairs, matrix, peer, wrapped, port, range, time),
        )| {
            let (steps, wrapped) = (steps.into(), Wrapped(wrapped));
            Types {
                pairs,
                matrix,
                macs,
                hosts,
                peer,
                steps,
                table,
                names,
                wrapped,
                port,
                range,
                time,
                ..Types::default()
            }
        },
    )
}

proptest! {
    #[test]
    fn every_device_becomes_another(device in devices(), writes: [Option<u32>; 8]) {
        let mut source = Bench::new(device.clone()).unwrap();
        for (place, value) in (0..).zip(writes) {
            if let Some(value) = value {
                source.write(0, place * 4, value);
            }
        }
        let mut target = Bench::new(Types::default()).unwrap();
        let stream = source.save();
        prop_assert_eq!(target.load(&stream).map_err(|error| error.to_string()), Ok(()));
        prop_assert_eq!(target.device(), source.device());
        prop_assert_eq!(target.save(), stream);
    }
}
