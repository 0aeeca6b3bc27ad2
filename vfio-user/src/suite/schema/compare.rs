//! Finds the changes of a schema, and decides which are allowed.
//!
//! A change is allowed if older state still loads, or if its version causes the refusal.

use super::text::{Entry, Fact, Schema, Section};
use crate::migration::{Shape, is_removed};

/// A difference.
#[derive(Debug)]
pub(super) struct Change {
    what: String,
    /// Whether older state still loads, or its version causes the refusal.
    pub(super) is_allowed: bool,
    /// Whether `convert` can turn older state into state that loads.
    is_convertible: bool,
}

impl Change {
    fn new(what: String, is_allowed: bool) -> Self {
        Change { what, is_allowed, is_convertible: true }
    }

    /// A change that no conversion can handle.
    fn refused(what: String) -> Self {
        Change { what, is_allowed: false, is_convertible: false }
    }

    /// Leaves older state to the author's conversion.
    fn convert(&mut self) {
        if self.is_convertible && !self.is_allowed {
            self.is_allowed = true;
            self.what.push_str(", which `convert` has to do");
        }
    }
}

/// Returns all differences between the record and the present schema, ignoring the order of fields.
pub(super) fn changes(old: &Schema, new: &Schema) -> Vec<Change> {
    let mut changes = Vec::new();
    if old.name != new.name {
        let what = format!("it was the state of `{}`", old.name);
        changes.push(Change::refused(what));
    }
    // Added or removed sections count as changes of the device's own section.
    let of_device = |schema: &Schema| {
        let device = schema.sections.iter().find(|section| section.id == "device");
        device.map_or((0, 0, false), |section| (section.version, section.min, section.converts))
    };
    let ((version, _, converted), (new_version, min, converts)) = (of_device(old), of_device(new));
    let removed: Vec<_> = new.sections.iter().flat_map(Section::removed).collect();
    for section in &old.sections {
        let is_it = |other: &&Section| other.id == section.id || other.was.contains(&section.id);
        if let Some(other) = new.sections.iter().find(is_it) {
            changes.extend(since_dropped(section, other, min));
            compare(section, other, &removed, &mut changes);
            continue;
        }
        let is_named = is_removed(&removed, &section.id);
        let what = demand(&format!("section `{}` is gone", section.id), REMOVE, version);
        changes.push(Change::new(what, min > version || is_named));
    }
    for section in &new.sections {
        let is_it = |other: &Section| other.id == section.id || section.was.contains(&other.id);
        if !old.sections.iter().any(is_it) {
            changes.push(section_new(section, version, min));
        }
    }
    if converts && (min..new_version).contains(&version) {
        changes.iter_mut().for_each(Change::convert);
    }
    if converted && !converts && min < version {
        let what = format!("state before version {version} is not converted any more");
        changes.push(Change::refused(demand(&what, "", version - 1)));
    }
    changes
}

/// Checks a section without `since`, which state of an accepted version may lack.
fn since_dropped(old: &Section, new: &Section, min: u16) -> Option<Change> {
    let is_dropped = old.since > min && new.since == 0;
    is_dropped.then(|| {
        let (id, since) = (&new.id, old.since);
        let what =
            format!("section `{id}` has no `since`, so state before version {since} lacks it");
        let what = format!("{what}: accept no state of before (`min = {since}`)");
        Change::new(what, false)
    })
}

/// Checks a new section, which older state lacks; `version` is that of the older device, and `min`
/// the oldest accepted now.
fn section_new(section: &Section, version: u16, min: u16) -> Change {
    let (id, since) = (&section.id, section.since);
    // Timers that a state lacks are not armed, blocks have their constructed values.
    let is_taken_for_granted = id == "timers" || section.is_part() || since > version;
    let what = format!("section `{id}` is new");
    if is_taken_for_granted {
        return Change::new(what, true);
    }
    let what = demand(&what, "say `since`, or ", version);
    Change::new(what, min > version)
}

