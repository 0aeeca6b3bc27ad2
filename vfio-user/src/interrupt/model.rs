//! Random scripts, against a model that only determines when an interrupt may be delivered.
//!
//! The model looks at everything after every step; the implementation only at what the step has
//! changed. What it forgets to look at shows.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use super::tests::{eventfd_of, interrupts};
use super::*;
use crate::pci::MessageControl;

const INDEXES: [IrqIndex; 3] = [IrqIndex::Intx, IrqIndex::Msi, IrqIndex::Msix];
const COUNTS: [usize; 3] = [1, 4, 8];

#[derive(Clone, Debug)]
enum Step {
    Raise(u16),
    /// Everything that a handle of a session does that has ended.
    Late(u16),
    Withdraw(u16),
    Set(u16, bool),
    Assign(usize, usize),
    Deassign(usize, usize),
    Disable(usize),
    Mask(usize, usize, bool),
    MaskInTable(usize, bool),
    ControlMsix(bool, bool),
    ControlMsi(u32, bool),
    MaskMsi(u32),
    DisableLine(bool),
    Hold(bool),
    Reset,
    Migrate,
    Disconnect,
}

fn step() -> impl Strategy<Value = Step> {
    let vector = || (0..3usize, 0..8usize).prop_map(|(index, at)| (index, at % COUNTS[index]));
    prop_oneof![
        8 => (0..8u16).prop_map(Step::Raise),
        2 => (0..8u16).prop_map(Step::Late),
        2 => (0..8u16).prop_map(Step::Withdraw),
        4 => (0..8u16, any::<bool>()).prop_map(|(source, level)| Step::Set(source, level)),
        8 => vector().prop_map(|(index, at)| Step::Assign(index, at)),
        3 => vector().prop_map(|(index, at)| Step::Deassign(index, at)),
        1 => (0..3usize).prop_map(Step::Disable),
        6 => (vector(), any::<bool>()).prop_map(|((index, at), on)| Step::Mask(index, at, on)),
        4 => (0..8usize, any::<bool>()).prop_map(|(at, on)| Step::MaskInTable(at, on)),
        3 => any::<(bool, bool)>().prop_map(|(on, masked)| Step::ControlMsix(on, masked)),
        2 => (0..4u32, any::<bool>()).prop_map(|(log, on)| Step::ControlMsi((1 << log) >> 1, on)),
        2 => (0..16u32).prop_map(Step::MaskMsi),
        2 => any::<bool>().prop_map(Step::DisableLine),
        3 => any::<bool>().prop_map(Step::Hold),
        1 => Just(Step::Reset),
        1 => Just(Step::Migrate),
        1 => Just(Step::Disconnect),
    ]
}

#[derive(Clone, Copy, Default)]
struct Wire {
    assigned: bool,
    masked: bool,
    /// The sources that it pends for: a bit each, and one for what was loaded.
    levels: u16,
    pulses: u16,
    in_service: bool,
    signals: u64,
}

/// Loaded, and of no source.
const LOADED: u16 = 1 << 8;

impl Wire {
    fn pending(&self) -> bool {
        self.levels | self.pulses != 0
    }

    fn forget(&mut self) {
        (self.levels, self.pulses, self.in_service) = (0, 0, false);
    }
}

struct Model {
    wires: [[Wire; 8]; 3],
    levels: [bool; 8],
    /// `None` until it has been written.
    table: Option<[bool; 8]>,
    enabled: [u32; 3],
    /// Of MSI and MSI-X.
    held_back: [bool; 2],
    msi_masks: u32,
    line_disabled: bool,
    held: bool,
}

impl Model {
    fn new() -> Self {
        Model {
            wires: [[Wire::default(); 8]; 3],
            levels: [false; 8],
            table: None,
            enabled: [0; 3],
            held_back: [false; 2],
            msi_masks: 0,
            line_disabled: false,
            held: false,
        }
    }

    fn has_eventfd(&self, index: usize) -> bool {
        self.wires[index].iter().any(|wire| wire.assigned)
    }

    fn mode(&self) -> usize {
        match [2, 1].into_iter().find(|index| self.has_eventfd(*index)) {
            Some(index) => index,
            None => [2, 1].into_iter().find(|index| self.enabled[*index] > 0).unwrap_or(0),
        }
    }

