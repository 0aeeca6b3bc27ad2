//! A busy guest.

use std::sync::mpsc::{Sender, TryRecvError, channel};
use std::thread::{self, JoinHandle};

use crate::Result;
use crate::end::Bar1;

/// A thread that writes BAR 1 again and again until it is stopped or dropped.
pub(crate) struct Guest {
    stop: Sender<()>,
    thread: JoinHandle<vfio_user::Result<Written>>,
}

/// The bytes that a guest has written.
pub(crate) struct Written {
    pub(crate) times: u32,
    pub(crate) last: Vec<u8>,
}

impl Guest {
    pub(crate) fn start(bar1: Bar1) -> Self {
        let (stop, stopped) = channel();
        let thread = thread::spawn(move || {
            let mut written = Written { times: 0, last: Vec::new() };
            while written.times == 0 || stopped.try_recv() == Err(TryRecvError::Empty) {
                written.times += 1;
                written.last = pattern(bar1.size, written.times);
                bar1.write(&written.last)?;
            }
            Ok(written)
        });
        Guest { stop, thread }
    }

    /// Stops the thread after its current write.
    pub(crate) fn stop(self) -> Result<Written> {
        drop(self.stop);
        Ok(self.thread.join().map_err(|_| "the guest panicked")??)
    }
}

/// Returns bytes that differ each time, and at each offset.
pub(crate) fn pattern(size: usize, time: u32) -> Vec<u8> {
    let words = (0_u32..).map(|place| (place ^ time << 16).wrapping_mul(0x9e37_79b1));
    words.flat_map(u32::to_le_bytes).take(size).collect()
}
