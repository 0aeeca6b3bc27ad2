use std::collections::*;
use vfio_user::{Device, PciDevice};
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Job(u32);
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[bar(0: mem32, size = 0x1000)]
struct Card {
    #[reg(0x00)]
    table: u32,
    a: Job,
    #[migrate(max_len = 4)]
    b: Vec<Job>,
    c: Option<Job>,
    d: [Job; 4],
    e: (u8, Job),
    #[migrate(max_len = 4)]
    f: BTreeMap<u8, Job>,
    #[migrate(max_len = 4)]
    g: Option<Vec<Job>>,
    h: [Option<Job>; 3],
    i: Box<Job>,
    #[migrate(max_len = (4, 4))]
    j: Vec<Vec<Job>>,
    #[migrate(max_len = 4)]
    k: VecDeque<Job>,
    l: [[Job; 2]; 2],
    #[migrate(max_len = 4)]
    m: HashMap<Job, u8>,
}
impl Device for Card { type Event = (); }
fn main() {}
