//! Logs, and how they are played.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tempfile::TempDir;
use vfio_user::client::{Client, DmaMapping};
use vfio_user::protocol::{DmaMapFlags, IrqIndex, RegionIndex};
use vfio_user::{EventFd, PciDevice as _};
use vfio_user_tests::serve::Running;
use vfio_user_tests::{PATIENCE, files};

use crate::Proxy;
use crate::card::{Card, card};

const BOTH: DmaMapFlags = DmaMapFlags::READ.union(DmaMapFlags::WRITE);

/// A log in a folder of its own.
struct Log {
    path: PathBuf,
    _folder: TempDir,
}

/// Logs what a client does with a card.
fn log(act: impl FnOnce(&Client)) -> Log {
    let card = card();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let proxy = Proxy::start(card.path(), &["--quiet", &format!("--log={}", path.display())]);
    let client = proxy.attach();
    client.region(RegionIndex::Config).write(4, 6_u16).unwrap();
    act(&client);
    drop(client);
    // Both directions of both sockets have a record of their end, of a kind of its own.
    proxy.wait("the end is logged", || ends(&path) == 4);
    proxy.finish();
    Log { path, _folder: folder }
}

/// Counts the records of ends.
fn ends(log: &Path) -> usize {
    records(&fs::read(log).unwrap()).filter(|(_, record)| record[4] == 4).count()
}

/// Returns the records of a log by their offsets.
fn records(log: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = 16;
    std::iter::from_fn(move || {
        let head = log.get(at..at + 24)?;
        let body = u32::from_le_bytes(head[..4].try_into().unwrap()) as usize;
        let descriptors = usize::from(u16::from_le_bytes(head[6..8].try_into().unwrap()));
        let (start, size) = (at, 24 + descriptors * 16 + body);
        at += size;
        Some((start, log.get(start..at)?))
    })
}

fn replay(log: &Path, server: &Running, options: &[&str]) -> Output {
    let mut vfu = Command::new(env!("CARGO_BIN_EXE_vfu"));
    vfu.arg("replay").arg(log).arg(server.path()).args(options).output().expect("it runs")
}