    fn route(&self, source: u16) -> (usize, usize) {
        let mode = self.mode();
        let source = usize::from(source);
        let at = match mode {
            0 => 0,
            1 if self.enabled[1] > 0 => source % self.enabled[1] as usize,
            1 => match self.wires[1].iter().rposition(|wire| wire.assigned).unwrap() {
                0 => 0,
                1 => source % 2,
                _ => source % 4,
            },
            _ => source,
        };
        (mode, at)
    }

    fn raise(&mut self, source: u16) {
        let (mode, at) = self.route(source);
        self.withdraw(source);
        self.wires[mode][at].pulses |= 1 << source;
    }

    fn withdraw(&mut self, source: u16) {
        self.wires.iter_mut().flatten().for_each(|wire| wire.pulses &= !(1 << source));
    }

    fn set(&mut self, source: u16, level: bool) {
        let before = std::mem::replace(&mut self.levels[usize::from(source)], level);
        let (mode, at) = self.route(source);
        if !level {
            self.wires.iter_mut().flatten().for_each(|wire| wire.levels &= !(1 << source));
        } else if !before && mode != 0 {
            self.wires[mode][at].levels |= 1 << source;
        }
    }

    /// What pends stays so; which source it is for has been lost, unless it can only be one.
    /// Then it is for the level of that source, or was raised.
    fn migrate(&mut self) {
        for wire in self.wires.iter_mut().flatten() {
            let pends = wire.pending() || wire.in_service;
            wire.forget();
            wire.pulses = if pends { LOADED } else { 0 };
        }
        if self.mode() != 2 {
            return;
        }
        for source in 0..8_u16 {
            let wire = &mut self.wires[2][usize::from(source)];
            if wire.pending() {
                let is_level = self.levels[usize::from(source)];
                let own = 1 << source;
                (wire.levels, wire.pulses) = if is_level { (own, 0) } else { (0, own) };
            }
        }
    }

    fn forget(&mut self, index: usize) {
        self.wires[index].iter_mut().for_each(Wire::forget);
    }

    fn disable(&mut self, index: usize) {
        for wire in &mut self.wires[index] {
            (wire.assigned, wire.masked) = (false, false);
        }
        if self.enabled[index] == 0 {
            self.forget(index);
        }
    }

    fn control(&mut self, index: usize, enabled: u32) {
        if enabled == 0 && self.enabled[index] > 0 {
            self.forget(index);
        }
        self.enabled[index] = enabled;
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Raise(source) => self.raise(source),
            Step::Late(_) => {}
            Step::Withdraw(source) => self.withdraw(source),
            Step::Set(source, level) => self.set(source, level),
            Step::Assign(index, at) => self.wires[index][at].assigned = true,
            Step::Deassign(index, at) => self.wires[index][at].assigned = false,
            Step::Disable(index) => self.disable(index),
            Step::Mask(index, at, masked) => {
                let wire = &mut self.wires[index][at];
                (wire.masked, wire.in_service) = (masked, wire.in_service && masked);
            }
            Step::MaskInTable(at, masked) => self.table.get_or_insert([true; 8])[at] = masked,
            Step::ControlMsix(on, masked) => {
                self.control(2, if on { 8 } else { 0 });
                self.held_back[1] = masked;
            }
            Step::ControlMsi(enabled, masked) => {
                self.control(1, enabled);
                self.held_back[0] = masked;
            }
            Step::MaskMsi(masks) => self.msi_masks = masks,
            Step::DisableLine(disabled) => self.line_disabled = disabled,
            Step::Hold(held) => self.held = held,
            Step::Migrate => self.migrate(),
            Step::Reset => {
                (0..3).for_each(|index| self.forget(index));
                self.levels = [false; 8];
                self.table = None;
                self.enabled = [0; 3];
                (self.held_back, self.msi_masks, self.line_disabled) = ([false; 2], 0, false);
            }
            Step::Disconnect => {
                for index in 0..3 {
                    self.disable(index);
                    self.forget(index);
                }
            }
        }
    }

    /// Delivers all that may be.
    fn settle(&mut self) {
        let line = self.mode() == 0 && !self.line_disabled;
        let asserted = self.levels.contains(&true);
        for (index, count) in COUNTS.into_iter().enumerate() {
            for at in 0..count {
                let blocked = match index {
                    0 => !line,
                    1 => self.held_back[0] || self.msi_masks >> at & 1 == 1,
                    _ => self.held_back[1] || self.table.is_some_and(|masks| masks[at]),
                };
                let wire = &mut self.wires[index][at];
                let due = wire.pending() || (index == 0 && asserted);
                if due && wire.assigned && !wire.masked && !blocked && !self.held {
                    wire.signals += 1;
                    wire.masked = index == 0;
                    let is_pulse = index == 0 && wire.pending();
                    wire.forget();
                    wire.in_service = is_pulse;
                }
            }
        }
    }
}

