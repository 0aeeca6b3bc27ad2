//! A snapshot as text, for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use vfio_user::monitor::{
    AccessCount, Counters, DeviceInfo, HookTime, LastAccess, Mapping, NamedValue, UnmodelledPlace,
    Vector,
};

use super::snapshot::{Answers, Snapshot, State};
use crate::error::printable;

/// The number of last accesses that are printed.
const LAST: usize = 16;

/// A table: its columns are as wide as their widest cells.
#[derive(Debug, Default)]
struct Table(Vec<Vec<String>>);

impl Table {
    fn new<const N: usize>(head: [&str; N]) -> Self {
        Table(vec![head.map(str::to_owned).into()])
    }

    fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.0.push(cells.map(|cell| printable(&cell)).into());
    }

    /// Returns nothing if there are no rows.
    fn text(&self) -> String {
        let columns = self.0.first().map_or(0, Vec::len);
        let width = |column: usize| self.0.iter().map(|row| row[column].len()).max().unwrap_or(0);
        let widths: Vec<_> = (0..columns).map(width).collect();
        if self.0.len() < 2 {
            return String::new();
        }
        let mut text = String::from("\n");
        for row in &self.0 {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            let line = cells.collect::<Vec<_>>().join("  ");
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// Returns everything.
pub(super) fn of(snapshot: &Snapshot) -> String {
    let mut text = head(&snapshot.device);
    match &snapshot.state {
        State::Answered(answers) => {
            text += &sums(&answers.counters);
            text += &all_registers(answers, &snapshot.accesses);
            text += &accesses("elsewhere", &snapshot.accesses, false);
            text += &interrupts(&answers.interrupts);
            text += &dma(&answers.dma);
        }
        State::Unanswered { unanswered } => {
            // Strings take all text.
            let _ = writeln!(text, "{}", printable(unanswered));
            text += &accesses("register", &snapshot.accesses, true);
            text += &accesses("elsewhere", &snapshot.accesses, false);
        }
    }
    text += &hooks(&snapshot.hooks);
    text += &snapshot.answers().map(|answers| unmodelled(&answers.unmodelled)).unwrap_or_default();
    text += &last(&snapshot.last);
    text
}

fn head(device: &DeviceInfo) -> String {
    let mut text = format!(
        "{}, PCI {:04x}:{:04x}, process {}, observed for {:.3?}\n",
        printable(&device.name),
        device.vendor,
        device.device,
        device.process,
        Duration::from_nanos(device.nanoseconds),
    );
    if let Some(hook) = &device.hook {
        let time = Duration::from_nanos(hook.nanoseconds);
        // Strings take all text.
        let _ = writeln!(text, "{} runs for {time:.3?}", printable(&hook.name));
    }
    text
}

fn sums(counters: &Counters) -> String {
    let mut text = format!(
        "{} reads, {} writes; DMA: {} bytes read, {} written; hooks: {} calls, {:.3?}\n",
        counters.reads,
        counters.writes,
        counters.dma_read,
        counters.dma_written,
        counters.hook_calls,
        Duration::from_nanos(counters.hook_nanoseconds),
    );
    let refused = counters.refused.iter();
    let refused: Vec<_> =
        refused.map(|one| format!("{} {}", printable(&one.reason), one.count)).collect();
    if !refused.is_empty() {
        let _ = writeln!(text, "without effect: {}", refused.join(", "));
    }
    text
}

/// `0x80`, `0x80 (done)`; with a question mark if a hook computes another value.
pub(super) fn value(register: &NamedValue) -> String {
    let mark = if register.exact { "" } else { "?" };
    let set = if register.set.is_empty() { String::new() } else { format!(" ({})", register.set) };
    format!("{:#x}{mark}{set}", register.value)
}

/// Returns registers alone.
pub(super) fn registers(registers: &[NamedValue]) -> String {
    let lines = registers.iter().map(|register| {
        format!("{} = {}\n", printable(&register.name), printable(&value(register)))
    });
    lines.collect()
}

fn all_registers(answers: &Answers, accesses: &[AccessCount]) -> String {
    let counts = accesses.iter().filter(|count| count.register);
    let counts: BTreeMap<_, _> = counts.map(|count| (&*count.name, count)).collect();
    let mut table = Table::new(["register", "reads", "writes", "value"]);
    for register in &answers.registers {
        let count = counts.get(&*register.name);
        let (reads, writes) = count.map_or((0, 0), |count| (count.reads, count.writes));
        let value = value(register);
        table.row([register.name.clone(), reads.to_string(), writes.to_string(), value]);
    }
    table.text()
}

/// The accesses to registers, or those to all else.
fn accesses(head: &str, accesses: &[AccessCount], registers: bool) -> String {
    let mut table = Table::new([head, "reads", "writes"]);
    for count in accesses.iter().filter(|count| count.register == registers) {
        table.row([count.name.clone(), count.reads.to_string(), count.writes.to_string()]);
    }
    table.text()
}

/// What holds a vector: `assigned, masked, pending`.
pub(super) fn state(vector: &Vector) -> String {
    let flags =
        [(vector.assigned, "assigned"), (vector.masked, "masked"), (vector.pending, "pending")];
    let set: Vec<_> =
        flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, name)| name).collect();
    set.join(", ")
}

fn interrupts(vectors: &[Vector]) -> String {
    let mut table = Table::new(["interrupt", "raised", "delivered", "state"]);
    for vector in vectors {
        let name = format!("{} {}", vector.kind, vector.vector);
        let counts = [vector.raised, vector.delivered].map(|count| count.to_string());
        let [raised, delivered] = counts;
        table.row([name, raised, delivered, state(vector)]);
    }
    table.text()
}

fn dma(mappings: &[Mapping]) -> String {
    let mut table = Table::new(["mapped memory", "access", "by"]);
    for mapping in mappings {
        let range = format!("{:#018x}..={:#018x}", mapping.iova, mapping.last);
        let read = if mapping.read { "r" } else { "-" };
        let write = if mapping.write { "w" } else { "-" };
        table.row([range, format!("{read}{write}"), mapping.by.clone()]);
    }
    table.text()
}

fn hooks(hooks: &[HookTime]) -> String {
    let mut table = Table::new(["hooks", "calls", "time", "longest"]);
    for hook in hooks {
        let [time, longest] = [hook.nanoseconds, hook.longest]
            .map(|time| format!("{:.3?}", Duration::from_nanos(time)));
        table.row([hook.name.clone(), hook.calls.to_string(), time, longest]);
    }
    table.text()
}

fn unmodelled(places: &[UnmodelledPlace]) -> String {
    let mut table = Table::new(["without a model", "name", "reads", "writes", "written"]);
    for place in places {
        let name = place.name.as_ref().map(|(name, within)| format!("{name} + {within:#x}"));
        let written =
            place.written.map(|(first, last)| format!("first {first:#x}, last {last:#x}"));
        table.row([
            format!("BAR {} at {:#x}", place.bar, place.offset),
            name.unwrap_or_default(),
            place.reads.to_string(),
            place.writes.to_string(),
            written.unwrap_or_default(),
        ]);
    }
    table.text()
}

fn last(accesses: &[LastAccess]) -> String {
    let mut table = Table::new(["last accesses", "", "", ""]);
    let skipped = accesses.len().saturating_sub(LAST);
    for access in &accesses[skipped..] {
        let time = Duration::from_nanos(access.nanoseconds).as_secs_f64();
        let value =
            if access.operation == "kick" { String::new() } else { format!("{:#x}", access.value) };
        table.row([format!("{time:.6}"), access.operation.clone(), access.name.clone(), value]);
    }
    table.text()
}
