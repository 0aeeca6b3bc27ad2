//! A foreign driver that polls drives the NVMe controller, over a socket.

mod migration;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use vfio_user_tests::nvme::{
    Command, Controller, Direction, Memory, PAGE, Pattern, SglDescriptor, Transfer, Workload,
};
use vfio_user_tests::vm::Program;

const NVME: &str = env!("CARGO_BIN_EXE_nvme");
const ENTRIES: u16 = 64;
/// Pages that a pass moves: several times around the queues.
const PASS: u64 = 200;

/// Pages with the place and the round in each word, at places that jump.
struct Stamped {
    round: u64,
    submitted: u64,
    finished: u64,
    places: u64,
    direction: Direction,
}

impl Stamped {
    fn page(&self, place: u64) -> Vec<u8> {
        let words = (0..512_u64).map(|word| place << 32 | self.round << 16 | word);
        words.flat_map(u64::to_le_bytes).collect()
    }
}

impl Pattern for Stamped {
    fn next(&mut self, _: Instant) -> Option<u64> {
        // 517 and the number of places have no common divisor: no place occurs twice.
        let place = self.submitted * 517 % self.places;
        self.submitted += 1;
        (self.submitted <= PASS).then_some(place)
    }

    fn prepare(&mut self, memory: &Memory, Transfer { place, address }: Transfer) {
        let page = match self.direction {
            Direction::Write => self.page(place),
            Direction::Read => vec![0xff; 4096],
        };
        memory.write(address, &page);
    }

    fn finish(&mut self, memory: &Memory, Transfer { place, address }: Transfer) {
        let mut page = vec![0; 4096];
        memory.read(address, &mut page);
        assert!(page == self.page(place), "page {place} of round {}", self.round);
        self.finished += 1;
    }
}

fn attach(program: &Program, memory: usize) -> (Arc<Memory>, Controller) {
    let memory = Arc::new(Memory::new(memory).unwrap());
    let controller = Controller::attach(&program.socket(), &memory).unwrap();
    (memory, controller)
}

/// Writes and reads pages at several depths.
fn move_pages(arguments: &[&str], has_mapped_doorbells: bool) {
    let program = Program::start(Path::new(NVME), arguments);
    let (_, mut controller) = attach(&program, 1 << 20);
    assert_eq!(controller.has_mapped_doorbells(), has_mapped_doorbells);
    move_pages_through(&mut controller);
}

/// Moves pages. Returns how many commands that were.
fn move_pages_through(controller: &mut Controller) -> u64 {
    let namespace = controller.namespace(1).unwrap();
    assert_eq!(namespace.blocks * namespace.block, 16 << 20);
    let queues = controller.create_queues(1, ENTRIES).unwrap();
    let mut workload = Workload::new(queues, namespace, ENTRIES - 1);
    for (round, depth) in (1..).zip([1, 7, ENTRIES - 1]) {
        for direction in [Direction::Write, Direction::Read] {
            let places = workload.places();
            let mut pages = Stamped { round, submitted: 0, finished: 0, places, direction };
            let report = workload.run(direction, depth, &mut pages).unwrap();
            assert_eq!((report.count, pages.finished), (PASS, PASS));
        }
    }
    6 * PASS
}

#[test]
fn a_driver_moves_pages_through_a_controller_that_polls() {
    move_pages(&["--memory=16", "--poll"], true);
}

#[test]
fn a_driver_moves_pages_through_a_controller_that_sleeps() {
    move_pages(&["--memory=16"], false);
}

#[test]
fn a_driver_moves_pages_of_a_file() {
    let disk = tempfile::NamedTempFile::new().unwrap();
    disk.as_file().set_len(16 << 20).unwrap();
    move_pages(&[&format!("--disk={}", disk.path().display()), "--poll"], true);
}

#[test]
fn a_driver_moves_data_by_scatter_gather_lists() {
    let disk = tempfile::NamedTempFile::new().unwrap();
    disk.as_file().set_len(1 << 20).unwrap();
    let file = format!("--disk={}", disk.path().display());
    for arguments in [vec![&file[..]], vec!["--memory=1", "--poll"]] {
        let program = Program::start(Path::new(NVME), &arguments);
        let (memory, mut controller) = attach(&program, 1 << 20);
        let mut queues = controller.create_queues(1, 8).unwrap();
        let [from, to, list, next] =
            [4 * PAGE, 4 * PAGE, PAGE, PAGE].map(|len| memory.allocate(len));
        let data: Vec<u8> = (0..0x3000_u32).map(|at| (at * 11 % 253) as u8).collect();
        memory.write(from + 5, &data[..0x1001]);
        memory.write(from + 0x2002, &data[0x1001..]);
        let blocks = [SglDescriptor::Data(from + 5, 0x1001), SglDescriptor::LastSegment(next, 16)];
        memory.write(list, &SglDescriptor::segment(&blocks));
        let rest = [SglDescriptor::Data(from + 0x2002, 0x1fff)];
        memory.write(next, &SglDescriptor::segment(&rest));
        let place = (40, 0x3000 / 512);
        let write = Command::transfer(Direction::Write, 1, place, [0, 0]);
        queues.perform(&write.with_sgl(SglDescriptor::Segment(list, 32))).unwrap();
        let blocks = [
            SglDescriptor::Data(to + 1, 0x10),
            SglDescriptor::BitBucket(0x1ff0),
            SglDescriptor::Data(to + 0x11, 0x1000),
        ];
        memory.write(list, &SglDescriptor::segment(&blocks));
        let read = Command::transfer(Direction::Read, 1, place, [0, 0]);
        queues.perform(&read.with_sgl(SglDescriptor::LastSegment(list, 48))).unwrap();
        let mut back = vec![0; 0x1010];
        memory.read(to + 1, &mut back);
        assert!(back == [&data[..0x10], &data[0x2000..]].concat());
        let short = Command::transfer(Direction::Read, 1, place, [0, 0]);
        let short = short.with_sgl(SglDescriptor::Data(to, 0x2fff));
        let error = queues.perform(&short).unwrap_err();
        assert!(error.to_string().contains("status: 400f"), "{error}");
    }
}

#[test]
fn a_driver_rings_in_shared_memory_and_seldom_by_registers() {
    for arguments in [vec!["--memory=16"], vec!["--memory=16", "--poll"]] {
        let program = Program::start(Path::new(NVME), &arguments);
        let (_, mut controller) = attach(&program, 1 << 20);
        let shadow = controller.share_doorbells().unwrap();
        let commands = move_pages_through(&mut controller);
        let rings = shadow.rings();
        println!("{rings} register writes for {commands} commands");
        assert!(rings > 0);
        // By registers there are two writes for each turn of the driver.
        let most = if arguments.len() > 1 { commands / 8 } else { commands + 100 };
        assert!(rings < most, "{rings} register writes for {commands} commands");
    }
}
