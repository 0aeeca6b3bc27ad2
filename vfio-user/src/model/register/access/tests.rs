//! The masks against a reference without masks: one field at a time, as UVM's `uvm_reg_field`
//! predicts it (`XpredictX`, `do_predict`), from the policy's name.

use proptest::prelude::*;

use super::*;
use crate::model::Register;

/// A field's value after a write of `value` to the whole field (`XpredictX`).
fn predicted_write(policy: Policy, current: u64, value: u64, ones: u64) -> u64 {
    match policy {
        Policy::Ro | Policy::Rc | Policy::Rs => current,
        Policy::Rw | Policy::Wrc | Policy::Wrs | Policy::Wo | Policy::W1 | Policy::Wo1 => value,
        Policy::Wc | Policy::Wcrs | Policy::Woc => 0,
        Policy::Ws | Policy::Wsrc | Policy::Wos => ones,
        Policy::W1c | Policy::W1crs => current & !value,
        Policy::W1s | Policy::W1src => current | value,
        Policy::W1t => current ^ value,
        Policy::W0c | Policy::W0crs => current & value,
        Policy::W0s | Policy::W0src => current | (!value & ones),
        Policy::W0t => current ^ (!value & ones),
    }
}

/// A field's value after a read (`do_predict`, `UVM_PREDICT_READ`).
fn predicted_read(policy: Policy, current: u64, ones: u64) -> u64 {
    match policy {
        Policy::Rc | Policy::Wrc | Policy::Wsrc | Policy::W1src | Policy::W0src => 0,
        Policy::Rs | Policy::Wrs | Policy::Wcrs | Policy::W1crs | Policy::W0crs => ones,
        _ => current,
    }
}

/// Whether a write is of the whole field however few of its bits are enabled.
fn writes_whole_field(policy: Policy) -> bool {
    use Policy::{Wc, Wcrs, Woc, Wos, Ws, Wsrc};
    matches!(policy, Wc | Wcrs | Woc | Ws | Wsrc | Wos)
}

/// The value that stands for disabled bits: the one that changes nothing.
fn inert(policy: Policy, current: u64) -> u64 {
    match policy {
        Policy::W1c | Policy::W1s | Policy::W1t | Policy::W1src | Policy::W1crs => 0,
        Policy::W0c | Policy::W0s | Policy::W0t | Policy::W0src | Policy::W0crs => u64::MAX,
        _ => current,
    }
}

/// A register's state, field by field.
#[derive(Clone, Debug)]
struct Model {
    fields: Vec<(Field, Policy)>,
    stored: u64,
    written: u64,
}

impl Model {
    fn replace(&mut self, field: &Field, value: u64) {
        self.stored = (self.stored & !field.mask()) | (value << field.shift & field.mask());
    }

    fn write(&mut self, value: u64, enable: u64) {
        for (field, policy) in self.fields.clone() {
            let (current, on) = (field.extract(self.stored), field.extract(enable));
            if on == 0 {
                continue;
            }
            let ones = field.extract(u64::MAX);
            let mut on_bus = on;
            if matches!(policy, Policy::W1 | Policy::Wo1) {
                on_bus &= !field.extract(self.written);
            }
            let written = field.extract(value);
            let seen = (written & on_bus) | (inert(policy, current) & ones & !on_bus);
            let seen = if writes_whole_field(policy) { written } else { seen };
            self.replace(&field, predicted_write(policy, current, seen, ones));
        }
        self.written |= enable;
    }

    /// The value on the bus.
    fn read(&mut self, enable: u64) -> u64 {
        let mut bus = 0;
        for (field, policy) in self.fields.clone() {
            let (current, ones) = (field.extract(self.stored), field.extract(u64::MAX));
            if !matches!(policy, Policy::Wo | Policy::Woc | Policy::Wos | Policy::Wo1) {
                bus |= current << field.shift;
            }
            if field.extract(enable) != 0 {
                self.replace(&field, predicted_read(policy, current, ones));
            }
        }
        bus & enable
    }
}

/// The masks at work, with the state that the runtime keeps.
struct Subject {
    register: Register,
    stored: u64,
    written: u64,
}

impl Subject {
    fn write(&mut self, value: u64, enable: u64) {
        let access = self.register.access();
        let touched = self.register.touched_by(enable);
        let write = Write { value, enable, touched, written: self.written };
        self.stored = access.write(self.stored, write);
        self.written |= enable & access.once();
    }

    fn read(&mut self, enable: u64) -> u64 {
        let access = self.register.access();
        let bus = access.read(self.stored) & enable;
        self.stored = access.after_read(self.stored, self.register.touched_by(enable));
        bus
    }
}

