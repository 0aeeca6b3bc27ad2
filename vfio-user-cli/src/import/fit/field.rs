//! Makes fields that compile.

use std::collections::HashSet;

use super::super::map::{Field, Register};

/// Leaves out fields that share bits with others, and values that a field cannot have, and makes
/// the reset value one that the fields can have. What is left out becomes a note of the register.
pub(super) fn fit(register: &mut Register) {
    let (mut covered, mut fields) = (0u64, Vec::new());
    for mut field in std::mem::take(&mut register.fields) {
        let mask = mask(&field);
        if field.first + field.width > register.bits || covered & mask != 0 {
            let (first, last) = (field.first, field.first + field.width - 1);
            let name = &field.name;
            let reason = if covered & mask == 0 { "do not exist" } else { "are another field's" };
            register
                .notes
                .push(format!("left out field {name}: its bits {last} to {first} {reason}"));
            continue;
        }
        covered |= mask;
        values(&mut field, register.reset);
        fields.push(field);
    }
    if let Some(reset) = register.reset.filter(|reset| !fields.is_empty() && reset & !covered != 0)
    {
        let outside = reset & !covered;
        register
            .notes
            .push(format!("its reset value {reset:#x} sets bits outside its fields: {outside:#x}"));
        register.reset = Some(reset & covered);
    }
    register.fields = fields;
}

fn mask(field: &Field) -> u64 {
    let ones = u64::MAX >> (64 - field.width);
    ones.checked_shl(u32::try_from(field.first).unwrap_or(64)).unwrap_or(0)
}

/// Leaves out what a field cannot have; names the other values if it may have them.
fn values(field: &mut Field, register_reset: Option<u64>) {
    let most = u64::MAX >> (64 - field.width);
    let mut seen = HashSet::new();
    for value in std::mem::take(&mut field.values) {
        let reason = if value.value > most {
            "does not fit"
        } else if !seen.insert(value.value) {
            "has a name already"
        } else {
            field.values.push(value);
            continue;
        };
        field
            .notes
            .push(format!("left out value {} = {:#x}, which {reason}", value.name, value.value));
    }
    let is_named = |bits: u64| seen.contains(&bits);
    let is_whole = u64::try_from(seen.len()).is_ok_and(|count| count.checked_sub(1) == Some(most));
    if field.values.is_empty() || is_whole {
        (field.other, field.is_rejecting) = (None, false);
        return;
    }
    let reset = register_reset.map(|reset| (reset & mask(field)) >> field.first);
    let starts_as = reset.unwrap_or(0);
    if field.is_rejecting && is_named(starts_as) && field.other.is_none() {
        field.reset = (starts_as != 0 && !is_named(0)).then_some(starts_as);
        return;
    }
    if field.is_rejecting {
        field
            .notes
            .push("writes of other values are accepted, because it resets to one".to_owned());
    }
    field.is_rejecting = false;
    field.other.get_or_insert_with(|| "Other".to_owned());
}
