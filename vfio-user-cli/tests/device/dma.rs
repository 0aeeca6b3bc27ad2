//! `vfu dma`.

use std::fs;

use tempfile::TempDir;

use crate::{card, description, error, printed, vfu};

/// Copies a doubled number from the start of the memory to 0x20 behind it.
const COPY: [&str; 4] = [
    "--write=bar0+0x208:8=0x100000",
    "--write=bar0+0x210:8=0x100020",
    "--write=bar0+0x218=1",
    "--until=bar0+0x218=0",
];

#[test]
fn a_device_works_on_memory_that_it_has_mapped() {
    let (card, dir) = (card(), TempDir::new().unwrap());
    let [before, after] = ["before", "after"].map(|name| dir.path().join(name));
    fs::write(&before, [21, 0, 0, 0]).unwrap();
    let load = format!("--load={}", before.display());
    let save = format!("--save={}", after.display());
    let text = printed("dma", card.path(), &[&COPY[..], &[&load, &save]].concat());
    assert_eq!(text, "00100020: 2a 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00\n");
    let saved = fs::read(&after).unwrap();
    assert_eq!((saved.len(), saved[0], saved[0x20]), (4096, 21, 42));
    assert_eq!(fs::read(&before).unwrap(), [21, 0, 0, 0]);
    // The device is no bus master any more.
    assert_eq!(printed("read", card.path(), &["config+4", "--width=2"]), "0x0000\n");
}

#[test]
fn accesses_by_messages_are_printed() {
    let (card, dir) = (card(), TempDir::new().unwrap());
    let before = dir.path().join("before");
    fs::write(&before, [21]).unwrap();
    let load = format!("--load={}", before.display());
    let (_file, describe) = description();
    let named = ["--write=source=0x100000", "--write=target=0x100020", "--write=copy=1"];
    let arguments = [&named[..], &["--until=copy=0", &load, "--messages", &describe]].concat();
    let text = printed("dma", card.path(), &arguments);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[..2], ["read  0x100000+0x4: 15 00 00 00", "write 0x100020+0x4: 2a 00 00 00"]);
    assert!(lines[2].starts_with("00100020: 2a 00") && lines.len() == 3, "{text}");
    let json = printed("dma", card.path(), &[&arguments[..], &["--json"]].concat());
    let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!((&first["access"], &first["iova"]), (&"read".into(), &"0x100000".into()));
}

#[test]
fn memory_that_the_device_does_not_reach_is_reported() {
    let card = card();
    // The memory is elsewhere, so `copy` stays 1.
    let arguments = [&COPY[..], &["--iova=0x200000", "--seconds=0.05"]].concat();
    let output = vfu("dma", card.path(), &arguments);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
}

#[test]
fn wrong_arguments_are_refused() {
    let card = card();
    assert!(error("dma", card.path(), &["--size=100"]).contains("whole pages of 4096 bytes"));
    assert!(error("dma", card.path(), &["--size=0"]).contains("0 bytes of memory"));
    error("dma", card.path(), &["--write=bar0"]);
    error("dma", card.path(), &["--write=bar0:1=256"]);
    error("dma", card.path(), &["--load=/no/such/file"]);
    // An address beyond 2^64.
    error("dma", card.path(), &["--iova=0xfffffffffffff000", "--size=0x2000"]);
}
