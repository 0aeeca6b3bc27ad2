//! Access policies in the terms of SVD.

use std::io::Result;

use super::xml::{self, Xml};
use crate::layout::policy::{OnRead, OnWrite};
use crate::model::Policy;

/// Writes `access`, and nothing else for the common policies.
pub(super) fn access(xml: &mut Xml, policy: Policy) -> Result<()> {
    let access = match (policy.on_write(), policy.is_readable()) {
        (OnWrite::Nothing, _) => "read-only",
        (OnWrite::StoreOnce, true) => "read-writeOnce",
        (OnWrite::StoreOnce, false) => "writeOnce",
        (_, true) => "read-write",
        (_, false) => "write-only",
    };
    xml::text(xml, "access", access)
}

/// Writes `modifiedWriteValues`, unless a write stores its value.
pub(super) fn write_effect(xml: &mut Xml, policy: Policy) -> Result<()> {
    let effect = match policy.on_write() {
        OnWrite::Nothing | OnWrite::Store | OnWrite::StoreOnce => return Ok(()),
        OnWrite::ClearAll => "clear",
        OnWrite::SetAll => "set",
        OnWrite::OnesClear => "oneToClear",
        OnWrite::OnesSet => "oneToSet",
        OnWrite::OnesToggle => "oneToToggle",
        OnWrite::ZerosClear => "zeroToClear",
        OnWrite::ZerosSet => "zeroToSet",
        OnWrite::ZerosToggle => "zeroToToggle",
    };
    xml::text(xml, "modifiedWriteValues", effect)
}

/// Writes `readAction`, unless a read changes nothing.
pub(super) fn read_effect(xml: &mut Xml, policy: Policy) -> Result<()> {
    let effect = match policy.on_read() {
        OnRead::Hidden | OnRead::Value => return Ok(()),
        OnRead::ValueThenClear => "clear",
        OnRead::ValueThenSet => "set",
    };
    xml::text(xml, "readAction", effect)
}
