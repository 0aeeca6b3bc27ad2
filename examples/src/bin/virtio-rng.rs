//! An entropy device (Virtual I/O Device 1.2, 5.4).
//!
//! ```console
//! $ virtio-rng --socket-path=/tmp/rng.sock
//! ```

use std::fs::File;
use std::sync::Arc;

use clap::Parser;
use vfio_user::{Options, Result};
use vfio_user_virtio::{DeviceType, Error, Queue, VirtioDevice, VirtioPci};

/// The most bytes that one request gets: a request is not a way to keep the device busy.
const MOST: u64 = 64 << 10;

/// Serves a virtio entropy device over vfio-user
#[derive(Parser)]
struct Program {
    #[command(flatten)]
    options: Options,
}

/// A source of random bytes.
struct Rng {
    source: Arc<File>,
}

impl VirtioDevice for Rng {
    type State = ();

    fn device_type(&self) -> DeviceType {
        DeviceType::ENTROPY
    }

    fn queue_sizes(&self) -> Vec<u16> {
        vec![64]
    }

    fn process(&self, queue: &mut Queue<'_>) -> Result<(), Error> {
        while let Some(request) = queue.pop()? {
            let len = request.writable_len().min(MOST);
            request.writable(0..len)?.read_from(&*self.source, 0)?;
            request.complete(u32::try_from(len).unwrap_or(0))?;
        }
        Ok(())
    }
}

fn main() -> Result<()> {
    let program = Program::parse();
    let source = Arc::new(File::open("/dev/urandom")?);
    program.options.run(|| VirtioPci::new(Rng { source: Arc::clone(&source) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rng() -> VirtioPci<Rng> {
        let source = Arc::new(File::open("/dev/urandom").unwrap());
        VirtioPci::new(Rng { source })
    }

    vfio_user::device_tests!(VirtioPci<Rng>, rng);
}
