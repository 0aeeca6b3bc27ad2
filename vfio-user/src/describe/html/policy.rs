//! Access policies in words and colours.

use crate::layout::policy::{OnRead, OnWrite};
use crate::model::Policy;

/// The name of a policy in its colour, with its meaning.
pub(super) fn tag(policy: Policy) -> String {
    let (class, name, effect) = (class(policy), policy.name(), effect(policy));
    format!("<abbr class=\"tag {class}\" title=\"{effect}\">{name}</abbr>")
}

/// Returns the kind of a policy, of which each has a colour.
pub(super) fn class(policy: Policy) -> &'static str {
    match (policy.on_write(), policy.on_read()) {
        (_, OnRead::ValueThenClear | OnRead::ValueThenSet) => "reads",
        (OnWrite::Nothing, _) => "ro",
        (OnWrite::Store | OnWrite::StoreOnce, OnRead::Hidden) => "wo",
        (OnWrite::Store | OnWrite::StoreOnce, _) => "rw",
        _ => "acts",
    }
}

/// `ones clear their bits; a read clears all bits`.
pub(super) fn effect(policy: Policy) -> String {
    let write = match policy.on_write() {
        OnWrite::Nothing => "writes do nothing",
        OnWrite::Store => "writes store their value",
        OnWrite::StoreOnce => "the first write after a reset stores its value",
        OnWrite::ClearAll => "a write clears all bits",
        OnWrite::SetAll => "a write sets all bits",
        OnWrite::OnesClear => "written ones clear their bits",
        OnWrite::OnesSet => "written ones set their bits",
        OnWrite::OnesToggle => "written ones toggle their bits",
        OnWrite::ZerosClear => "written zeros clear their bits",
        OnWrite::ZerosSet => "written zeros set their bits",
        OnWrite::ZerosToggle => "written zeros toggle their bits",
    };
    let read = match policy.on_read() {
        OnRead::Hidden => "reads return zero",
        OnRead::Value => "reads return the value",
        OnRead::ValueThenClear => "reads return the value and clear all bits",
        OnRead::ValueThenSet => "reads return the value and set all bits",
    };
    format!("{write}; {read}")
}
