//! QEMU's test device `pci-testdev` (`docs/specs/pci-testdev.rst`), without its optional BAR 2:
//! tests of writes to memory and to ports, with and without an eventfd.
//!
//! A test starts when its number is written to the first byte of a BAR. The header in both BARs
//! then describes it: where to write which byte, and how many writes have arrived. A write by
//! eventfd is counted as well; several that arrive before the device's thread runs count once.

use vfio_user::{Cx, Device, PciDevice, RegisterBlock, ResetKind, Virtual};

/// The byte of tests that compare what is written.
const MATCH: u8 = 0xfa;
/// The byte that the header gives for the test that takes every byte.
const ANY: u8 = 0xce;

/// A test of a BAR.
#[derive(Clone, Copy)]
struct Test {
    name: &'static str,
    byte: u8,
}

const TESTS: [Test; 3] = [
    Test { name: "no-eventfd", byte: MATCH },
    Test { name: "wildcard-eventfd", byte: ANY },
    Test { name: "datamatch-eventfd", byte: MATCH },
];

/// A BAR with tests.
#[derive(Clone, Copy)]
struct Bar {
    /// The kind of access.
    name: &'static str,
    /// Where the targets of writes begin, by the number of their test.
    targets: u32,
}

const BARS: [Bar; 2] =
    [Bar { name: "mmio", targets: 0x800 }, Bar { name: "portio", targets: 0x80 }];

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1b36, device = 0x0005, class = 0x00_ff00, name = "pci-testdev")]
#[bar(0: mem32, size = 0x1000)]
#[bar(1: io, size = 0x100)]
struct TestDev {
    #[block(0x00, bar = 0)]
    mmio: Header,
    #[block(0x800, bar = 0)]
    mmio_targets: Targets,
    #[block(0x00, bar = 1, first = 1)]
    portio: Header,
    /// Behind the three bytes that stand for the tests of memory.
    #[block(0x83, bar = 1, first = 1)]
    portio_targets: Targets,
    /// The test that runs: its BAR, and its number there.
    running: Option<(u8, u8)>,
    /// The writes that it has counted.
    count: u32,
}

/// What describes the test that runs; zeros if none does.
#[derive(Default, RegisterBlock)]
#[block(host = HeaderHost)]
struct Header {
    /// Starts a test of this BAR, and ends the one that runs. Its number among those of both BARs.
    #[reg(0x00, read_with = test, write_with = start)]
    test: Virtual<u8>,
    /// The size of the writes, in bytes.
    #[reg(0x01, ro, read_with = width)]
    width: Virtual<u8>,
    /// Where to write, from the start of the BAR.
    #[reg(0x04, ro, read_with = offset)]
    offset: Virtual<u32>,
    /// What to write.
    #[reg(0x08, ro, read_with = data)]
    data: Virtual<u32>,
    /// The number of writes that have arrived.
    #[reg(0x0c, ro, read_with = count)]
    count: Virtual<u32>,
    /// The name, in ASCII, with a zero behind it.
    #[reg(0x10, ro, read_with = name)]
    name: [Virtual<u8>; 32],
}

/// The bytes that tests write, in the order of the tests.
#[derive(Default, RegisterBlock)]
#[block(host = TargetHost)]
struct Targets {
    #[reg(0x0, wo, write_with = plain)]
    plain: Virtual<u8>,
    #[reg(0x1, wo, kick = wildcard)]
    wildcard: Virtual<u8>,
    #[reg(0x2, wo, write_with = data_match, ioeventfd = MATCH)]
    data_match: Virtual<u8>,
}

impl Device for TestDev {
    type Event = ();

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
        (self.running, self.count) = (None, 0);
    }
}

impl TestDev {
    /// The number of the running test among those of both BARs, its BAR and the test.
    fn current(&self) -> Option<(u8, Bar, Test)> {
        let (bar, test) = self.running?;
        let found = (*BARS.get(usize::from(bar))?, *TESTS.get(usize::from(test))?);
        Some((3 * bar + test, found.0, found.1))
    }

    /// Counts a write to the target of a test, if it is the one that runs.
    fn note_write(&mut self, bar: usize, test: u8) {
        if self.running.is_some_and(|running| running == (narrow(bar), test)) {
            self.count = self.count.wrapping_add(1);
        }
    }
}

/// The number of a BAR: there are two.
fn narrow(bar: usize) -> u8 {
    u8::try_from(bar).unwrap_or(u8::MAX)
}

impl HeaderHost for TestDev {
    fn test(&mut self, _: &mut Cx<'_, Self>, _: usize) -> u8 {
        self.current().map_or(0, |(number, ..)| number)
    }

    fn start(&mut self, _: &mut Cx<'_, Self>, bar: usize, test: u8) {
        let exists = usize::from(test) < TESTS.len();
        (self.running, self.count) = (exists.then_some((narrow(bar), test)), 0);
    }

    fn width(&mut self, _: &mut Cx<'_, Self>, _: usize) -> u8 {
        self.running.map_or(0, |_| 1)
    }

    fn offset(&mut self, _: &mut Cx<'_, Self>, _: usize) -> u32 {
        self.current().map_or(0, |(number, bar, _)| bar.targets + u32::from(number))
    }

    fn data(&mut self, _: &mut Cx<'_, Self>, _: usize) -> u32 {
        self.current().map_or(0, |(_, _, test)| test.byte.into())
    }

    fn count(&mut self, _: &mut Cx<'_, Self>, _: usize) -> u32 {
        self.count
    }

