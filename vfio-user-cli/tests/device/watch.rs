//! `vfu watch`.

use serde_json::Value;

use crate::{card, description, error, printed, vfu};

/// Returns the values of the lines, without their times.
fn values(text: &str) -> Vec<&str> {
    text.lines().map(|line| line.trim_start().split_once("  ").unwrap().1).collect()
}

#[test]
fn a_register_is_printed_when_it_changes_until_it_has_a_value() {
    let card = card();
    let (_file, describe) = description();
    let text =
        printed("watch", card.path(), &["ticks", "--until=3", "--interval=0.001", &describe]);
    assert_eq!(values(&text), ["0x00000001", "0x00000002", "0x00000003"]);
    printed("write", card.path(), &["mode", "0x31", &describe]);
    let text = printed("watch", card.path(), &["mode", "--until=0x31", &describe]);
    assert_eq!(values(&text), ["0x00000031 (enable, speed=3)"]);
    // The enable bits are as before.
    assert_eq!(printed("read", card.path(), &["config+4", "--width=2"]), "0x0000\n");
}

#[test]
fn a_value_that_is_not_read_in_time_sets_the_exit_code() {
    let card = card();
    let arguments = ["bar0", "--until=7", "--time-limit=0.05", "--interval=0.001"];
    let output = vfu("watch", card.path(), &arguments);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("the value 0x7 was not read within 50ms"), "{text}");
    // It was printed once, since it did not change.
    assert_eq!(values(&String::from_utf8(output.stdout).unwrap()), ["0x00001234"]);
}

#[test]
fn rows_of_a_range_are_printed_when_they_change() {
    let card = card();
    let arguments = ["bar0+0x1f0", "--len=20", "--time-limit=0.2", "--interval=0.001"];
    let text = printed("watch", card.path(), &arguments);
    let lines = values(&text);
    assert_eq!(lines[0], "000001f0: 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00");
    assert_eq!(lines[1..3], ["00000200: 01 00 00 00", "00000200: 02 00 00 00"]);
}

#[test]
fn lines_are_objects_on_request() {
    let card = card();
    let arguments = ["bar0+0x200", "--until=2", "--interval=0.001", "--json"];
    let text = printed("watch", card.path(), &arguments);
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["value"], &lines[1]["value"]), (&"0x1".into(), &"0x2".into()));
    assert!(lines[1]["seconds"].as_f64() >= lines[0]["seconds"].as_f64(), "{text}");
}

#[test]
fn wrong_arguments_are_refused() {
    let card = card();
    for wrong in ["--len=0", "--len=65537", "--interval=0", "--until=0x100000000"] {
        error("watch", card.path(), &["bar0", wrong]);
    }
    assert!(error("watch", card.path(), &["bar0+0x1000"]).contains("EINVAL"));
}
