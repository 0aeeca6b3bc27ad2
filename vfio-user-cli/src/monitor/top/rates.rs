//! Rates, from two looks at the same counters.

use std::collections::BTreeMap;

use super::sample::Sample;

/// The rates between two looks, each in events a second.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rates {
    pub(super) reads: f64,
    pub(super) writes: f64,
    pub(super) dma_read: f64,
    pub(super) dma_written: f64,
    pub(super) interrupts: f64,
    /// The part of the time that was spent in hooks.
    pub(super) hooks: f64,
    pub(super) refused: f64,
    /// Reads and writes of each register and of all else.
    pub(super) accesses: BTreeMap<String, (f64, f64)>,
    /// Interrupts that were raised by each vector.
    pub(super) vectors: BTreeMap<(String, u32), f64>,
}

impl Rates {
    /// Returns the rates from an earlier look to a later one. Counters that have been set to zero
    /// in between have none.
    pub(super) fn between(before: &Sample, after: &Sample) -> Self {
        let nanoseconds = after.device.nanoseconds.saturating_sub(before.device.nanoseconds);
        if nanoseconds == 0 {
            return Rates::default();
        }
        let rate = |before: u64, after: u64| per_second(after.saturating_sub(before), nanoseconds);
        let (old, new) = (&before.counters, &after.counters);
        let refused = |sample: &Sample| sum(sample.counters.refused.iter().map(|one| one.count));
        let raised = |sample: &Sample| sum(sample.interrupts.iter().map(|one| one.raised));
        Rates {
            reads: rate(old.reads, new.reads),
            writes: rate(old.writes, new.writes),
            dma_read: rate(old.dma_read, new.dma_read),
            dma_written: rate(old.dma_written, new.dma_written),
            interrupts: rate(raised(before), raised(after)),
            hooks: rate(old.hook_nanoseconds, new.hook_nanoseconds) / 1e9,
            refused: rate(refused(before), refused(after)),
            accesses: accesses(before, after, rate),
            vectors: vectors(before, after, rate),
        }
    }
}

/// Adds counters of a monitor, which may be any numbers.
fn sum(counts: impl Iterator<Item = u64>) -> u64 {
    counts.fold(0, u64::saturating_add)
}

fn accesses(
    before: &Sample,
    after: &Sample,
    rate: impl Fn(u64, u64) -> f64,
) -> BTreeMap<String, (f64, f64)> {
    let old: BTreeMap<_, _> =
        before.accesses.iter().map(|one| (&*one.name, (one.reads, one.writes))).collect();
    let rates = after.accesses.iter().map(|one| {
        let (reads, writes) = old.get(&*one.name).copied().unwrap_or_default();
        (one.name.clone(), (rate(reads, one.reads), rate(writes, one.writes)))
    });
    rates.collect()
}

fn vectors(
    before: &Sample,
    after: &Sample,
    rate: impl Fn(u64, u64) -> f64,
) -> BTreeMap<(String, u32), f64> {
    let old: BTreeMap<_, _> =
        before.interrupts.iter().map(|one| ((&*one.kind, one.vector), one.raised)).collect();
    let rates = after.interrupts.iter().map(|one| {
        let raised = old.get(&(&*one.kind, one.vector)).copied().unwrap_or_default();
        ((one.kind.clone(), one.vector), rate(raised, one.raised))
    });
    rates.collect()
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn per_second(count: u64, nanoseconds: u64) -> f64 {
    count as f64 * 1e9 / nanoseconds as f64
}

/// `0`, `7.5`, `12.3k`, `4.0M`.
pub(super) fn short(number: f64) -> String {
    match number {
        n if n >= 999_950_000.0 => format!("{:.1}G", n / 1e9),
        n if n >= 999_950.0 => format!("{:.1}M", n / 1e6),
        n if n >= 999.5 => format!("{:.1}k", n / 1e3),
        0.0 => "0".to_owned(),
        n if n < 9.95 => format!("{n:.1}"),
        n => format!("{n:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let numbers = [0.0, 0.25, 9.94, 9.95, 999.4, 1000.0, 12_345.0, 999_960.0, 4e9];
        let texts = numbers.map(short);
        assert_eq!(texts, ["0", "0.2", "9.9", "10", "999", "1.0k", "12.3k", "1.0M", "4.0G"]);
    }
}
