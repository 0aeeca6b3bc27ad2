//! A description of a device as a page of HTML: one file, with nothing outside it.

mod bits;
mod card;
mod policy;
mod range;
mod text;

use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};
use std::iter;

use super::{Family, capability, phrases};
use crate::layout::CONFIG;
use crate::model::{Block, Descriptor, Policy, Register};
use card::{Card, Place};
use range::RangeCard;
use text::{Prose, escape};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("search.js");

/// A descriptor as a page.
pub(super) struct Page<'a>(pub(super) &'a Descriptor);

/// A BAR, or configuration space.
struct Space {
    id: String,
    title: String,
    subtitle: String,
    rules: Vec<String>,
    index: u8,
}

impl Display for Page<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Page(descriptor) = self;
        let name = escape(descriptor.name());
        let spaces = spaces(descriptor);
        writeln!(f, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">")?;
        writeln!(f, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">")?;
        writeln!(f, "<meta name=\"color-scheme\" content=\"light dark\">")?;
        // Whatever a description contains, the page loads nothing.
        writeln!(
            f,
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
             style-src 'unsafe-inline'; script-src 'unsafe-inline'\">"
        )?;
        writeln!(f, "<title>{name}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>")?;
        navigation(descriptor, &spaces, f)?;
        writeln!(f, "<main>")?;
        identity(descriptor, f)?;
        spaces.iter().try_for_each(|space| section(descriptor, space, f))?;
        others(descriptor, f)?;
        legend(descriptor, f)?;
        writeln!(f, "</main>\n<script>\n{SCRIPT}</script>\n</body>\n</html>")
    }
}

fn spaces(descriptor: &Descriptor) -> Vec<Space> {
    let bars = (0..).zip(descriptor.bars()).filter_map(|(index, bar)| {
        let bar = bar.as_ref()?;
        Some(Space {
            id: format!("bar{index}"),
            title: format!("BAR {index}"),
            subtitle: phrases::bar(bar),
            rules: phrases::bus_rules(descriptor, index, bar),
            index,
        })
    });
    let config = super::has_config(descriptor).then(|| Space {
        id: "config".to_owned(),
        title: "Configuration space".to_owned(),
        subtitle: String::new(),
        rules: Vec::new(),
        index: CONFIG,
    });
    bars.chain(config).collect()
}

fn navigation(descriptor: &Descriptor, spaces: &[Space], f: &mut Formatter<'_>) -> fmt::Result {
    let name = escape(descriptor.name());
    writeln!(f, "<nav>\n<a class=\"brand\" href=\"#top\">{name}</a>")?;
    writeln!(
        f,
        "<input type=\"search\" id=\"search\" placeholder=\"Search: name, offset, text\" \
         aria-label=\"Search registers\" autocomplete=\"off\" spellcheck=\"false\"/>"
    )?;
    writeln!(f, "<output id=\"count\" for=\"search\"></output>")?;
    writeln!(f, "<input type=\"checkbox\" id=\"menu\"/><label for=\"menu\">Contents</label>")?;
    writeln!(f, "<ul>")?;
    for Space { id, title, index, .. } in spaces {
        writeln!(f, "<li class=\"space\"><a href=\"#{id}\">{title}</a></li>")?;
        for register in super::registers(descriptor, *index) {
            item(&Place::of(register), f)?;
        }
        for block in super::blocks(descriptor, *index) {
            block_items(descriptor, block, f)?;
        }
        for range in RangeCard::all(descriptor, *index) {
            let (anchor, name) = (range.anchor(), escape(range.name));
            let start = format!("{:#06x}", range.start);
            writeln!(f, "<li><a href=\"#{anchor}\"><code>{start}</code> {name}</a></li>")?;
        }
    }
    writeln!(f, "</ul>\n</nav>")
}

/// Writes the lines of a block, and of the blocks in it, in the contents.
fn block_items(
    descriptor: &Descriptor,
    block: &'static Block,
    f: &mut Formatter<'_>,
) -> fmt::Result {
    let (id, around) =
        (escape(&block.path()).into_owned(), super::blocks_around(descriptor, block));
    let (extent, name) = (block.extent(), escape(block.name()));
    let letter = around.last().map_or('i', |(_, letter)| *letter);
    let list = if extent.count > 1 { format!("[{letter}]") } else { String::new() };
    let plus = if around.len() > 1 { "+ " } else { "" };
    let offset = format!("{plus}{:#06x}", extent.offset);
    writeln!(f, "<li><a href=\"#b.{id}\"><code>{offset}</code> {name}{list}</a></li>")?;
    for register in super::registers_in(descriptor, block) {
        item(&Place::of(register).inside_all(&around), f)?;
    }
    let inner = super::blocks_in(descriptor, block);
    inner.into_iter().try_for_each(|one| block_items(descriptor, one, f))
}

/// Writes the line of a register in the contents.
fn item(place: &Place, f: &mut Formatter<'_>) -> fmt::Result {
    let (anchor, offset, name) = (place.anchor(), &place.offset, escape(&place.short));
    writeln!(f, "<li><a href=\"#{anchor}\"><code>{offset}</code> {name}</a></li>")
}

fn identity(descriptor: &Descriptor, f: &mut Formatter<'_>) -> fmt::Result {
    let ids = descriptor.ids();
    writeln!(f, "<header id=\"top\">\n<h1>{}</h1>", escape(descriptor.name()))?;
    write!(f, "{}", Prose(descriptor.doc()))?;
    writeln!(f, "<dl class=\"facts\">")?;
    let code = |text: String| format!("<code>{text}</code>");
    fact("Device", &code(format!("{:04x}:{:04x}", ids.vendor, ids.device)), f)?;
    fact("Class", &code(format!("{:06x}", ids.class)), f)?;
    fact("Revision", &code(format!("{:02x}", ids.revision)), f)?;
    let subsystem = format!("{:04x}:{:04x}", ids.subsystem_vendor, ids.subsystem);
    fact("Subsystem", &code(subsystem), f)?;
    fact("Bus", &phrases::bus(descriptor), f)?;
    fact("Interrupts", &escape(&phrases::interrupts(descriptor)), f)?;
    if let Some(timers) = phrases::timers(descriptor) {
        fact("Timers", &escape(&timers), f)?;
    }
    writeln!(f, "</dl>")?;
    capabilities(descriptor, f)?;
    writeln!(f, "</header>")
}

