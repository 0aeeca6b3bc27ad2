//! Tests of the commands that attach to a device, as processes.

mod bench;
mod dma;
mod usage;
mod watch;

use std::path::Path;
use std::process::{Command, Output};

use tempfile::NamedTempFile;
use vfio_user::client::Client;
use vfio_user::{Cx, Device, DmaError, PciDevice, Register, RegisterBlock, Virtual};
use vfio_user_tests::lspci;
use vfio_user_tests::serve::Running;

fn vfu(command: &str, socket: &Path, arguments: &[&str]) -> Output {
    let mut vfu = Command::new(env!("CARGO_BIN_EXE_vfu"));
    vfu.arg(command).arg(socket).args(arguments).output().expect("it runs")
}

/// Returns what a command prints, which has to succeed.
#[track_caller]
fn printed(command: &str, socket: &Path, arguments: &[&str]) -> String {
    let output = vfu(command, socket, arguments);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("it writes text")
}

/// Returns the error of a command, which has to fail.
#[track_caller]
fn error(command: &str, socket: &Path, arguments: &[&str]) -> String {
    let output = vfu(command, socket, arguments);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    String::from_utf8(output.stderr).expect("it writes text")
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x5678, class = 0x12_0000, revision = 3)]
#[bar(0: mem32, size = 0x1000)]
#[bar(2: mem32, size = 0x2000, shared(0x1000..0x2000))]
#[irq(intx, msix = 4)]
struct Card {
    #[reg(0x00, bar = 0, reset = 0x1234)]
    status: u32,
    #[reg(0x10, bar = 0)]
    data: [u16; 4],
    #[block(0x100, bar = 0, stride = 0x40)]
    queues: [Queue; 3],
    #[reg(0x200, bar = 0, ro, read_with = Self::tick)]
    ticks: Virtual<u32>,
    #[reg(0x204, bar = 0)]
    mode: Mode,
    /// What `copy` doubles, and where to.
    #[reg(0x208, bar = 0)]
    source: u64,
    #[reg(0x210, bar = 0)]
    target: u64,
    #[reg(0x218, bar = 0, write_with = Self::start)]
    copy: u32,
    reads: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Register)]
#[register(u32)]
struct Mode {
    #[field(bit = 0)]
    enable: bool,
    #[field(bits = 4..=7)]
    speed: u8,
}

#[derive(Clone, Copy, Default, RegisterBlock)]
struct Queue {
    #[reg(0x08)]
    tail: u64,
    #[block(0x20, stride = 8)]
    channels: [Channel; 2],
}

#[derive(Clone, Copy, Default, RegisterBlock)]
struct Channel {
    #[reg(4)]
    head: u8,
}

struct Fetched(Result<Vec<u8>, DmaError>);

impl Device for Card {
    type Event = Fetched;

    /// Writes twice what it has read, and then ends.
    fn event(&mut self, cx: &mut Cx<'_, Self>, Fetched(bytes): Fetched) {
        let Ok(Ok(bytes)) = bytes.map(<[u8; 4]>::try_from) else { return };
        let twice = u32::from_le_bytes(bytes).wrapping_mul(2);
        if cx.dma().write(self.target, &twice.to_le_bytes()).is_ok() {
            self.copy = 0;
        }
    }
}

impl Card {
    /// Counts its reads.
    fn tick(&mut self, _: &mut Cx<'_, Self>) -> u32 {
        self.reads += 1;
        self.reads
    }

    fn start(&mut self, cx: &mut Cx<'_, Self>, _: u32) {
        self.copy = 1;
        cx.fetch(self.source, 4, Fetched);
    }
}

fn card() -> Running {
    Running::at_path(Card::default)
}

/// Returns the description of the card, and the option that gives it to a command.
fn description() -> (NamedTempFile, String) {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), vfio_user::describe::json(&Card::DESCRIPTOR)).unwrap();
    let option = format!("--describe={}", file.path().display());
    (file, option)
}

#[test]
fn a_device_is_described() {
    let card = card();
    let info = printed("info", card.path(), &[]);
    for line in ["1234:5678, class 120000, revision 03", "resets: yes", "stop-copy"] {
        assert!(info.contains(line), "{line}: {info}");
    }
    let regions = printed("regions", card.path(), &[]);
    let irqs = printed("irqs", card.path(), &[]);
    assert!(info.ends_with(&format!("{regions}\n{irqs}")), "{info}");
    assert!(regions.contains("0x2000  rw      0x1000..0x2000"), "{regions}");
    assert!(!regions.contains("BAR 3"), "{regions}");
    assert!(irqs.contains("MSI-X            4"), "{irqs}");

    let json: serde_json::Value =
        serde_json::from_str(&printed("info", card.path(), &["--json"])).unwrap();
    assert_eq!((&json["vendor"], &json["class"]), (&0x1234.into(), &0x12_0000.into()));
    assert_eq!(json["regions"][2]["mapped"][0]["start"], "0x1000");
    assert_eq!(json["irqs"][1]["count"], 4);
}

