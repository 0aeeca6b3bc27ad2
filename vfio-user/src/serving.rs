//! Tracks whether a thread runs a hook.

use std::cell::Cell;

thread_local! {
    static SERVING: Cell<bool> = const { Cell::new(false) };
}

/// Restores the previous value, even if a hook panics.
struct Before(bool);

impl Drop for Before {
    fn drop(&mut self) {
        SERVING.set(self.0);
    }
}

/// Runs device code on the thread that serves the client. Until it returns, the client receives no
/// answer and can send none.
pub(crate) fn while_serving<T>(run: impl FnOnce() -> T) -> T {
    let _before = Before(SERVING.replace(true));
    run()
}

/// Returns whether this thread is serving a client, and therefore cannot wait for it.
pub(crate) fn is_serving() -> bool {
    SERVING.get()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::catch_unwind;

    #[test]
    fn a_thread_serves_until_its_hook_ends_however_that_is() {
        assert!(!is_serving());
        while_serving(|| {
            while_serving(|| ());
            assert!(is_serving());
        });
        let panicked = catch_unwind(|| while_serving(|| std::panic::resume_unwind(Box::new(()))));
        assert!(panicked.is_err() && !is_serving());
    }
}
