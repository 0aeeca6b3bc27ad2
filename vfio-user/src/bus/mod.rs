//! Accesses to registers, and their effects.

mod composer;
mod dispatch;
mod free;
mod map;
mod perform;
mod refusal;
mod reset;
mod rules;
pub(crate) mod shortcut;
mod state;
mod trace;
mod way;
mod word;

pub(crate) use composer::Composer;
pub(crate) use dispatch::{Bus, stored};
pub(crate) use map::{BarMap, Element, Target};
pub(crate) use refusal::{Attempt, Refusal, Refusals};
pub(crate) use reset::ResetValues;
pub(crate) use state::{Latch, State, States};
pub(crate) use trace::RegisterName;
