//! The picture.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::{Block, Paragraph, Row, Table};
use vfio_user::monitor::{AccessCount, LastAccess, Vector};

use super::Rates;
use super::rates::short;
use super::sample::Sample;
use crate::error::printable;
use crate::monitor::text;

/// What is on the screen.
#[derive(Debug, Default)]
pub(super) struct Screen {
    sample: Option<Sample>,
    rates: Rates,
    /// Why there is no newer sample.
    complaint: Option<String>,
    is_held: bool,
}

impl Screen {
    /// Shows a sample, and the rates since the last one.
    pub(super) fn show(&mut self, sample: Sample) {
        if let Some(before) = &self.sample {
            self.rates = Rates::between(before, &sample);
        }
        self.sample = Some(sample);
        self.complaint = None;
    }

    pub(super) fn complain(&mut self, reason: String) {
        self.complaint = Some(reason);
    }

    pub(super) fn set_held(&mut self, is_held: bool) {
        self.is_held = is_held;
    }

    pub(super) fn draw(&self, frame: &mut Frame<'_>) {
        let [head, middle, last, foot] = Layout::vertical([
            Constraint::Length(3),
            Constraint::Fill(3),
            Constraint::Fill(2),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        frame.render_widget(self.foot(), foot);
        let Some(sample) = &self.sample else { return };
        let [registers, side] =
            Layout::horizontal([Constraint::Fill(3), Constraint::Fill(2)]).areas(middle);
        frame.render_widget(self.head(sample), head);
        frame.render_widget(self.registers(sample, registers), registers);
        self.draw_side(sample, side, frame);
        frame.render_widget(accesses(sample, last), last);
    }

    fn head(&self, sample: &Sample) -> Paragraph<'static> {
        let (device, rates) = (&sample.device, &self.rates);
        let name =
            format!("{} {:04x}:{:04x}", printable(&device.name), device.vendor, device.device);
        let since = Duration::from_nanos(device.nanoseconds).as_secs();
        let first = Line::from(vec![
            name.bold(),
            format!("  process {}, observed for {since} s", device.process).into(),
        ]);
        let numbers = [
            ("reads", rates.reads),
            ("writes", rates.writes),
            ("interrupts", rates.interrupts),
            ("without effect", rates.refused),
        ];
        let texts = numbers.map(|(name, rate)| format!("{name} {}/s", short(rate)));
        let dma = format!(
            "DMA {}B/s read, {}B/s written   hooks {:.1} %",
            short(rates.dma_read),
            short(rates.dma_written),
            rates.hooks * 100.0
        );
        Paragraph::new(vec![first, texts.join("   ").into(), dma.into()])
    }

    /// The registers with the most accesses now, then those with the most ever.
    fn registers(&self, sample: &Sample, area: Rect) -> Table<'static> {
        let mut counts: Vec<_> = sample.accesses.iter().collect();
        let total = |count: &AccessCount| count.reads.saturating_add(count.writes);
        counts.sort_by(|one, other| {
            let heat = |count: &AccessCount| self.heat(count);
            heat(other).total_cmp(&heat(one)).then(total(other).cmp(&total(one)))
        });
        let rows = counts.into_iter().take(area.height.into()).map(|count| {
            let value = sample.values.get(&count.name).map(text::value).unwrap_or_default();
            let (reads, writes) = self.rates.accesses.get(&count.name).copied().unwrap_or_default();
            let name = printable(&count.name);
            Row::new([name, short(reads), short(writes), printable(&value)])
        });
        let widths = [
            Constraint::Fill(2),
            Constraint::Length(8),
            Constraint::Length(8),
            Constraint::Fill(3),
        ];
        table(rows, widths, ["register", "reads/s", "writes/s", "value"]).block(titled("Registers"))
    }

    fn heat(&self, count: &AccessCount) -> f64 {
        self.rates.accesses.get(&count.name).map_or(0.0, |(reads, writes)| reads + writes)
    }

