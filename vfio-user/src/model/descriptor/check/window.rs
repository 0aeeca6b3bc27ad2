//! The rules of windows, applied to a whole declaration.

use super::super::Descriptor;
use super::member::member;
use crate::layout::{self, Check, LayoutError};
use crate::model::{Register, RegisterBits, WindowBar};

/// Checks a window: it goes by single registers with storage, and its BAR is declared.
pub(super) const fn check_window(descriptor: &Descriptor, index: usize) -> Check<'static> {
    let register = &descriptor.registers[index];
    if let Err(error) = check_targets(register, descriptor.registers) {
        return Err(error);
    }
    check_window_bar(descriptor, register, register.bar())
}

/// The same for the windows of a block, whose own registers are checked apart.
pub(super) const fn check_block_windows(descriptor: &Descriptor, index: usize) -> Check<'static> {
    let bar = descriptor.blocks[index].bar();
    let mut step = 0;
    while step <= descriptor.blocks[index].inner().len() {
        let registers = descriptor.blocks[member(descriptor, index, step)].registers();
        let mut i = 0;
        while i < registers.len() {
            if let Err(error) = check_window_bar(descriptor, &registers[i], bar) {
                return Err(error);
            }
            i += 1;
        }
        step += 1;
    }
    Ok(())
}

const fn check_window_bar(descriptor: &Descriptor, register: &Register, own: u8) -> Check<'static> {
    let Some(window) = register.window() else { return Ok(()) };
    match window.bar() {
        WindowBar::Own if own == layout::CONFIG => {
            Err(LayoutError::WindowInConfig { register: register.name() })
        }
        WindowBar::Number(bar) if descriptor.bar(bar).is_none() => {
            Err(LayoutError::WindowBar { register: register.name(), bar })
        }
        _ => Ok(()),
    }
}

/// Checks that the mask of the register by which a window goes has no offsets that its BAR lacks.
/// At run time the BAR may be smaller.
pub const fn check_window_reach(descriptor: &Descriptor, index: usize) -> Check<'static> {
    let register = &descriptor.registers[index];
    let Some(window) = register.window() else { return Ok(()) };
    let number = match window.bar() {
        WindowBar::Own => register.bar(),
        WindowBar::Number(bar) => bar,
        WindowBar::Selected(_) => return Ok(()),
    };
    let at = &descriptor.registers[window.at().register];
    match descriptor.bar(number) {
        Some(bar) => {
            let (name, mask) = (register.name(), at.implemented());
            layout::window_reach(name, at.name(), mask, number, bar.size())
        }
        None => Ok(()),
    }
}

/// Checks that all bits by which a window goes are those of a single register with storage.
const fn check_targets(register: &Register, registers: &[Register]) -> Check<'static> {
    let Some(window) = register.window() else { return Ok(()) };
    let selected = match window.bar() {
        WindowBar::Selected(bits) => Some(bits),
        WindowBar::Own | WindowBar::Number(_) => None,
    };
    let bits = [Some(window.at()), selected, window.len()];
    let mut i = 0;
    while i < bits.len() {
        if let Some(RegisterBits { register: target, mask, .. }) = bits[i] {
            let is_single = target < registers.len()
                && registers[target].count() == 1
                && registers[target].is_stored();
            if !is_single || mask == 0 {
                return Err(LayoutError::WindowTarget { register: register.name() });
            }
        }
        i += 1;
    }
    Ok(())
}
