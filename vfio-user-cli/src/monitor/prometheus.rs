//! A snapshot in the text format of Prometheus.

use std::fmt::{self, Write as _};
use std::path::Path;

use vfio_user::monitor::{Counters, Mapping, UnmodelledPlace, Vector};

use super::snapshot::Snapshot;

/// Metrics of one name.
struct Metric<'a> {
    text: &'a mut String,
    device: &'a str,
    monitor: &'a str,
    name: &'static str,
}

/// A label value, escaped.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for letter in self.0.chars() {
            match letter {
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                '\n' => f.write_str("\\n")?,
                letter if letter.is_control() => write!(f, "\\\\u{:x}", u32::from(letter))?,
                letter => f.write_char(letter)?,
            }
        }
        f.write_str("\"")
    }
}

impl Metric<'_> {
    fn add(&mut self, labels: &[(&str, &str)], value: impl fmt::Display) {
        // Strings take all text.
        let (device, monitor) = (Quoted(self.device), Quoted(self.monitor));
        let _ = write!(self.text, "vfio_user_{}{{device={device},monitor={monitor}", self.name);
        for (name, label) in labels {
            let _ = write!(self.text, ",{name}={}", Quoted(label));
        }
        let _ = writeln!(self.text, "}} {value}");
    }
}

/// What a metric shows of a vector.
type Value = fn(&Vector) -> u64;

/// All metrics of a device.
struct Metrics<'a> {
    text: String,
    snapshot: &'a Snapshot,
    /// The path of the monitor: it distinguishes devices of one name.
    monitor: &'a str,
}

/// Returns the text of what a monitor shows.
pub(super) fn text(snapshot: &Snapshot, monitor: &Path) -> String {
    let monitor = &monitor.to_string_lossy();
    let mut metrics = Metrics { text: String::new(), snapshot, monitor };
    metrics.device();
    metrics.accesses();
    metrics.hooks();
    if let Some(answers) = snapshot.answers() {
        metrics.sums(&answers.counters);
        metrics.interrupts(&answers.interrupts);
        metrics.dma(&answers.dma);
        metrics.unmodelled(&answers.unmodelled);
    }
    metrics.text
}

impl Metrics<'_> {
    fn counter(&mut self, name: &'static str, help: &str) -> Metric<'_> {
        self.metric(name, "counter", help)
    }

    fn gauge(&mut self, name: &'static str, help: &str) -> Metric<'_> {
        self.metric(name, "gauge", help)
    }

    fn metric(&mut self, name: &'static str, kind: &str, help: &str) -> Metric<'_> {
        let _ = writeln!(self.text, "# HELP vfio_user_{name} {help}");
        let _ = writeln!(self.text, "# TYPE vfio_user_{name} {kind}");
        let (device, monitor) = (&self.snapshot.device.name, self.monitor);
        Metric { text: &mut self.text, device, monitor, name }
    }

    fn device(&mut self) {
        let device = &self.snapshot.device;
        let vendor = format!("{:#06x}", device.vendor);
        let id = format!("{:#06x}", device.device);
        let process = device.process.to_string();
        let labels = [("vendor", &*vendor), ("id", &*id), ("process", &*process)];
        self.gauge("device_info", "The device.").add(&labels, 1);
        let observed = seconds(device.nanoseconds);
        self.gauge("observed_seconds", "Time since the counters were zero.").add(&[], observed);
        let answers = u8::from(self.snapshot.answers().is_some());
        self.gauge("answers", "0 while a hook does not return, otherwise 1.").add(&[], answers);
    }

    fn sums(&mut self, counters: &Counters) {
        self.counter("reads_total", "Reads of registers and of all else.").add(&[], counters.reads);
        self.counter("writes_total", "Writes.").add(&[], counters.writes);
        let mut refused = self.counter("refused_total", "Accesses, or parts, without effect.");
        for one in &counters.refused {
            refused.add(&[("reason", &one.reason)], one.count);
        }
        self.counter("dma_read_bytes_total", "Bytes read by DMA.").add(&[], counters.dma_read);
        self.counter("dma_written_bytes_total", "Bytes written by DMA.")
            .add(&[], counters.dma_written);
    }

    fn accesses(&mut self) {
        let accesses = &self.snapshot.accesses;
        let label = |is_register| if is_register { "register" } else { "place" };
        let mut reads = self.counter("place_reads_total", "Reads of a register or other place.");
        for count in accesses {
            reads.add(&[(label(count.register), &count.name)], count.reads);
        }
        let mut writes = self.counter("place_writes_total", "Writes to a register or other place.");
        for count in accesses {
            writes.add(&[(label(count.register), &count.name)], count.writes);
        }
    }

    fn interrupts(&mut self, vectors: &[Vector]) {
        let vectors: Vec<_> =
            vectors.iter().map(|vector| (vector, vector.vector.to_string())).collect();
        let metrics: [(&str, &str, &str, Value); 4] = [
            ("interrupts_raised_total", "counter", "Interrupts that were raised.", |v| v.raised),
            ("interrupts_delivered_total", "counter", "Eventfds signalled.", |v| v.delivered),
            ("interrupt_masked", "gauge", "Whether the vector is masked.", |v| v.masked.into()),
            ("interrupt_pending", "gauge", "Whether one is pending.", |v| v.pending.into()),
        ];
        for (name, kind, help, value) in metrics {
            let mut metric = self.metric(name, kind, help);
            for (vector, number) in &vectors {
                metric.add(&[("kind", &vector.kind), ("vector", number)], value(vector));
            }
        }
    }

    fn dma(&mut self, mappings: &[Mapping]) {
        self.gauge("dma_mappings", "Ranges that the client has mapped.").add(&[], mappings.len());
        let bytes: u128 =
            mappings.iter().map(|one| u128::from(one.last.saturating_sub(one.iova)) + 1).sum();
        self.gauge("dma_mapped_bytes", "Bytes that the client has mapped.").add(&[], bytes);
    }

    fn hooks(&mut self) {
        let hooks = &self.snapshot.hooks;
        let mut calls = self.counter("hook_calls_total", "Calls of hooks.");
        for hook in hooks {
            calls.add(&[("hook", &hook.name)], hook.calls);
        }
        let mut times = self.counter("hook_seconds_total", "Time in hooks.");
        for hook in hooks {
            times.add(&[("hook", &hook.name)], seconds(hook.nanoseconds));
        }
    }

    fn unmodelled(&mut self, places: &[UnmodelledPlace]) {
        let places: Vec<_> = places
            .iter()
            .map(|place| (place, place.bar.to_string(), format!("{:#x}", place.offset)))
            .collect();
        let mut metric =
            self.counter("unmodelled_accesses_total", "Accesses to what has no model.");
        for (place, bar, offset) in &places {
            let count = place.reads.saturating_add(place.writes);
            metric.add(&[("bar", bar), ("offset", offset)], count);
        }
    }
}

/// Whole nanoseconds as seconds.
fn seconds(nanoseconds: u64) -> String {
    format!("{}.{:09}", nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000)
}
