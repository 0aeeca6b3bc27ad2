//! Digests of pages, which show whether a page has changed since it was sent.

use twox_hash::XxHash3_64;

use super::PAGE;

/// Reserved digests: of a page that was not sent, and of a page of zeros.
pub(super) const NEVER: u64 = 0;
pub(super) const ZEROS: u64 = 1;

/// The digest that was sent of a page.
#[derive(Clone, Copy)]
pub(super) struct Known(u64);

impl Known {
    pub(super) const NEVER: Self = Known(NEVER);

    /// Notes that a page with this digest was sent.
    pub(super) fn of(digest: u64) -> Self {
        Known(digest)
    }

    /// Returns whether a page with this digest needs no sending, or costs nothing.
    pub(super) fn is_sent(self, digest: u64) -> bool {
        digest == self.0 || digest == ZEROS
    }
}

/// Returns the digest of a page of any length.
pub(super) fn digest(page: &[u8]) -> u64 {
    const ZERO: [u8; PAGE] = [0; PAGE];
    if *page == ZERO[..page.len()] {
        return ZEROS;
    }
    XxHash3_64::oneshot(page).max(ZEROS + 1)
}
