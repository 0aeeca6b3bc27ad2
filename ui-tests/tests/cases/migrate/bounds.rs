#![allow(unused_imports)]
use vfio_user::{Cx, Device, PciDevice, Register, RegisterBlock, Virtual};


use std::collections::{BTreeMap, LinkedList};

#[derive(PciDevice)]
#[pci(vendor = 1, device = 2)]
struct Card {
    list: LinkedList<u8>,
    boxed: Box<[u8]>,
    text: Box<str>,
    option: Option<Vec<u8>>,
    tuple: (u8, Vec<u16>),
    array: [Vec<u8>; 4],
    deep: BTreeMap<String, Vec<u8>>,
    #[migrate(max_len = 4)]
    too_few: Vec<Vec<u8>>,
    #[migrate(max_len = (4, 4))]
    too_many: Vec<u8>,
    #[migrate(max_len = 4)]
    number: u32,
    #[migrate(max_len = 4)]
    numbers: Option<[u8; 4]>,
    #[migrate(max_len = 4)]
    hidden: Wrapped<Vec<u8>>,
    path: std::path::PathBuf,
    width: Option<(u8, usize)>,
    handle: Vec<std::sync::Arc<u8>>,
    long: Option<[u8; 64]>,
}

struct Wrapped<T>(T);

impl Device for Card {
    type Event = ();
}

fn main() {}
