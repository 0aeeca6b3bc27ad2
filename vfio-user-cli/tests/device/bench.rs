//! `vfu bench`. What it prints is checked, no time.

use serde_json::Value;
use vfio_user::{Device, PciDevice};
use vfio_user_tests::serve::Running;

use crate::{card, error, printed};

const LATENCIES: [&str; 4] =
    ["read 4 bytes", "write 1 byte", "map and unmap", "trigger and receive"];
const RATES: [&str; 2] = ["posted writes", "bulk reads"];

#[track_caller]
fn json(running: &Running) -> Value {
    let text = printed("bench", running.path(), &["--seconds=0.05", "--json"]);
    serde_json::from_str(&text).unwrap()
}

fn names(rows: &Value) -> Vec<&str> {
    rows.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect()
}

#[test]
fn requests_are_measured_beside_an_echo() {
    let card = card();
    let report = printed("bench", card.path(), &["--seconds=0.05"]);
    let columns = |name: &str| {
        let row = report.lines().find_map(|line| line.strip_prefix(name));
        row.unwrap_or_else(|| panic!("{name}: {report}")).split_whitespace().count()
    };
    // The count, the percentiles, the maximum, the floor, the ratio.
    assert!(LATENCIES.into_iter().all(|name| columns(name) == 8), "{report}");
    assert_eq!(columns("posted writes"), 4, "{report}");
    // Both rates have a unit.
    assert_eq!(columns("bulk reads"), 6, "{report}");
    assert!(report.contains("\nread 4 bytes:\n") && report.contains(" ns "), "{report}");
    assert!(report.ends_with("█\n") && !report.contains("not measured"), "{report}");
    assert!(error("bench", card.path(), &["--seconds=-1"]).contains("number of seconds"));
}

#[test]
fn figures_are_json_on_request() {
    let json = json(&card());
    assert_eq!(names(&json["latencies"]), LATENCIES);
    for row in json["latencies"].as_array().unwrap() {
        let number = |name: &str| row[name].as_u64().unwrap();
        assert!(number("count") > 0 && number("floor") > 0, "{row}");
        let ranks = ["p50", "p90", "p99", "p99_9", "max"].map(number);
        assert!(ranks.is_sorted(), "{row}");
        let histogram = row["histogram"].as_array().unwrap();
        let counts = histogram.iter().map(|interval| interval[1].as_u64().unwrap());
        assert_eq!(counts.sum::<u64>(), number("count"), "{row}");
    }
    assert_eq!(names(&json["rates"]), RATES);
    for row in json["rates"].as_array().unwrap() {
        assert!(row["value"].as_f64() > Some(0.0) && row["floor"].as_f64() > Some(0.0), "{row}");
    }
    // The part of BAR 2 that a guest maps.
    assert_eq!(
        (&json["rates"][1]["bytes"], &json["rates"][1]["unit"]),
        (&0x1000.into(), &"bytes".into())
    );
    assert_eq!(json["skipped"], Value::Array(Vec::new()));
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x5678)]
#[bar(0: mem32, size = 0x1000)]
struct Quiet {
    #[reg(0x00, bar = 0)]
    status: u32,
}

impl Device for Quiet {
    type Event = ();
}

#[test]
fn what_a_server_lacks_is_skipped_with_a_reason() {
    let quiet = Running::at_path(Quiet::default);
    let json = json(&quiet);
    assert_eq!(names(&json["latencies"]), LATENCIES[..3]);
    assert_eq!(names(&json["skipped"]), LATENCIES[3..]);
    assert_eq!(json["skipped"][0]["reason"], "the device has no MSI-X, MSI or INTx");
    // No BAR can be mapped: the configuration space is read.
    assert_eq!(json["rates"][1]["bytes"], 0x100);
    let report = printed("bench", quiet.path(), &["--seconds=0.05"]);
    assert!(report.contains("\ntrigger and receive was not measured: the device has"), "{report}");
}