fn fact(name: &str, value: &str, f: &mut Formatter<'_>) -> fmt::Result {
    writeln!(f, "<div><dt>{name}</dt><dd>{value}</dd></div>")
}

fn capabilities(descriptor: &Descriptor, f: &mut Formatter<'_>) -> fmt::Result {
    let all = capability::all(descriptor);
    if all.is_empty() {
        return Ok(());
    }
    writeln!(f, "<details>\n<summary>{} capabilities</summary>\n<ul class=\"list\">", all.len())?;
    for (offset, words) in all {
        writeln!(f, "<li><code>{offset:#05x}</code> {}</li>", escape(&words))?;
    }
    writeln!(f, "</ul>\n</details>")
}

fn section(descriptor: &Descriptor, space: &Space, f: &mut Formatter<'_>) -> fmt::Result {
    let Space { id, title, subtitle, rules, index } = space;
    writeln!(f, "<section class=\"bar\" id=\"{id}\">")?;
    writeln!(f, "<h2><a href=\"#{id}\">{title}</a> <small>{subtitle}</small></h2>")?;
    if !rules.is_empty() {
        writeln!(f, "<p class=\"rules\">{}</p>", escape(&rules.join(" ")))?;
    }
    let family = Family::of(descriptor).mentioned_by(card::link);
    for register in super::registers(descriptor, *index) {
        write!(f, "{}", Card { register, family, place: Place::of(register) })?;
    }
    super::blocks(descriptor, *index).into_iter().try_for_each(|one| block(descriptor, one, f))?;
    RangeCard::all(descriptor, *index).iter().try_for_each(|range| write!(f, "{range}"))?;
    writeln!(f, "</section>")
}

/// Writes a block, and the blocks in it.
fn block(descriptor: &Descriptor, block: &'static Block, f: &mut Formatter<'_>) -> fmt::Result {
    let (extent, family) = (block.extent(), Family::of_block(block).mentioned_by(card::link));
    let name = escape(&block.path()).into_owned();
    writeln!(f, "<section class=\"block\" id=\"b.{name}\">\n<h3><a href=\"#b.{name}\">{name}</a>")?;
    let registers = super::registers_around(descriptor, block);
    let selection = phrases::selection(block.own_count(), block.selector(), registers);
    match (extent.count, selection) {
        (_, Some(selection)) => writeln!(
            f,
            "<small>a block at <code>{:#x}</code>, {}</small>",
            extent.offset,
            escape(&selection)
        )?,
        (1, None) => writeln!(f, "<small>a block at <code>{:#x}</code></small>", extent.offset)?,
        (count, None) => writeln!(
            f,
            "<small>{count} blocks from <code>{:#x}</code>, every <code>{:#x}</code></small>",
            extent.offset, extent.stride
        )?,
    }
    writeln!(f, "</h3>\n{}", Prose(block.doc()))?;
    let around = super::blocks_around(descriptor, block);
    for register in super::registers_in(descriptor, block) {
        let place = Place::of(register).inside_all(&around);
        write!(f, "{}", Card { register, family, place })?;
    }
    let inner = super::blocks_in(descriptor, block);
    inner.into_iter().try_for_each(|one| self::block(descriptor, one, f))?;
    writeln!(f, "</section>")
}

/// Writes what a function has besides BARs.
fn others(descriptor: &Descriptor, f: &mut Formatter<'_>) -> fmt::Result {
    let rom = descriptor.rom().map(|_| format!("ROM: {}", phrases::Size(descriptor.rom_size())));
    let all: Vec<_> = rom.into_iter().chain(phrases::regions(descriptor)).collect();
    if all.is_empty() {
        return Ok(());
    }
    writeln!(f, "<section>\n<h2>Other regions</h2>\n<ul class=\"list\">")?;
    all.iter().try_for_each(|one| writeln!(f, "<li>{}</li>", escape(one)))?;
    writeln!(f, "</ul>\n</section>")
}

/// Writes what the policies that occur mean.
fn legend(descriptor: &Descriptor, f: &mut Formatter<'_>) -> fmt::Result {
    let blocks = iter::once(None).chain((0..descriptor.blocks().len()).map(Some));
    let registers = blocks.flat_map(|block| descriptor.registers_in(block));
    let names: BTreeSet<_> = registers.flat_map(|(_, register)| policies(register)).collect();
    let used = Policy::ALL.into_iter().filter(|policy| names.contains(policy.name()));
    let used: Vec<_> = used.collect();
    if used.is_empty() {
        return Ok(());
    }
    writeln!(f, "<section id=\"access\">\n<h2>Access</h2>\n<dl class=\"legend\">")?;
    for policy in used {
        let (tag, effect) = (policy::tag(policy), policy::effect(policy));
        writeln!(f, "<div><dt>{tag}</dt><dd>{effect}</dd></div>")?;
    }
    writeln!(f, "</dl>\n</section>")
}

fn policies(register: &Register) -> impl Iterator<Item = &'static str> {
    let of_register = register.policy();
    let fields = register.fields();
    let fields = fields.iter().map(move |field| field.policy.unwrap_or(of_register).name());
    fields.chain([of_register.name()])
}
