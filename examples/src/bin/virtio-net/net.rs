//! The card: its configuration and its two queues (5.1.4, 5.1.6).

use std::io::{Read, Write};
use std::str::FromStr;
use std::sync::Arc;

use vfio_user_virtio::{Activation, DeviceType, Error, Queue, VirtioDevice};

use crate::link::Link;

pub(crate) const RECEIVE: u16 = 0;
pub(crate) const TRANSMIT: u16 = 1;
/// The most bytes of a frame.
pub(crate) const MAX_FRAME: usize = 64 << 10;

/// The card has an address.
const MAC: u64 = 1 << 5;
/// The card shows whether the link is up.
const STATUS: u64 = 1 << 16;
const LINK_UP: u16 = 1;
/// Before each frame: no offloads, and one buffer.
const HEADER: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0];

/// A hardware address.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Mac([u8; 6]);

impl FromStr for Mac {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bytes = text.split(':').map(|byte| u8::from_str_radix(byte, 16));
        let bytes: Result<Vec<_>, _> = bytes.collect();
        let mac = bytes.ok().and_then(|bytes| bytes.try_into().ok());
        mac.map(Mac).ok_or_else(|| format!("{text} is not six bytes, such as 52:54:00:12:34:56"))
    }
}

/// A network card.
pub(crate) struct Net {
    link: Arc<Link>,
    mac: Mac,
}

impl Net {
    pub(crate) fn new(link: Arc<Link>, mac: Mac) -> Self {
        Net { link, mac }
    }

    fn config(&self) -> [u8; 8] {
        let mut config = [0; 8];
        config[..6].copy_from_slice(&self.mac.0);
        let status = if self.link.is_up() { LINK_UP } else { 0 };
        config[6..].copy_from_slice(&status.to_le_bytes());
        config
    }

    /// Hands frames that have arrived to the driver.
    fn receive(&self, queue: &mut Queue<'_>) -> Result<(), Error> {
        while !self.link.received.is_empty() {
            let Some(request) = queue.pop()? else { break };
            let Some(frame) = self.link.received.pop() else { break };
            let len = HEADER.len() + frame.len();
            if request.writable_len() < len as u64 {
                // The frame is too long for the driver, which gets the next one.
                continue;
            }
            let mut writer = request.writer()?;
            writer.write_all(&HEADER)?;
            writer.write_all(&frame)?;
            request.complete(u32::try_from(len).unwrap_or(0))?;
        }
        Ok(())
    }

    /// Takes the driver's frames, while there is room for them.
    fn transmit(&self, queue: &mut Queue<'_>) -> Result<(), Error> {
        while !self.link.to_send.is_full() {
            let Some(request) = queue.pop()? else { break };
            let len = usize::try_from(request.readable_len()).unwrap_or(usize::MAX);
            let len = len.checked_sub(HEADER.len()).ok_or(Error::Request("no header"))?;
            if len <= MAX_FRAME {
                let mut frame = vec![0; len];
                let mut reader = request.reader()?;
                reader.read_exact(&mut [0; HEADER.len()])?;
                reader.read_exact(&mut frame)?;
                self.link.to_send.push(frame);
            }
            request.complete(0)?;
        }
        Ok(())
    }
}

impl VirtioDevice for Net {
    type State = ();

    fn device_type(&self) -> DeviceType {
        DeviceType::NETWORK
    }

    fn queue_sizes(&self) -> Vec<u16> {
        vec![256; 2]
    }

    fn features(&self) -> u64 {
        MAC | STATUS
    }

    fn config_len(&self) -> usize {
        self.config().len()
    }

    fn read_config(&self, offset: usize, data: &mut [u8]) {
        data.copy_from_slice(&self.config()[offset..offset + data.len()]);
    }

    fn activate(&self, activation: &Activation) -> Result<(), Error> {
        self.link.attach(activation.clone());
        Ok(())
    }

    fn process(&self, queue: &mut Queue<'_>) -> Result<(), Error> {
        match queue.index() {
            RECEIVE => self.receive(queue),
            _ => self.transmit(queue),
        }
    }

    fn reset(&self) {
        self.link.detach();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use vfio_user_virtio::VirtioPci;

    use crate::link::Wire;

    fn net() -> VirtioPci<Net> {
        let link = Arc::new(Link::new(Wire::Connect("nowhere".into())));
        VirtioPci::new(Net::new(link, "52:54:00:12:34:56".parse().unwrap()))
    }

    vfio_user::device_tests!(VirtioPci<Net>, net);

    #[test]
    fn addresses_are_six_bytes() {
        assert_eq!("02:00:00:00:0a:ff".parse(), Ok(Mac([2, 0, 0, 0, 10, 255])));
        for wrong in ["", "02", "02:00:00:00:0a:ff:00", "02:00:00:00:0a:100", "a:b:c:d:e:g"] {
            assert!(wrong.parse::<Mac>().is_err(), "{wrong}");
        }
    }
}
