//! Between the FIFOs of the port and its line.

use std::io::ErrorKind;
use std::time::Duration;

use vfio_user::{Cx, WatchError};

use crate::uart::Uart;

impl Uart {
    pub(crate) fn watch_line(&mut self, cx: &Cx<'_, Self>) -> Result<(), WatchError> {
        self.watch = self.line.watched().map(|fd| cx.watch(fd, |_| ())).transpose()?;
        Ok(())
    }

    pub(crate) fn rewatch(&mut self, cx: &Cx<'_, Self>) {
        if let Err(error) = self.watch_line(cx) {
            tracing::error!(%error, "the line is lost");
        }
    }

    /// Takes from the line what there is room for.
    pub(crate) fn fill(&mut self, cx: &Cx<'_, Self>) {
        let mut data = [0; 16];
        let room = self.received.capacity() - self.received.len();
        let connected = !self.modem_control.loopback;
        if room > 0 && connected {
            match self.line.receive(&mut data[..room]) {
                Ok(len @ 1..) => data[..len].iter().for_each(|byte| self.take(*byte)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Ok(0) | Err(_) => {
                    self.line.disconnect();
                    self.rewatch(cx);
                }
            }
        }
        if let Some(watch) = &self.watch {
            if self.received.is_full() || !connected { watch.pause() } else { watch.resume() }
        }
    }

    pub(crate) fn take(&mut self, byte: u8) {
        self.line_status.overrun |= self.received.push(byte).is_err();
        self.line_status.ready = true;
    }

    pub(crate) fn transmit(&mut self, cx: &mut Cx<'_, Self>) {
        while self.to_send.front().is_some_and(|byte| self.line.send(*byte)) {
            self.to_send.pop();
        }
        self.has_sent = self.to_send.is_empty();
        self.line_status.empty = if self.has_sent { 0b11 } else { 0 };
        if !self.has_sent {
            self.retry.arm(cx, Duration::from_millis(1));
        }
    }
}
