//! What threads may have of a device.

use vfio_user::{Irq, Remote, SessionDma, Shared};

fn is_for_threads<T: Clone + Send + Sync + 'static>() {}

#[test]
fn handles_are_for_any_thread() {
    is_for_threads::<Irq>();
    is_for_threads::<SessionDma>();
    is_for_threads::<Shared>();
    // Whatever the events are: they need not be shared.
    is_for_threads::<Remote<std::cell::Cell<u32>>>();
}