#[track_caller]
fn printed(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Uses registers, an error, a mapped BAR, memory and interrupts.
fn use_all(client: &Client) {
    let bar = client.region(RegionIndex::Bar0);
    assert_eq!(bar.read::<u32>(Card::STATUS).unwrap(), 0x1234);
    bar.post(Card::STATUS, 0xcafe_u32).unwrap();
    bar.write(0x148, 7_u32).unwrap();
    assert_eq!(bar.read::<u64>(0x148).unwrap(), 7);
    client.region(RegionIndex::Bar2).read::<u32>(0x4000).unwrap_err();
    client.region_details(RegionIndex::Bar2).unwrap().map().unwrap();
    let file = files::memory(0x1000);
    let (fd, rights) = (std::os::fd::AsFd::as_fd(&file), BOTH);
    client.dma_map(DmaMapping { iova: 0, size: 0x1000, file: fd, offset: 0, rights }).unwrap();
    let eventfd = EventFd::new().unwrap();
    client.set_irqs(IrqIndex::Intx, 0, &[Some(&eventfd)]).unwrap();
    bar.write(Card::STORE, 8_u64).unwrap();
    assert_eq!(eventfd.wait(PATIENCE).unwrap(), Some(1));
    client.dma_unmap(0, 0x1000).unwrap();
}

#[test]
fn a_log_is_played_without_a_difference() {
    let log = log(use_all);
    let text = printed(&replay(&log.path, &card(), &[]), 0);
    assert!(text.contains("messages, no difference"), "{text}");
}

/// What the device reads is in the log; when it has read it is not.
#[test]
fn requests_of_the_server_are_answered_from_the_log() {
    let log = log(|client| {
        let memory = Arc::new(Mutex::new(vec![0x77; 0x1000]));
        client.dma_map_memory(0x8000, 0x1000, memory, BOTH).unwrap();
        let bar = client.region(RegionIndex::Bar0);
        bar.write(Card::FETCH, 0x8010_u64).unwrap();
        while bar.read::<u32>(Card::STATUS).unwrap() != 0x7777_7777 {}
    });
    let card = card();
    let text = printed(&replay(&log.path, &card, &["--ignore=bar0+0"]), 0);
    assert!(text.contains("no difference"), "{text}");
    // The device has what the log has sent it.
    let client = Client::attach(card.path()).unwrap();
    client.region(RegionIndex::Config).write(4, 6_u16).unwrap();
    let bar = client.region(RegionIndex::Bar0);
    assert_eq!(bar.read::<u32>(Card::STATUS).unwrap(), 0x7777_7777);
}

#[test]
fn the_first_difference_of_another_device_is_named() {
    let log = log(|client| {
        let bar = client.region(RegionIndex::Bar0);
        bar.read::<u32>(0x148).unwrap();
        bar.read::<u32>(Card::STATUS).unwrap();
        bar.write(0x148, 1_u32).unwrap();
        bar.read::<u32>(Card::STATUS).unwrap();
        client.region(RegionIndex::Bar2).read::<u32>(0x4000).unwrap_err();
    });
    let changed = || Running::at_path(|| Card::with_status(5));
    let text = printed(&replay(&log.path, &changed(), &[]), 1);
    let difference = "REGION_READ region=bar0 offset=0x0 count=4: data: \
                      the log has 0x00001234, the server sends 0x00000005";
    assert!(text.contains(difference), "{text}");
    // VERSION, GET_INFO, a write of configuration space, and a read are before it.
    assert!(text.starts_with("message 10 at "), "{text}");
    assert!(text.contains("10 messages, 1 difference"), "{text}");
    let json = printed(&replay(&log.path, &changed(), &["--json"]), 1);
    let lines: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [difference_json, end] = &lines[..] else { panic!("{json}") };
    assert_eq!(
        (&difference_json["message"], &difference_json["kind"]),
        (&10.into(), &"field".into())
    );
    assert_eq!(difference_json["command"], "REGION_READ");
    assert_eq!(difference_json["fields"]["offset"], "0x0");
    let values = ["field", "log", "server"].map(|name| difference_json[name].as_str().unwrap());
    assert_eq!(values, ["data", "0x00001234", "0x00000005"]);
    assert_eq!((&end["messages"], &end["differences"]), (&10.into(), &1.into()));
    let all = printed(&replay(&log.path, &changed(), &["--all"]), 1);
    assert_eq!(all.matches(difference).count(), 2, "{all}");
    for ignored in ["--ignore=bar0+0", "--ignore=region-read", "--ignore=data"] {
        printed(&replay(&log.path, &changed(), &[ignored]), 0);
    }
    let zoo = vfio_user_tests::serve::zoo_at_path().0;
    let text = printed(&replay(&log.path, &zoo, &["--all"]), 1);
    assert!(text.contains("message 1") && text.contains("REGION_READ"), "{text}");
}

#[test]
fn registers_are_named_in_differences() {
    let log = log(|client| drop(client.region(RegionIndex::Bar0).read::<u32>(Card::STATUS)));
    let description = log.path.with_file_name("card.json");
    fs::write(&description, vfio_user::describe::json(&Card::DESCRIPTOR)).unwrap();
    let changed = Running::at_path(|| Card::with_status(5));
    let describe = format!("--describe={}", description.display());
    let text = printed(&replay(&log.path, &changed, &[&describe]), 1);
    let difference = "REGION_READ region=bar0 offset=0x0 count=4 register=status: data: ";
    assert!(text.contains(difference), "{text}");
}

#[test]
fn a_server_that_leaves_or_is_silent_is_a_difference() {
    let log = log(|_| {});
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let vfu = |options: &[&str]| {
        let mut vfu = Command::new(env!("CARGO_BIN_EXE_vfu"));
        vfu.arg("replay").arg(&log.path).arg(&path).args(options);
        vfu.stdout(std::process::Stdio::piped()).spawn().unwrap()
    };
    let leaves = vfu(&[]);
    drop(listener.accept().unwrap());
    let text = printed(&leaves.wait_with_output().unwrap(), 1);
    assert!(text.contains("VERSION") && text.contains("closed the connection"), "{text}");
    let silent = vfu(&["--timeout=0.05"]);
    let connection = listener.accept().unwrap();
    let text = printed(&silent.wait_with_output().unwrap(), 1);
    assert!(text.contains("VERSION") && text.contains("does not arrive in time"), "{text}");
    drop(connection);
}

#[test]
fn damaged_logs_are_refused() {
    let log = log(use_all);
    let bytes = fs::read(&log.path).unwrap();
    let (last, record) = records(&bytes).last().unwrap();
    assert_eq!(last + record.len(), bytes.len());
    let refused = |bytes: &[u8]| {
        fs::write(&log.path, bytes).unwrap();
        let output = replay(&log.path, &card(), &[]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let cut = refused(&bytes[..bytes.len() - 1]);
    assert!(cut.contains(&format!("it ends within a record, at byte {last}")), "{cut}");
    assert!(refused(b"no log").contains("no log of `vfu proxy`, and no recording"));
    assert!(refused(&bytes[..16]).contains("it has no connection 1"));
    let mut hostile = bytes.clone();
    hostile[16..20].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(refused(&hostile).contains("a size of 4294967295, accepted is at most 16 MiB"));
    // A file of more bytes than a file can have.
    let mut hostile = bytes.clone();
    let map = |(_, record): &(usize, &[u8])| record[6] == 1 && record[24 + 8..][..2] == [0, 0x10];
    let (at, _) = records(&bytes).find(map).expect("the memory");
    hostile[at + 32..at + 40].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(refused(&hostile).contains("a file of 18446744073709551615"));
    // A message that is shorter than it says.
    let mut hostile = bytes.clone();
    let (at, _) = records(&bytes).nth(1).expect("the first message");
    hostile[at + 24 + 4] += 1;
    assert!(refused(&hostile).contains("its message says"));
    let nothing = log.path.with_file_name("nothing");
    assert_eq!(replay(&nothing, &card(), &[]).status.code(), Some(2));
}

/// Whatever is sent then, and whatever the device makes of it: nothing panics, and all ends.
#[test]
fn changed_logs_are_played_or_refused() {
    let log = log(use_all);
    let bytes = fs::read(&log.path).unwrap();
    let mut outcomes = [0; 3];
    for change in 0..60 {
        let mut changed = bytes.clone();
        let at = 16 + change * 7919 % (bytes.len() - 16);
        changed[at] ^= 1 << (change % 8);
        fs::write(&log.path, &changed).unwrap();
        let output = replay(&log.path, &card(), &["--timeout=0.5", "--all"]);
        let code = usize::try_from(output.status.code().expect("no signal")).unwrap();
        assert!(code < 3, "{output:?}");
        outcomes[code] += 1;
    }
    assert!(outcomes.iter().all(|count| *count > 0), "{outcomes:?}");
}

#[test]
fn programs_that_do_not_serve_are_errors() {
    let log = log(|_| {});
    let refused = |program: &[&str]| {
        let mut vfu = Command::new(env!("CARGO_BIN_EXE_vfu"));
        let output = vfu.arg("replay").arg(&log.path).arg("--").args(program).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(refused(&["/nonexistent"]).contains("/nonexistent: No such file"));
    let ends = refused(&["sh", "-c", "echo why >&2; exit 3", "{}"]);
    assert!(ends.contains("why\n") && ends.contains("the program ends: exit status: 3"), "{ends}");
}