fn compare(register: &Register, stored: u64, accesses: &[(bool, u8, u64)]) {
    let fields = match register.fields() {
        [] => vec![(Field::new("", 0, 64), register.policy())],
        fields => fields.iter().map(|field| (*field, field.policy.unwrap())).collect(),
    };
    let mut model = Model { fields, stored, written: 0 };
    let mut subject = Subject { register: *register, stored, written: 0 };
    for &(is_write, bytes, value) in accesses {
        let enable = enable_of(bytes);
        if is_write {
            model.write(value, enable);
            subject.write(value, enable);
        } else {
            assert_eq!(subject.read(enable), model.read(enable), "read of {enable:#x}");
        }
        assert_eq!(
            subject.stored,
            model.stored,
            "{:?}, {value:#x} to {enable:#x}",
            register.policy()
        );
    }
}

/// The bits of the bytes whose bit in `bytes` is set.
fn enable_of(bytes: u8) -> u64 {
    (0..8).filter(|byte| bytes >> byte & 1 == 1).map(|byte| byte_enable(byte, 1)).sum()
}

/// Two reads and two writes of every kind, in an order that shows what each leaves behind.
fn visits(bytes: u8, one: u64, other: u64) -> [(bool, u8, u64); 5] {
    [
        (true, bytes, one),
        (false, bytes, 0),
        (true, !bytes, other),
        (true, bytes, other),
        (false, 0xff, 0),
    ]
}

#[test]
fn every_policy_with_every_pattern_of_bytes_is_as_uvm_predicts() {
    let values = [0, u64::MAX, 0x0123_4567_89ab_cdef, 0xa5a5_5a5a_00ff_ff00];
    for policy in Policy::ALL {
        let register = Register::new::<u64>("whole", 0).with_policy(policy);
        for bytes in 0..=u8::MAX {
            for stored in values {
                for value in values {
                    compare(&register, stored, &visits(bytes, value, !value.rotate_left(8)));
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn random_values_are_as_uvm_predicts(
        policy in prop::sample::select(&Policy::ALL[..]),
        stored: u64,
        accesses in prop::collection::vec(any::<(bool, u8, u64)>(), 1..8),
    ) {
        compare(&Register::new::<u64>("whole", 0).with_policy(policy), stored, &accesses);
    }

    /// Fields of every policy side by side, at any bit: none disturbs its neighbours.
    #[test]
    fn neighbouring_fields_do_not_disturb_each_other(
        policies in prop::collection::vec(prop::sample::select(&Policy::ALL[..]), 1..12),
        widths in prop::collection::vec(1u8..14, 12),
        gaps in prop::collection::vec(0u8..3, 12),
        stored: u64,
        accesses in prop::collection::vec(any::<(bool, u8, u64)>(), 1..8),
    ) {
        let (mut fields, mut shift) = (Vec::new(), 0);
        for ((policy, width), gap) in policies.into_iter().zip(widths).zip(gaps) {
            shift += gap;
            if shift + width <= 64 {
                fields.push(Field::new("field", shift, width).with_policy(policy));
            }
            shift += width;
        }
        prop_assume!(!fields.is_empty());
        let register = Register::new::<u64>("split", 0).with_fields(fields.leak());
        compare(&register, stored, &accesses);
    }

    #[test]
    fn reserved_and_unwritable_bits_never_change(
        policy in prop::sample::select(&Policy::ALL[..]),
        mask: u64,
        writable: u64,
        stored: u64,
        value: u64,
        bytes: u8,
    ) {
        let register = Register::new::<u64>("f", 0).with_policy(policy).with_mask(mask).with_writable(writable & mask);
        let mut subject = Subject { register, stored: stored & mask, written: 0 };
        subject.write(value, enable_of(bytes));
        prop_assert_eq!((subject.stored ^ (stored & mask)) & !(writable & mask), 0);
        prop_assert_eq!(subject.read(u64::MAX) & !mask, 0);
        prop_assert_eq!(subject.stored & !mask, 0);
    }
}

#[test]
fn a_byte_acknowledges_its_own_bits_only() {
    let register = Register::new::<u32>("status", 0).with_policy(Policy::W1c);
    let mut subject = Subject { register, stored: 0x0101_0101, written: 0 };
    subject.write(0x01, byte_enable(0, 1));
    assert_eq!(subject.stored, 0x0101_0100);
}

#[test]
fn a_write_once_register_may_be_written_in_halves() {
    let register = Register::new::<u64>("key", 0).with_policy(Policy::W1);
    let mut subject = Subject { register, stored: 0, written: 0 };
    subject.write(0x1111_1111, byte_enable(0, 4));
    subject.write(0x2222_2222 << 32, byte_enable(4, 4));
    subject.write(0, u64::MAX);
    assert_eq!(subject.stored, 0x2222_2222_1111_1111);
}

#[test]
fn a_hook_sees_plain_bits_as_they_are_held_and_zeros_elsewhere() {
    let kept = |policy| {
        let register = Register::new::<u32>("f", 0).with_policy(policy);
        register.access().kept_by_hooks(byte_enable(1, 1)) & 0xffff_ffff
    };
    assert_eq!(kept(Policy::Rw), 0xffff_00ff);
    assert_eq!(kept(Policy::Wo), 0);
    assert_eq!(kept(Policy::W1c), 0);
}