    fn name(&mut self, _: &mut Cx<'_, Self>, _: usize, letter: usize) -> u8 {
        let Some((_, bar, test)) = self.current() else { return 0 };
        let mut letters = bar.name.bytes().chain([b'-']).chain(test.name.bytes());
        letters.nth(letter).unwrap_or(0)
    }
}

impl TargetHost for TestDev {
    fn plain(&mut self, _: &mut Cx<'_, Self>, bar: usize, byte: u8) {
        if byte == MATCH {
            self.note_write(bar, 0);
        }
    }

    fn wildcard(&mut self, _: &mut Cx<'_, Self>, bar: usize) {
        self.note_write(bar, 1);
    }

    fn data_match(&mut self, _: &mut Cx<'_, Self>, bar: usize, byte: u8) {
        if byte == MATCH {
            self.note_write(bar, 2);
        }
    }
}

fn main() -> vfio_user::Result<()> {
    vfio_user::main(TestDev::default)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::thread;

    use super::*;
    use vfio_user::Server;
    use vfio_user::client::{AttachOptions, Client, ClientRegion};
    use vfio_user::declaration::DataMatch;
    use vfio_user::protocol::RegionIndex::{Bar0, Bar1};

    vfio_user::device_tests!(TestDev, TestDev::default);

    const TEST: u64 = 0x00;
    const WIDTH: u64 = 0x01;
    const OFFSET: u64 = 0x04;
    const DATA: u64 = 0x08;
    const COUNT: u64 = 0x0c;
    const NAME: u64 = 0x10;

    /// Runs a test with a client of a served device.
    fn with_client(test: impl FnOnce(&Client)) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let server = Server::from_stream(theirs).unwrap();
        let serving = thread::spawn(move || server.serve(TestDev::default));
        let client = Client::from_stream(ours, AttachOptions::default()).unwrap();
        test(&client);
        drop(client);
        serving.join().unwrap().unwrap();
    }

    fn name(bar: &ClientRegion<'_>) -> String {
        let letters = (NAME..).map(|place| bar.read::<u8>(place).unwrap());
        letters.take_while(|letter| *letter != 0).map(char::from).collect()
    }

    /// Starts a test, and returns where to write which byte.
    fn start(bar: &ClientRegion<'_>, test: u8) -> (u64, u8) {
        bar.write(TEST, test).unwrap();
        assert_eq!(bar.read::<u32>(COUNT).unwrap(), 0);
        assert_eq!(bar.read::<u8>(WIDTH).unwrap(), 1);
        let data = bar.read::<u32>(DATA).unwrap();
        (bar.read::<u32>(OFFSET).unwrap().into(), u8::try_from(data).unwrap())
    }

    #[test]
    fn the_header_describes_each_test() {
        with_client(|client| {
            for (index, names) in [
                (Bar0, ["mmio-no-eventfd", "mmio-wildcard-eventfd", "mmio-datamatch-eventfd"]),
                (
                    Bar1,
                    ["portio-no-eventfd", "portio-wildcard-eventfd", "portio-datamatch-eventfd"],
                ),
            ] {
                let bar = client.region(index);
                for (test, expected) in (0..).zip(names) {
                    start(&bar, test);
                    assert_eq!(name(&bar), expected);
                }
                bar.write(TEST, 3_u8).unwrap();
                assert_eq!(bar.read::<u8>(WIDTH).unwrap(), 0, "no more tests");
                assert_eq!(name(&bar), "");
            }
        });
    }

    #[test]
    fn writes_by_message_are_counted() {
        with_client(|client| {
            for (index, base, first) in [(Bar0, 0x800, 0_u8), (Bar1, 0x80, 3)] {
                let bar = client.region(index);
                for (test, number) in (0..3).zip(first..) {
                    let (offset, byte) = start(&bar, test);
                    assert_eq!(
                        (offset, bar.read(TEST).unwrap()),
                        (base + u64::from(number), number)
                    );
                    for _ in 0..16 {
                        bar.write(offset, byte).unwrap();
                    }
                    bar.write(offset, byte ^ 1).unwrap();
                    let others = u32::from(test == 1);
                    assert_eq!(bar.read::<u32>(COUNT).unwrap(), 16 + others, "test {number}");
                }
            }
        });
    }

    #[test]
    fn writes_by_eventfd_are_counted_while_their_test_runs() {
        with_client(|client| {
            for (index, is_port) in [(Bar0, false), (Bar1, true)] {
                let bar = client.region(index);
                let doorbells = client.ioeventfds(index).unwrap();
                assert_eq!(doorbells.len(), 2, "none for the first test");
                for test in [1, 2] {
                    let (offset, byte) = start(&bar, test);
                    let doorbell = doorbells.iter().find(|doorbell| doorbell.offset == offset);
                    let doorbell = doorbell.unwrap();
                    assert_eq!(doorbell.is_port, is_port);
                    let matched = DataMatch::Value(byte.into());
                    let expected = if test == 1 { DataMatch::Any } else { matched };
                    assert_eq!(doorbell.value, expected);
                    doorbell.eventfd.signal();
                    assert_eq!(bar.read::<u32>(COUNT).unwrap(), 1);
                    start(&bar, 0);
                    doorbell.eventfd.signal();
                    assert_eq!(bar.read::<u32>(COUNT).unwrap(), 0, "another test runs");
                }
            }
        });
    }

    #[test]
    fn a_reset_ends_the_test() {
        with_client(|client| {
            let bar = client.region(Bar0);
            start(&bar, 2);
            client.reset().unwrap();
            assert_eq!(bar.read::<u8>(WIDTH).unwrap(), 0);
        });
    }
}
