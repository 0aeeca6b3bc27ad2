//! Accesses to registers, and their effects.

mod areas;
mod bar_access;
mod burndown;
mod choice;
mod composer;
mod dispatch;
mod element;
pub(crate) mod fast_path;
mod fast_run;
mod le;
mod map;
mod mirror;
mod perform;
mod port;
mod refusal;
mod register_state;
mod rules;
mod silence;
mod trace;
mod unmodelled;
mod unmodelled_access;
mod unregistered_bar;
mod window;

pub(crate) use areas::Contents;
pub(crate) use burndown::Touches;
pub use burndown::{Burndown, BurndownHandle, TouchedPlace};
pub(crate) use composer::Composer;
pub(crate) use dispatch::{Bus, stored};
pub(crate) use element::{AccessKind, Element, Found, Gap, Target};
pub(crate) use map::BarMap;
pub(crate) use perform::follow_resets;
pub(crate) use refusal::{Attempt, Refusal, Refusals};
pub(crate) use register_state::{Latch, RegisterState, RegisterStates};
pub(crate) use rules::{Mirror, pieces};
pub(crate) use trace::RegisterName;
pub(crate) use unmodelled::{PlaceName, UnmodelledBytes};