#[test]
fn registers_are_read_and_written_by_place() {
    let card = card();
    assert_eq!(printed("read", card.path(), &["bar0"]), "0x00001234\n");
    assert_eq!(printed("write", card.path(), &["bar0+0x12", "0xabcd", "--width=2"]), "");
    assert_eq!(printed("read", card.path(), &["bar0+0x10", "--width=8"]), "0x00000000abcd0000\n");
    assert_eq!(printed("read", card.path(), &["config+0", "--width=2"]), "0x1234\n");
    // The enable bits are as before.
    assert_eq!(printed("read", card.path(), &["config+4", "--width=2"]), "0x0000\n");
    let json = printed("read", card.path(), &["bar0", "--json"]);
    assert_eq!(json, "{\n  \"value\": \"0x1234\",\n  \"width\": 4\n}\n");
    assert!(error("write", card.path(), &["bar0", "256", "--width=1"]).contains("does not fit"));
    assert!(error("read", card.path(), &["bar0+0x1000"]).contains("EINVAL"));
    assert!(error("read", card.path(), &["bar7+0"]).contains("accepted are bar0 to bar5"));
}

#[test]
fn registers_are_read_and_written_by_name() {
    let card = card();
    let (_file, describe) = description();
    let read = |name| printed("read", card.path(), &[name, &describe]);
    assert_eq!(read("status"), "0x00001234\n");
    for (name, value) in [("data[3]", "0x0003"), ("queues[2].channels[1].head", "0x05")] {
        printed("write", card.path(), &[name, value, &describe]);
        assert_eq!(read(name), format!("{value}\n"));
    }
    assert_eq!(printed("read", card.path(), &["bar0+0x1ac", "--width=1"]), "0x05\n");
    assert_eq!(read("queues[0].tail"), "0x0000000000000000\n");
    printed("write", card.path(), &["mode", "0x31", &describe]);
    assert_eq!(read("mode"), "0x00000031 (enable, speed=3)\n");
    let json = printed("read", card.path(), &["mode", &describe, "--json"]);
    assert!(json.contains("\"bits\": \"enable, speed=3\""), "{json}");
    // Bits are those of the whole register.
    let low = printed("read", card.path(), &["mode", &describe, "--width=1"]);
    assert_eq!(low, "0x31\n");
    for wrong in ["state", "data", "data[4]", "status[0].x", "queues[3].tail", "queues.tail"] {
        let error = error("read", card.path(), &[wrong, &describe]);
        assert!(error.contains(&format!("it has no register `{wrong}`")), "{error}");
    }
    assert!(error("read", card.path(), &["status"]).contains("give --describe"));
}

#[test]
fn bytes_are_dumped() {
    let card = card();
    printed("write", card.path(), &["bar2+0x1fff", "0x5a", "--width=1"]);
    let dump = printed("dump", card.path(), &["bar2", "--offset=0x1fee"]);
    assert_eq!(
        dump,
        "00001fee: 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00\n00001ffe: 00 5a\n"
    );
    assert_eq!(printed("dump", card.path(), &["bar0", "--len=3"]), "00000000: 34 12 00\n");
    assert_eq!(printed("dump", card.path(), &["bar0", "--offset=0x1000"]), "");
    assert_eq!(printed("dump", card.path(), &["config"]).lines().count(), 16);
}

#[test]
fn pciutils_read_the_configuration_space() {
    let card = card();
    let Some(decoded) = lspci::decode(&printed("lspci", card.path(), &[])) else { return };
    decoded.holds(&["1200: 1234:5678 (rev 03)", "MSI-X: Enable- Count=4 Masked-"]);
}

#[test]
fn a_reset_and_an_interrupt_are_requested() {
    let card = card();
    printed("write", card.path(), &["bar0", "1"]);
    printed("reset", card.path(), &[]);
    assert_eq!(printed("read", card.path(), &["bar0"]), "0x00001234\n");
    printed("trigger", card.path(), &["msix", "3"]);
    assert!(error("trigger", card.path(), &["msix", "4"]).contains("EINVAL"));
}

#[test]
fn a_device_that_has_a_client_says_so() {
    let card = card();
    let _client = Client::attach(card.path()).unwrap();
    assert!(error("info", card.path(), &[]).contains("client"));
    let nothing = tempfile::tempdir().unwrap();
    error("info", &nothing.path().join("no.sock"), &[]);
}
