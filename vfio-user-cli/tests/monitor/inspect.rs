//! `vfu inspect`: text, JSON, single registers, pokes.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use vfio_user::monitor::Monitor;

use crate::exposition::Exposition;
use crate::pump::{self, HANG, Observed};

/// Returns the words of the line that begins with a word.
#[track_caller]
fn line<'t>(text: &'t str, first: &str) -> Vec<&'t str> {
    let mut lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let found = lines.find(|words| words.first() == Some(&first));
    found.unwrap_or_else(|| panic!("no line `{first}`: {text}"))
}

#[test]
fn a_running_device_is_printed() {
    let mut observed = pump::observe(|monitor| monitor);
    observed.work();
    let text = observed.printed(&[]);
    assert!(text.starts_with("pump, PCI 1af4:10fc, process "), "{text}");
    assert!(text.contains("\n1 reads, 7 writes; DMA: 0 bytes read, 0 written; hooks: "), "{text}");
    assert!(text.contains("\nwithout effect: read_only 1\n"), "{text}");
    assert_eq!(line(&text, "control"), ["control", "0", "3", "0x51", "(enable,", "speed=0x5)"]);
    assert_eq!(line(&text, "ring[1]"), ["ring[1]", "1", "1", "0x7"]);
    assert_eq!(line(&text, "events"), ["events", "0", "0", "0x3"]);
    assert_eq!(line(&text, "msix")[1..], ["0", "0", "0", "assigned"]);
    assert!(text.contains("\nmsix 1     1       0          pending\n"), "{text}");
    assert_eq!(line(&text, "raise")[..2], ["raise", "0"]);
    assert!(
        text.contains("\nBAR 0 at 0x80    PHYCTL + 0x0  0      1       first 0x9, last 0x9\n"),
        "{text}"
    );
    let last = text.lines().last().unwrap().split_whitespace().collect::<Vec<_>>();
    assert_eq!(last[1..], ["read", "ring[1]", "0x7"]);
}

#[test]
fn registers_are_printed_by_name() {
    let mut observed = pump::observe(|monitor| monitor);
    observed.work();
    let text = observed.printed(&["control", "control.speed", "ring[1]"]);
    assert_eq!(text, "control = 0x51 (enable, speed=0x5)\ncontrol.speed = 0x5\nring[1] = 0x7\n");
    let output = observed.vfu(&["nothing"]);
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.ends_with("the monitor refuses: there is no register or field `nothing`\n"),
        "{error}"
    );
}

#[test]
fn json_has_all_that_is_printed() {
    let mut observed = pump::observe(|monitor| monitor);
    observed.work();
    let json: serde_json::Value = serde_json::from_str(&observed.printed(&["--json"])).unwrap();
    assert_eq!(json["device"]["name"], "pump");
    assert_eq!(json["counters"]["writes"], 7);
    assert_eq!(json["registers"].as_array().map(Vec::len), Some(8));
    assert_eq!(json["unmodelled"][0]["name"][0], "PHYCTL");
    let last = json["last"].as_array().and_then(|last| last.last()).unwrap();
    assert_eq!((&last["name"], &last["operation"]), (&"ring[1]".into(), &"read".into()));
    let one: serde_json::Value =
        serde_json::from_str(&observed.printed(&["--json", "ring[1]"])).unwrap();
    assert_eq!(one[0]["value"], 7);
}

#[test]
fn a_device_in_a_hook_that_hangs_is_printed_without_its_answers() {
    let mut observed = pump::observe(|monitor| monitor);
    observed.work();
    observed.client.posted_write(0, 0x08, &HANG.to_le_bytes());
    let hangs =
        |observed: &Observed| observed.printed(&[]).contains("the device does not answer: ");
    let start = Instant::now();
    while !hangs(&observed) {
        assert!(start.elapsed() < Duration::from_secs(60), "no hook hangs");
    }
    let text = observed.printed(&[]);
    assert!(text.contains("\nwrite_with of pump.raise runs for "), "{text}");
    assert_eq!(line(&text, "control"), ["control", "0", "3"]);
    assert_eq!(line(&text, "raise")[..3], ["raise", "0", "2"]);
    let last = text.lines().last().unwrap().split_whitespace().collect::<Vec<_>>();
    assert_eq!(last[1..], ["write", "raise", "0xffffffff"]);
    let json: serde_json::Value = serde_json::from_str(&observed.printed(&["--json"])).unwrap();
    assert_eq!(json["device"]["hook"]["name"], "write_with of pump.raise");
    assert!(json["unanswered"].as_str().unwrap().starts_with("the device does not answer"));
    assert!(json.get("registers").is_none() && json["accesses"].is_array(), "{json}");
    let metrics = Exposition::read(&observed.printed(&["--prometheus"]));
    let labels = [("device", "pump")];
    assert!(metrics.value("vfio_user_answers", &labels).abs() < 0.5);
    observed.end.send(()).unwrap();
    observed.client.sync();
    let metrics = Exposition::read(&observed.printed(&["--prometheus"]));
    assert!(metrics.value("vfio_user_answers", &labels) > 0.5);
}

#[test]
fn pokes_change_registers_if_the_monitor_allows_them() {
    let observed = pump::observe(|monitor| monitor);
    let refused = observed.vfu(&["--poke=events=9"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8(refused.stderr).unwrap().contains("does not allow pokes"));
    let mut observed = pump::observe(Monitor::allow_pokes);
    let printed = observed.printed(&["--poke=events=0x9", "--poke=control.speed=2", "control"]);
    assert_eq!(printed, "events = 0x9\ncontrol.speed = 0x2\ncontrol = 0x20 (speed=0x2)\n");
    assert_eq!(observed.client.number(0, 0, 4), 9);
    assert_eq!(observed.vfu(&["--poke=events"]).status.code(), Some(2));
}

#[test]
fn a_monitor_that_is_not_there_is_an_error() {
    let vfu = |command: &str, path: &Path| {
        let mut vfu = Command::new(env!("CARGO_BIN_EXE_vfu"));
        vfu.arg(command).arg(path).output().unwrap()
    };
    let dir = tempfile::tempdir().unwrap();
    let output = vfu("inspect", &dir.path().join("none.mon"));
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("none.mon: No such file or directory"), "{error}");
    let output = vfu("top", &dir.path().join("none.mon"));
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("have to be a terminal"), "{error}");
}
