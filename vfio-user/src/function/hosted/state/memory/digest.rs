//! Digests of pages: whether a page has changed since it was sent.

use twox_hash::XxHash3_64;

use super::PAGE;

/// Digests of pages: one that was not sent, and one of zeros.
pub(super) const NEVER: u64 = 0;
pub(super) const ZEROS: u64 = 1;

/// What is known of a page: the digest that was sent of it.
#[derive(Clone, Copy)]
pub(super) struct Known(u64);

impl Known {
    pub(super) const NEVER: Self = Known(NEVER);

    /// That a page with this digest was sent.
    pub(super) fn of(digest: u64) -> Self {
        Known(digest)
    }

    /// Whether a page with this digest need not be sent, or costs nothing.
    pub(super) fn is_sent(self, digest: u64) -> bool {
        digest == self.0 || digest == ZEROS
    }
}

/// The digest of a page, of whatever length.
pub(super) fn digest(page: &[u8]) -> u64 {
    const ZERO: [u8; PAGE] = [0; PAGE];
    if *page == ZERO[..page.len()] {
        return ZEROS;
    }
    XxHash3_64::oneshot(page).max(ZEROS + 1)
}