/// Returns all changes, a line each; `None` if there are none.
pub(super) fn describe<'c>(
    name: &str,
    changes: impl Iterator<Item = &'c Change>,
) -> Option<String> {
    let lines: Vec<_> = changes
        .map(|Change { what, is_allowed, .. }| {
            let how = if *is_allowed { "" } else { " incompatibly" };
            format!("state of `{name}` changed{how}: {what}")
        })
        .collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

const REMOVE: &str = "name it in `removed(..)`, or ";
const CONVERT: &str = "convert it (`convert`), or ";

fn demand(what: &str, or: &str, version: u16) -> String {
    format!("{what}: {or}accept no state of before (`min = {}`)", version + 1)
}

/// The change of a field.
struct Difference {
    what: String,
    /// The reason why older state is not loaded.
    refused: Option<String>,
    /// An alternative fix.
    or: &'static str,
}

impl Difference {
    fn loaded(what: String) -> Self {
        Difference { what, refused: None, or: "" }
    }

    fn refused(what: String, why: impl Into<String>, or: &'static str) -> Self {
        Difference { what, refused: Some(why.into()), or }
    }
}

fn compare(old: &Section, new: &Section, removed: &[&str], changes: &mut Vec<Change>) {
    let id = &new.id;
    if let Some(was) = old.was.iter().find(|was| !new.was.contains(was) && **was != new.id) {
        let what = format!("section `{id}` is not found as `{was}` any more");
        let what = demand(&what, "", old.version);
        changes.push(Change::new(what, new.min > old.version));
    }
    if new.version < old.version {
        let what =
            format!("section `{id}` goes back from version {} to {}", old.version, new.version);
        changes.push(Change::refused(what));
        return;
    }
    let gone = old.entries.iter().filter_map(|entry| entry_gone(entry, new, removed));
    let others = new.entries.iter().filter_map(|entry| entry_now(entry, old, new));
    for Difference { what, refused, or } in gone.chain(others) {
        let what = match &refused {
            Some(why) if !why.is_empty() => format!("{what} in section `{id}`, {why}"),
            _ => format!("{what} in section `{id}`"),
        };
        let is_accepted = refused.is_none() || new.min > old.version;
        let what = match (is_accepted, new.version > old.version) {
            (false, _) if or.is_empty() && id != "layout" => demand(&what, CONVERT, old.version),
            (false, _) => demand(&what, or, old.version),
            (true, false) => format!("{what} without a new version"),
            (true, true) => what,
        };
        // A change that older state survives needs its version all the same.
        let is_convertible = id != "layout" && !is_accepted;
        let is_allowed = is_accepted && new.version > old.version;
        changes.push(Change { what, is_allowed, is_convertible });
    }
    if (old.version, old.min) != (new.version, new.min) {
        let what = format!(
            "section `{id}` version {}, min {} → version {}, min {}",
            old.version, old.min, new.version, new.min
        );
        changes.push(Change::new(what, true));
    }
}

/// Checks a removed field.
fn entry_gone(old: &Entry, new: &Section, removed: &[&str]) -> Option<Difference> {
    let is_renamed = new.entries.iter().any(|entry| entry.was().any(|was| was == old.name));
    if new.entry(&old.name).is_some() || is_renamed {
        return None;
    }
    if is_removed(removed, &old.name) {
        return Some(Difference::loaded(format!("field `{}` is removed", old.name)));
    }
    Some(Difference::refused(format!("field `{}` is gone", old.name), "", REMOVE))
}

/// Checks a new or changed field.
fn entry_now(new: &Entry, old: &Section, now: &Section) -> Option<Difference> {
    let name = &new.name;
    match old.entry(name).or_else(|| new.was().find_map(|was| old.entry(was))) {
        Some(old) if old == new => None,
        Some(old) if old.is_removed() && old.name == *name => {
            let what = format!("field `{name}` has the name of one that was removed");
            Some(Difference::refused(what, "", ""))
        }
        Some(_) if new.is_removed() => {
            Some(Difference::loaded(format!("field `{name}` is removed")))
        }
        Some(old) => {
            let what = described(old, new);
            Some(match refusal(old, new, now) {
                Some(why) => Difference::refused(what, why, ""),
                None => Difference::loaded(what),
            })
        }
        None if new.is_removed() => None,
        None if new.is_part() => Some(Difference::loaded(format!(
            "field `{name}` is elements of an array that has grown"
        ))),
        None if new.is_timer() => Some(Difference::loaded(format!("new timer `{name}`"))),
        None if new.since() > old.version.into() => {
            Some(Difference::loaded(format!("new field `{name}`")))
        }
        None => {
            let or = "say `since` and `default`, or ";
            Some(Difference::refused(format!("new field `{name}`"), "", or))
        }
    }
}

/// Describes a difference with both sides.
fn described(old: &Entry, new: &Entry) -> String {
    let name = &new.name;
    let of = |entry: &Entry| entry.to_string().replacen(": ", " ", 1);
    if old.name != new.name {
        return format!("field {} → {}", of(old), of(new));
    }
    let mut parts = Vec::new();
    if old.ty != new.ty {
        parts.push(format!("{} → {}", old.ty, new.ty));
    }
    let facts =
        old.facts.keys().chain(new.facts.keys().filter(|fact| !old.facts.contains_key(fact)));
    for fact in facts {
        if old.fact(*fact) != new.fact(*fact) {
            let of = |entry: &Entry| entry.fact(*fact).unwrap_or("nothing").to_owned();
            parts.push(format!("{} {} → {}", fact.key(), of(old), of(new)));
        }
    }
    format!("field `{name}` {}", parts.join(", "))
}

/// Returns the reason why older state is refused, for every value of the field or for some.
fn refusal(old: &Entry, new: &Entry, now: &Section) -> Option<String> {
    if now.id == "layout" {
        return Some(String::new());
    }
    let dropped = |was: &&str| new.was().all(|now| now != *was) && new.name != *was;
    if let Some(was) = old.was().find(dropped) {
        return Some(format!("so it is not found as `{was}` any more"));
    }
    if old.since() > u64::from(now.min) && new.since() == 0 {
        return Some(format!("so state before version {} lacks it", old.since()));
    }
    if let Some(why) = refused_type(old, new) {
        return Some(why);
    }
    // An array is written as a list, and another field may be one, too.
    let becomes_list = now.id == "device" && new.fact(Fact::Elements).is_none();
    let elements = old.fact(Fact::Elements);
    let grows = new.is_timer() && now.id == "timers" && count(old) <= count(new);
    if elements != new.fact(Fact::Elements) && !becomes_list && !grows {
        return Some("which has another number of elements".to_owned());
    }
    refused_len(old, new, elements.filter(|_| becomes_list)).or_else(|| refused_fields(old, new))
}

/// Returns the number of elements of an array; 1 for a single timer.
fn count(entry: &Entry) -> u64 {
    entry.fact(Fact::Elements).and_then(|count| count.parse().ok()).unwrap_or(1)
}

/// Checks collections that may hold fewer elements than before, including an array that becomes a
/// list.
fn refused_len(old: &Entry, new: &Entry, array: Option<&str>) -> Option<String> {
    let array = array.and_then(|elements| elements.parse().ok());
    let before = array.into_iter().chain(old.at_most()).chain(std::iter::repeat(u64::MAX));
    let mut levels = new.at_most().zip(before).enumerate();
    let (level, (most, _)) = levels.find(|(_, (now, before))| now < before)?;
    let within = if level == 0 { "" } else { " in one of its elements" };
    Some(format!("so state with more than {most} elements{within} is refused"))
}

/// Checks types: a register is a mask of bits, other fields have a type of the codec.
fn refused_type(old: &Entry, new: &Entry) -> Option<String> {
    let mask = |entry: &Entry| entry.ty.strip_prefix("bits ").and_then(number);
    match (mask(old), mask(new)) {
        (Some(old), Some(new)) if old & !new != 0 => {
            Some(format!("so state with any of the bits {:#x} is refused", old & !new))
        }
        (Some(_), Some(_)) => None,
        _ if old.ty == new.ty => None,
        _ => match (Shape::parse(&old.ty), Shape::parse(&new.ty)) {
            (Some(old), Some(new)) => {
                new.always_accepts(&old).err().map(|why| format!("which is refused: {why}"))
            }
            _ => Some("which is another type".to_owned()),
        },
    }
}

fn number(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// Checks fields of registers: a value that a field refuses is refused in a state, too.
fn refused_fields(old: &Entry, new: &Entry) -> Option<String> {
    let fields = |entry: &Entry| {
        let fields = entry.fact(Fact::Fields).unwrap_or_default().to_owned();
        fields
            .split(", ")
            .map(str::to_owned)
            .filter(|field| field.contains('!'))
            .collect::<Vec<_>>()
    };
    let (before, after) = (fields(old), fields(new));
    let changed = after.iter().find(|field| !before.contains(field))?;
    let (name, now) = changed.split_once('!')?;
    let had = before.iter().find_map(|field| Some((field.split_once('!')?, field)));
    let had = had.filter(|((before, _), _)| *before == name).map(|((_, values), _)| values);
    let lost =
        had.is_none_or(|had| had.split('/').any(|value| now.split('/').all(|now| now != value)));
    lost.then(|| format!("so state with another value of `{name}` is refused"))
}
