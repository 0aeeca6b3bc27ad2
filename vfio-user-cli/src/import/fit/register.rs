//! Makes registers that compile.

use super::super::map::{Array, Register};
use super::super::policy;
use super::field;

/// Returns the register with what the language can express; else the reason why there is none.
pub(super) fn fit(mut register: Register, is_own: bool) -> Result<Register, String> {
    let bits = register.bits;
    register.bits = match bits {
        1..=64 => bits.next_power_of_two().max(8),
        _ => return Err(format!("it has {bits} bits")),
    };
    if register.bits != bits {
        register.notes.push(format!("it has {bits} bits"));
    }
    let bytes = register.bits / 8;
    if !register.offset.is_multiple_of(bytes) {
        return Err(format!("{:#x} is not aligned to {bytes} bytes", register.offset));
    }
    match register.array {
        Some(Array { count: 0, .. }) => return Err("it has no elements".to_owned()),
        Some(Array { count: 1, .. }) => register.array = None,
        Some(Array { stride, .. }) if !stride.is_multiple_of(bytes) => {
            return Err(format!("its elements, every {stride:#x} bytes, are not aligned"));
        }
        _ => {}
    }
    let all = u64::MAX >> (64 - register.bits);
    if let Some(reset) = register.reset.filter(|reset| reset & !all != 0) {
        register.notes.push(format!("its reset value {reset:#x} has more bits than it"));
        register.reset = Some(reset & all);
    }
    field::fit(&mut register);
    if !is_own {
        share_policy(&mut register);
    }
    Ok(register)
}

/// Returns the direction that a register answers if it shares its place: only reads have an effect,
/// or only writes. `None` if both have.
pub(super) fn direction(register: &Register) -> Option<bool> {
    let fields = register.fields.iter().map(|field| policy::direction(field.policy));
    let mut directions = fields.chain([policy::direction(register.policy)]);
    let first = directions.next()??;
    directions.all(|direction| direction == Some(first)).then_some(first)
}

/// Makes the policy that all fields have that of the register.
fn share_policy(register: &mut Register) {
    if let [first, others @ ..] = register.fields.as_slice()
        && others.iter().all(|other| other.policy == first.policy)
    {
        register.policy = first.policy;
    }
}

/// Returns whether a read of one half changes bits in the other one, so that the register has to be
/// wide.
pub(in super::super) fn is_torn(register: &Register) -> bool {
    let is_torn = |first: u64, width: u64, policy: &str| {
        policy::has_read(policy) && first < 32 && first + width > 32
    };
    register.bits == 64
        && match register.fields.as_slice() {
            [] => is_torn(0, 64, register.policy),
            fields => fields.iter().any(|field| is_torn(field.first, field.width, field.policy)),
        }
}
