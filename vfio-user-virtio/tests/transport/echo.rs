//! A device that answers with what it reads, in upper case.

use std::io::{Read as _, Write as _};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use vfio_user_virtio::{Activation, DeviceType, Error, Queue, VirtioDevice, VirtioPci};

/// A feature of the device's own.
pub(crate) const SHOUT: u64 = 1;

#[derive(Debug, Default)]
pub(crate) struct Echo {
    pub(crate) answered: AtomicU32,
    config: Mutex<[u8; 8]>,
    pub(crate) activation: Mutex<Option<Activation>>,
}

impl VirtioDevice for Echo {
    type State = (u32, [u8; 8]);

    fn device_type(&self) -> DeviceType {
        DeviceType::CONSOLE
    }

    fn queue_sizes(&self) -> Vec<u16> {
        vec![16, 256]
    }

    fn features(&self) -> u64 {
        SHOUT
    }

    fn config_len(&self) -> usize {
        8
    }

    fn read_config(&self, offset: usize, data: &mut [u8]) {
        data.copy_from_slice(&self.config.lock().unwrap()[offset..offset + data.len()]);
    }

    fn write_config(&self, offset: usize, data: &[u8]) {
        self.config.lock().unwrap()[offset..offset + data.len()].copy_from_slice(data);
    }

    fn activate(&self, activation: &Activation) -> Result<(), Error> {
        *self.activation.lock().unwrap() = Some(activation.clone());
        Ok(())
    }

    fn process(&self, queue: &mut Queue<'_>) -> Result<(), Error> {
        while let Some(request) = queue.pop()? {
            let mut bytes = Vec::new();
            request.reader()?.read_to_end(&mut bytes)?;
            if request.features() & SHOUT != 0 {
                bytes.make_ascii_uppercase();
            }
            let len = request.writer()?.write(&bytes)?;
            request.complete(len.try_into().unwrap())?;
            self.answered.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    fn reset(&self) {
        self.answered.store(0, Ordering::Relaxed);
        *self.config.lock().unwrap() = [0; 8];
    }

    fn save(&self) -> (u32, [u8; 8]) {
        (self.answered.load(Ordering::Relaxed), *self.config.lock().unwrap())
    }

    fn load(&self, (answered, config): (u32, [u8; 8])) -> Result<(), Error> {
        if answered == u32::MAX {
            return Err(Error::Request("so many"));
        }
        self.answered.store(answered, Ordering::Relaxed);
        *self.config.lock().unwrap() = config;
        Ok(())
    }
}

mod generated {
    use super::{Echo, VirtioPci};

    vfio_user::device_tests!(VirtioPci<Echo>, || VirtioPci::new(Echo::default()));
}