    fn draw_side(&self, sample: &Sample, area: Rect, frame: &mut Frame<'_>) {
        let [interrupts, dma, refused] =
            Layout::vertical([Constraint::Fill(2), Constraint::Fill(1), Constraint::Fill(1)])
                .areas(area);
        frame.render_widget(self.interrupts(sample, interrupts), interrupts);
        frame.render_widget(mappings(sample), dma);
        let lines = sample
            .counters
            .refused
            .iter()
            .map(|one| Line::from(format!("{:<16}{:>10}", printable(&one.reason), one.count)));
        let refusals = Paragraph::new(lines.collect::<Vec<_>>());
        frame.render_widget(refusals.block(titled("Without effect")), refused);
    }

    /// The vectors that are used, those with the most interrupts now first.
    fn interrupts(&self, sample: &Sample, area: Rect) -> Table<'static> {
        let is_used = |one: &&Vector| one.assigned || one.raised > 0 || one.pending;
        let mut vectors: Vec<_> = sample.interrupts.iter().filter(is_used).collect();
        let rate = |one: &Vector| {
            self.rates.vectors.get(&(one.kind.clone(), one.vector)).copied().unwrap_or_default()
        };
        vectors.sort_by(|one, other| rate(other).total_cmp(&rate(one)));
        let rows = vectors.into_iter().take(area.height.into()).map(|one| {
            let name = printable(&format!("{} {}", one.kind, one.vector));
            Row::new([name, short(rate(one)), text::state(one)])
        });
        let widths = [Constraint::Length(10), Constraint::Length(8), Constraint::Fill(1)];
        table(rows, widths, ["interrupt", "raised/s", "state"]).block(titled("Interrupts"))
    }

    fn foot(&self) -> Line<'static> {
        let hook = self.sample.as_ref().and_then(|sample| sample.device.hook.as_ref());
        if let Some(complaint) = &self.complaint {
            return Line::from(printable(complaint)).reversed();
        }
        match hook {
            _ if self.is_held => Line::from("held; space goes on, q quits").reversed(),
            Some(hook) => {
                let time = Duration::from_nanos(hook.nanoseconds);
                Line::from(format!("{} runs for {time:.1?}", printable(&hook.name)))
            }
            None => Line::from("q quits, space holds").dim(),
        }
    }
}

fn mappings(sample: &Sample) -> Paragraph<'static> {
    let items = &sample.mappings.items;
    let more = if sample.mappings.next.is_some() { "+" } else { "" };
    let lines = items.iter().map(|one| {
        let write = if one.write { "rw" } else { "r-" };
        Line::from(format!("{:#x}..={:#x} {write} {}", one.iova, one.last, printable(&one.by)))
    });
    let title = format!("Mapped memory: {}{more}", items.len());
    Paragraph::new(lines.collect::<Vec<_>>()).block(Block::bordered().title(title))
}

/// The last accesses, the newest one at the bottom.
fn accesses(sample: &Sample, area: Rect) -> Table<'static> {
    let rows = usize::from(area.height.saturating_sub(3));
    let skipped = sample.last.len().saturating_sub(rows);
    let rows = sample.last[skipped..].iter().map(|access| {
        let LastAccess { nanoseconds, name, operation, value, .. } = access;
        let time = Duration::from_nanos(*nanoseconds).as_secs_f64();
        let value = if operation == "kick" { String::new() } else { format!("{value:#x}") };
        Row::new([format!("{time:.6}"), printable(operation), printable(name), value])
    });
    let widths = [
        Constraint::Length(14),
        Constraint::Length(6),
        Constraint::Fill(1),
        Constraint::Length(20),
    ];
    table(rows, widths, ["seconds", "", "place", "value"]).block(titled("Last accesses"))
}

fn table<const N: usize>(
    rows: impl IntoIterator<Item = Row<'static>>,
    widths: [Constraint; N],
    head: [&'static str; N],
) -> Table<'static> {
    Table::new(rows, widths).header(Row::new(head).style(Style::new().bold()))
}

fn titled(title: &'static str) -> Block<'static> {
    Block::bordered().title(title)
}
