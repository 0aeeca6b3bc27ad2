//! The rules of a layout, applied to a whole declaration. Each rule is checked in constant
//! evaluation, by code that the derive generates, and again after `configure`.

#![expect(clippy::missing_errors_doc, reason = "the error is the rule that is violated")]

mod bar;
mod behaviour;
mod block;
mod capability;
mod config;
mod crowded;
mod express;
mod intr;
mod member;
mod memory;
mod mirror;
mod msix;
mod nesting;
mod range;
mod raw;
mod register;
mod shared;
mod sharing;
mod unmodelled;
mod window;

pub use bar::{check_access, check_bar};
pub use behaviour::{check_doorbell, check_lock, check_nothing_stored, check_pulse, check_wide};
pub use block::{check_block_array, check_block_place, check_inner_place, descriptor_of_block};
pub use capability::{
    check_capability_id, check_capability_mask, check_capability_options, check_capability_place,
    check_capability_version,
};
pub use crowded::crowded;
pub use express::{check_link_speed, check_link_width, check_payload};
pub use intr::{check_block_vectors, check_intr_trigger, check_intr_vector, check_intr_width};
pub use memory::{check_memory, check_memory_length};
pub use mirror::check_mirror;
pub use msix::{check_msi, check_msix};
pub use nesting::check_block_nesting;
pub use raw::check_raw_range;
pub use register::{
    check_array, check_default, check_mask, check_place, check_reset, check_writable,
};
pub use shared::{check_shared_area, check_unshared};
pub use sharing::{
    check_block_selector, check_block_selector_width, check_condition_values, check_overlay,
    check_selector_width,
};
pub use unmodelled::check_unmodelled;
pub use window::check_window_reach;

use bar::check_accesses;
use block::check_block;
use capability::check_capability;
use crowded::all_crowded;
use intr::{check_effects, check_intr};
use raw::check_raw;
use register::check_register;
use shared::check_shared;

use super::Descriptor;
use crate::layout::{self, Check, LayoutError};

impl Descriptor {
    /// Checks the whole declaration, as the build checks a derived one.
    ///
    /// # Errors
    ///
    /// The first rule that is violated.
    pub fn validate(&self) -> Result<(), LayoutError<'static>> {
        layout::vendor(self.ids.vendor.into())?;
        layout::class(self.ids.class.into())?;
        check_latencies(self)?;
        for bar in 0..6 {
            check_bar(self, bar)?;
            check_accesses(self, bar)?;
            check_shared(self, bar)?;
            check_mirror(self, bar)?;
            check_raw(self, bar)?;
        }
        let crowded = all_crowded(self);
        for (index, _) in self.registers_in(None) {
            check_register(self, index, &crowded)?;
            check_unshared(self, index)?;
        }
        for index in 0..self.own_blocks {
            check_block(self, index, &crowded)?;
        }
        for index in 0..self.memories.len() {
            check_memory(self, index, &crowded)?;
        }
        for index in 0..self.unmodelled.len() {
            check_unmodelled(self, index, &crowded)?;
        }
        for index in 0..self.capability_count() {
            check_capability(self, index)?;
        }
        check_effects(self)?;
        for index in 0..self.composed.len() {
            check_intr(self, index)?;
        }
        self.check_regions()?;
        if self.rom.is_some() {
            layout::rom_size(self.rom_size())?;
        }
        if self.msi != 0 {
            check_msi(self)?;
        }
        check_msix(self)
    }
}

/// PCI Express functions have no latencies on a parallel bus.
fn check_latencies(descriptor: &Descriptor) -> Check<'static> {
    for (option, value) in [("min_gnt", descriptor.min_gnt()), ("max_lat", descriptor.max_lat())] {
        layout::on_parallel_bus(option, value > 0 && descriptor.is_express())?;
    }
    Ok(())
}