struct Script {
    interrupts: Arc<Interrupts>,
    controls: InterruptControls,
    eventfds: [[Option<EventFd>; 8]; 3],
    /// Of the session before the current one.
    late: [Irq; 8],
    model: Model,
}

impl Script {
    fn new() -> Self {
        let interrupts = interrupts();
        let late = [0, 1, 2, 3, 4, 5, 6, 7].map(|source| interrupts.irq(source));
        interrupts.end_session();
        let (controls, eventfds) = (InterruptControls::default(), Default::default());
        Script { interrupts, controls, eventfds, late, model: Model::new() }
    }

    fn step(&mut self, step: &Step) {
        let interrupts = &self.interrupts;
        let live = [0, 1, 2, 3, 4, 5, 6, 7].map(|source| interrupts.irq(source));
        let number = |at: usize| u32::try_from(at).unwrap();
        match *step {
            Step::Raise(source) => interrupts.irq(source).raise(),
            Step::Late(source) => {
                let late = &self.late[usize::from(source)];
                assert!(late.has_ended());
                late.withdraw();
                late.set(!late.is_set());
                late.raise();
                assert!(late.eventfd().unwrap().is_none());
            }
            Step::Withdraw(source) => interrupts.irq(source).withdraw(),
            Step::Set(source, level) => interrupts.irq(source).set(level),
            Step::Assign(index, at) => {
                let (eventfd, fd) = eventfd_of();
                interrupts.assign(INDEXES[index], number(at), vec![fd].into()).unwrap();
                self.eventfds[index][at] = Some(eventfd);
            }
            Step::Deassign(index, at) => interrupts.deassign(INDEXES[index], number(at), 1),
            Step::Disable(index) => interrupts.disable(INDEXES[index]),
            Step::Mask(index, at, masked) => {
                let action = if masked { IrqAction::Mask } else { IrqAction::Unmask };
                interrupts.act(INDEXES[index], action, [number(at)]);
            }
            Step::MaskInTable(at, masked) => interrupts.mask_by_guest(number(at), masked),
            Step::ControlMsix(on, masked) => {
                let enabled = if on { 8 } else { 0 };
                self.controls.messages[1] = MessageControl { enabled, masked, masks: None };
                interrupts.apply_controls(self.controls);
            }
            Step::ControlMsi(enabled, masked) => {
                let masks = self.controls.messages[0].masks;
                self.controls.messages[0] = MessageControl { enabled, masked, masks };
                interrupts.apply_controls(self.controls);
            }
            Step::MaskMsi(masks) => {
                self.controls.messages[0].masks = Some(masks);
                interrupts.apply_controls(self.controls);
            }
            Step::DisableLine(disabled) => {
                self.controls.line_disabled = disabled;
                interrupts.apply_controls(self.controls);
            }
            Step::Hold(true) => interrupts.hold(),
            Step::Hold(false) => interrupts.release(),
            Step::Reset => {
                self.controls = InterruptControls::default();
                interrupts.reset();
            }
            Step::Migrate => interrupts.restore(&interrupts.save()),
            Step::Disconnect => interrupts.disconnect(),
        }
        if live.iter().all(Irq::has_ended) {
            self.late = live;
        }
        self.model.step(step);
        self.model.settle();
    }

    fn check(&mut self) -> TestCaseResult {
        for (index, count) in COUNTS.into_iter().enumerate() {
            let mut pending = 0;
            for at in 0..count {
                let wire = &mut self.model.wires[index][at];
                let signals = self.eventfds[index][at].as_ref().and_then(EventFd::take);
                let expected = std::mem::take(&mut wire.signals);
                prop_assert_eq!(signals.unwrap_or(0), expected, "{} {}", INDEXES[index], at);
                pending |= u64::from(wire.pending()) << at;
            }
            prop_assert_eq!(self.interrupts.pending(INDEXES[index], 0), pending);
        }
        let line = &self.model.wires[0][0];
        let shows = line.pending() || line.in_service || self.model.levels.contains(&true);
        prop_assert_eq!(self.interrupts.signals().line, shows);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn every_interrupt_is_delivered_when_it_may_be_and_once(steps in vec(step(), 1..60)) {
        let mut script = Script::new();
        for step in &steps {
            script.step(step);
            script.check()?;
        }
    }
}
