//! What has changed, and what of it may.

use super::text::{Entry, Schema, Section};

/// A difference.
#[derive(Debug)]
pub(super) struct Change {
    what: String,
    /// Whether state that was saved before is loaded, or is refused because its version says so.
    pub(super) is_allowed: bool,
}

/// All differences between what was recorded and what there is. The order of fields is none.
pub(super) fn changes(old: &Schema, new: &Schema) -> Vec<Change> {
    let mut changes = Vec::new();
    if old.name != new.name {
        let what = format!("it was the state of `{}`", old.name);
        changes.push(Change { what, is_allowed: false });
    }
    // Sections that were added or removed are as the device has it, in its own.
    let of_device = |schema: &Schema| {
        let device = schema.sections.iter().find(|section| section.id == "device");
        device.map_or((0, 0), |section| (section.version, section.min))
    };
    let ((version, _), (_, min)) = (of_device(old), of_device(new));
    let removed: Vec<_> = new.sections.iter().flat_map(Section::removed).collect();
    for section in &old.sections {
        if let Some(other) = new.sections.iter().find(|other| other.id == section.id) {
            compare(section, other, &removed, &mut changes);
            continue;
        }
        let is_told = removed.contains(&section.id.as_str());
        let what = demand(&format!("section `{}` is gone", section.id), REMOVE, version);
        changes.push(Change { what, is_allowed: min > version || is_told });
    }
    for section in &new.sections {
        if old.sections.iter().all(|other| other.id != section.id) {
            let what = demand(&format!("section `{}` is new", section.id), "", version);
            // Timers that a state is without are not armed.
            changes.push(Change { what, is_allowed: min > version || section.id == "timers" });
        }
    }
    changes
}

/// All of them, a line each; `None` if there are none.
pub(super) fn told<'c>(name: &str, changes: impl Iterator<Item = &'c Change>) -> Option<String> {
    let lines: Vec<_> = changes
        .map(|Change { what, is_allowed }| {
            let how = if *is_allowed { "" } else { " incompatibly" };
            format!("state of `{name}` changed{how}: {what}")
        })
        .collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

const REMOVE: &str = "name it in `removed(..)`, or ";

fn demand(what: &str, or: &str, version: u16) -> String {
    format!("{what}: {or}accept no state of before (`min = {}`)", version + 1)
}

/// How a field has changed.
struct Difference {
    what: String,
    /// Whether older state is loaded all the same, if there is a new version.
    is_loaded: bool,
    /// What else helps.
    or: &'static str,
}

fn compare(old: &Section, new: &Section, removed: &[&str], changes: &mut Vec<Change>) {
    let id = &new.id;
    if new.version < old.version {
        let what =
            format!("section `{id}` goes back from version {} to {}", old.version, new.version);
        changes.push(Change { what, is_allowed: false });
        return;
    }
    let gone = old.entries.iter().filter_map(|entry| entry_gone(entry, new, removed));
    let others = new.entries.iter().filter_map(|entry| entry_now(entry, old, id));
    for Difference { what, is_loaded, or } in gone.chain(others) {
        let what = format!("{what} in section `{id}`");
        let is_accepted = is_loaded || new.min > old.version;
        let what = match (is_accepted, new.version > old.version) {
            (false, _) => demand(&what, or, old.version),
            (true, false) => format!("{what} without a new version"),
            (true, true) => what,
        };
        changes.push(Change { what, is_allowed: is_accepted && new.version > old.version });
    }
    if (old.version, old.min) != (new.version, new.min) {
        let what = format!(
            "section `{id}` version {}, min {} → version {}, min {}",
            old.version, old.min, new.version, new.min
        );
        changes.push(Change { what, is_allowed: true });
    }
}

/// A field that is there no more.
fn entry_gone(old: &Entry, new: &Section, removed: &[&str]) -> Option<Difference> {
    let is_renamed = new.entries.iter().any(|entry| entry.was.as_ref() == Some(&old.name));
    if new.entry(&old.name).is_some() || is_renamed {
        return None;
    }
    let is_loaded = removed.contains(&old.name.as_str());
    let how = if is_loaded { "removed" } else { "gone" };
    let what = format!("field `{}` is {how}", old.name);
    Some(Difference { what, is_loaded, or: REMOVE })
}

/// A field that is new, or another one than before.
fn entry_now(new: &Entry, old: &Section, id: &str) -> Option<Difference> {
    let name = &new.name;
    let renamed = new.was.as_ref().and_then(|was| old.entry(was));
    let difference = |what, is_loaded, or| Some(Difference { what, is_loaded, or });
    match (old.entry(name), renamed) {
        (Some(old), _) if old == new => None,
        (Some(old), _) if old.is_removed() => {
            difference(format!("field `{name}` has the name of one that was removed"), false, "")
        }
        (Some(_), _) if new.is_removed() => {
            difference(format!("field `{name}` is removed"), true, "")
        }
        (Some(old), _) | (None, Some(old)) => {
            let of = |entry: &Entry| entry.to_string().replacen(": ", " ", 1);
            let what = if old.name == new.name && old.ty != new.ty {
                format!("field `{name}` {} → {}", old.ty, new.ty)
            } else {
                format!("field {} → {}", of(old), of(new))
            };
            difference(what, id != "layout", "")
        }
        (None, None) if new.is_removed() => None,
        (None, None) if id == "timers" => difference(format!("new timer `{name}`"), true, ""),
        (None, None) => {
            let what = format!("new field `{name}`");
            difference(what, new.since > old.version, "say `since` and `default`, or ")
        }
    }
}
