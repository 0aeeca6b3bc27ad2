//! Calls of the device's hooks. No other module creates a [`Cx`].

use super::{CONFIG_BAR, PciDevice, PciFunction};
use crate::bus::{Bus, Mirror, follow_resets};
use crate::device::{Cx, Method};
use crate::model::Slot;
use crate::protocol::Errno;

impl<D: PciDevice> PciFunction<D> {
    /// Calls a method of the device. Afterwards configuration space shows what the method has
    /// reported, and composed interrupts follow the registers.
    pub(super) fn call<T>(
        &mut self,
        method: Method,
        run: impl FnOnce(&mut D, &mut Cx<'_, D>) -> T,
    ) -> T {
        let result = self.call_for_state(method, run);
        self.compose_interrupts();
        result
    }

    /// Calls a method of the device that saves or loads its state. Interrupts do not follow the
    /// registers: they are part of the state, and loaded with them.
    pub(super) fn call_for_state<T>(
        &mut self,
        method: Method,
        run: impl FnOnce(&mut D, &mut Cx<'_, D>) -> T,
    ) -> T {
        let entered = self.runtime.running.method(method);
        let result = run(&mut self.device, &mut Cx::new(&self.runtime));
        drop(entered);
        self.follow_resets();
        result
    }

    /// Calls the hook of a timer.
    pub(super) fn call_timer(&mut self, slot: Slot) {
        let entered = self.runtime.running.timer(slot);
        self.device.run_timer(&mut Cx::new(&self.runtime), slot);
        drop(entered);
        self.follow_resets();
        self.compose_interrupts();
    }

    /// Follows what hooks have reset, also in shared memory.
    fn follow_resets(&mut self) {
        if self.runtime.soft.any() {
            follow_resets(
                &self.runtime,
                &mut self.register_states,
                &mut self.unmodelled,
                &mut self.composer,
            );
        }
        for scope in self.runtime.soft.take_unshown() {
            self.show_watched(|descriptor, slot| descriptor.is_reset(slot, scope));
        }
    }

    /// Accesses registers of a BAR, or of configuration space, which may call their hooks.
    pub(super) fn bus(
        &mut self,
        bar_index: usize,
        access: impl FnOnce(&mut Bus<'_, '_, D>) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let (accessed, bar_index) = (bar_index, self.origin(bar_index));
        let bars = self.descriptor.bars();
        let (bar, map) = match self.maps.get(bar_index) {
            Some(map) => (bars[bar_index].as_ref(), map),
            None => (Some(&CONFIG_BAR), &self.config_map),
        };
        let Some(bar) = bar else { return Err(Errno::EINVAL) };
        let mirror = (accessed != bar_index).then(|| bars[accessed].as_ref()).flatten();
        let mirror = mirror.map(|bar| Mirror { bar_index: accessed, bar });
        let result = access(&mut Bus {
            device: &mut self.device,
            cx: &mut Cx::new(&self.runtime),
            descriptor: &self.descriptor,
            bar_index,
            bar,
            mirror,
            map,
            msix: &mut self.msix,
            register_states: &mut self.register_states,
            unmodelled: &mut self.unmodelled,
            refusals: &mut self.refusals,
            touches: &mut self.touches,
            composer: &mut self.composer,
            maps: &self.maps,
            is_in_window: false,
            was_reset: false,
        });
        self.follow_resets();
        self.compose_interrupts();
        result
    }

    /// Follows what the hooks that observe composed interrupts have reported and reset. Interrupts
    /// are composed once more after a reset; a hook that resets the device every time is followed
    /// at the next access.
    fn follow_composed(&mut self) {
        if self.runtime.soft.any() {
            self.follow_resets();
            self.composer.compose(&mut self.device, &mut Cx::new(&self.runtime));
        }
        self.follow_resets();
        self.apply_reports();
    }

    /// Updates configuration space from the reports of hooks, and interrupts from the registers,
    /// once both can be borrowed.
    #[inline]
    pub(super) fn compose_interrupts(&mut self) {
        self.apply_reports();
        if !self.composer.is_empty() {
            self.composer.compose(&mut self.device, &mut Cx::new(&self.runtime));
            if self.composer.has_hooks() {
                self.follow_composed();
            }
        }
    }
}
