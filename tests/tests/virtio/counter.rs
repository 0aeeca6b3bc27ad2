//! A device that numbers requests.

use std::sync::atomic::{AtomicU32, Ordering};

use vfio_user_virtio::{DeviceType, Error, Queue, Request, VirtioDevice};

/// Answers a request with its number and its own first four bytes.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    count: AtomicU32,
}

impl Counter {
    fn answer(&self, request: &Request<'_, '_>) -> Result<(), Error> {
        let (question, answer) = (request.readable(0..4)?, request.writable(0..8)?);
        let mut bytes = [0; 8];
        question.read(0, &mut bytes[4..])?;
        // Nothing fails from here on, so the request counts once.
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        bytes[..4].copy_from_slice(&number.to_le_bytes());
        Ok(answer.write(0, &bytes)?)
    }
}

impl VirtioDevice for Counter {
    type State = u32;

    fn device_type(&self) -> DeviceType {
        DeviceType::CONSOLE
    }

    fn queue_sizes(&self) -> Vec<u16> {
        vec![64; 2]
    }

    fn process(&self, queue: &mut Queue<'_>) -> Result<(), Error> {
        while let Some(request) = queue.pop()? {
            self.answer(&request)?;
            request.complete(8)?;
        }
        Ok(())
    }

    fn reset(&self) {
        self.count.store(0, Ordering::Relaxed);
    }

    fn save(&self) -> u32 {
        self.count.load(Ordering::Relaxed)
    }

    fn load(&self, count: u32) -> Result<(), Error> {
        self.count.store(count, Ordering::Relaxed);
        Ok(())
    }
}
