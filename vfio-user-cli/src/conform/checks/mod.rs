//! The checks, by topic.

mod access;
mod dma;
mod feature;
mod framing;
mod header;
mod info;
mod irqs;
mod life;
mod migration;
mod multi;
mod reset;
mod version;

use super::check::Check;

/// Returns all checks, in the order in which they are made.
pub(super) fn all() -> impl Iterator<Item = &'static Check> {
    [
        version::CHECKS,
        header::CHECKS,
        framing::CHECKS,
        info::CHECKS,
        access::CHECKS,
        multi::CHECKS,
        irqs::CHECKS,
        dma::CHECKS,
        reset::CHECKS,
        feature::CHECKS,
        migration::CHECKS,
        life::CHECKS,
    ]
    .into_iter()
    .flatten()
}
