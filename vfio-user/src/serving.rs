//! Whether a thread is in a hook.

use std::cell::Cell;

thread_local! {
    static SERVING: Cell<bool> = const { Cell::new(false) };
}

/// Puts things back as they were, also when a hook panics.
struct Before(bool);

impl Drop for Before {
    fn drop(&mut self) {
        SERVING.set(self.0);
    }
}

/// Runs code of a device on the thread that serves its client: until it returns, the client gets no
/// answer, and may give none.
pub(crate) fn while_serving<T>(run: impl FnOnce() -> T) -> T {
    let _before = Before(SERVING.replace(true));
    run()
}

/// Whether this thread serves a client now, and cannot wait for it.
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
