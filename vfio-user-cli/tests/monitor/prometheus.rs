//! `vfu inspect --prometheus`.

use std::fs;

use crate::exposition::Exposition;
use crate::pump::{self, Observed};

fn exposition(observed: &Observed) -> Exposition {
    Exposition::read(&observed.printed(&["--prometheus"]))
}

#[track_caller]
fn assert_is(read: &Exposition, name: &str, labels: &[(&str, &str)], expected: u32) {
    let labels: Vec<_> = labels.iter().copied().chain([("device", "pump")]).collect();
    let value = read.value(&format!("vfio_user_{name}"), &labels);
    assert_eq!(value.to_bits(), f64::from(expected).to_bits(), "{name}: {value}");
}

#[test]
fn counters_are_exposed_to_prometheus() {
    let mut observed = pump::observe(|monitor| monitor);
    observed.work();
    let read = exposition(&observed);
    assert_is(&read, "device_info", &[("vendor", "0x1af4"), ("id", "0x10fc")], 1);
    assert_is(&read, "reads_total", &[], 1);
    assert_is(&read, "writes_total", &[], 7);
    assert_is(&read, "refused_total", &[("reason", "read_only")], 1);
    assert_is(&read, "place_writes_total", &[("register", "control")], 3);
    assert_is(&read, "place_reads_total", &[("register", "ring[1]")], 1);
    assert_is(&read, "place_writes_total", &[("place", "places without a model")], 1);
    assert_is(&read, "interrupts_raised_total", &[("kind", "msix"), ("vector", "1")], 1);
    assert_is(&read, "interrupt_pending", &[("kind", "msix"), ("vector", "1")], 1);
    assert_is(&read, "interrupt_pending", &[("kind", "msix"), ("vector", "0")], 0);
    assert_is(&read, "dma_mappings", &[], 0);
    assert_is(&read, "hook_calls_total", &[("hook", "raise")], 1);
    assert_is(&read, "unmodelled_accesses_total", &[("bar", "0"), ("offset", "0x80")], 1);
    assert_eq!(read.kind("vfio_user_interrupt_pending"), "gauge");
    assert!(read.value("vfio_user_observed_seconds", &[]) > 0.0);
}

/// Two devices of one name are apart by their monitors, whatever is in the path.
#[test]
fn paths_are_escaped() {
    let mut observed = pump::observe(|monitor| monitor);
    let path = observed.path.with_file_name("a \"pump\"\\\nof\u{1b}mine.mon");
    fs::rename(&observed.path, &path).unwrap();
    observed.path = path;
    let text = observed.printed(&["--prometheus"]);
    assert!(!text.contains('\x1b'), "{text}");
    let shown = observed.path.to_str().unwrap().replace('\x1b', "\\u1b");
    let read = Exposition::read(&text);
    assert_is(&read, "reads_total", &[("monitor", &shown)], 0);
}

#[test]
fn counters_only_grow() {
    let mut observed = pump::observe(|monitor| monitor);
    for round in 1..=3 {
        observed.work();
        assert_is(
            &exposition(&observed),
            "place_writes_total",
            &[("register", "control")],
            3 * round,
        );
    }
}
