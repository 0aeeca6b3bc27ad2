//! What the author of a device implements.

use std::task::Waker;

use serde::Serialize;
use serde::de::DeserializeOwned;
use vfio_user::Remote;

use crate::transport::{Event, Notice};
use crate::{Error, Queue};

/// The number of a kind of device (Virtual I/O Device 1.2, 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeviceType(pub u16);

impl DeviceType {
    /// A network card (5.1).
    pub const NETWORK: Self = DeviceType(1);
    /// A block device (5.2).
    pub const BLOCK: Self = DeviceType(2);
    /// A console (5.3).
    pub const CONSOLE: Self = DeviceType(3);
    /// A source of entropy (5.4).
    pub const ENTROPY: Self = DeviceType(4);
    /// A SCSI host (5.6).
    pub const SCSI: Self = DeviceType(8);
    /// A graphics adapter (5.7).
    pub const GPU: Self = DeviceType(16);
    /// An input device (5.8).
    pub const INPUT: Self = DeviceType(18);
    /// A socket to the host (5.10).
    pub const SOCKET: Self = DeviceType(19);
    /// A file system (5.11).
    pub const FILE_SYSTEM: Self = DeviceType(26);

    /// Returns the PCI class of such a function.
    pub(crate) fn class(self) -> u32 {
        match self {
            DeviceType::NETWORK => 0x02_0000,
            DeviceType::BLOCK | DeviceType::SCSI => 0x01_0000,
            DeviceType::CONSOLE => 0x07_8000,
            DeviceType::GPU => 0x03_8000,
            DeviceType::INPUT => 0x09_8000,
            _ => 0x00_ff00,
        }
    }
}

/// A virtio device. [`VirtioPci`](crate::VirtioPci) makes a PCI function of it.
///
/// The device is shared: configuration is read and written on the function's own thread, and each
/// queue is served by a thread of its own. So methods take `&self`, and what changes is an atomic
/// or behind a lock.
///
/// A device without configuration and without state of its own implements four items. This one
/// fills buffers with the byte 7:
///
/// ```
/// use std::io::Write as _;
/// use vfio_user_virtio::{DeviceType, Error, Queue, VirtioDevice};
///
/// struct Sevens;
///
/// impl VirtioDevice for Sevens {
///     type State = ();
///
///     fn device_type(&self) -> DeviceType {
///         DeviceType::ENTROPY
///     }
///
///     fn queue_sizes(&self) -> Vec<u16> {
///         vec![64]
///     }
///
///     fn process(&self, queue: &mut Queue<'_>) -> Result<(), Error> {
///         while let Some(request) = queue.pop()? {
///             let mut writer = request.writer()?;
///             let len = writer.write(&[7; 4096])?;
///             request.complete(len.try_into().unwrap_or(0))?;
///         }
///         Ok(())
///     }
/// }
/// ```
pub trait VirtioDevice: Send + Sync + 'static {
    /// The state that migrates, beside that of the transport and the queues; `()` for none.
    type State: Default + Serialize + DeserializeOwned + Send;

    /// Returns which kind of device it is.
    fn device_type(&self) -> DeviceType;

    /// Returns the largest size of each queue: powers of two up to 32768, for up to
    /// [`VirtioPci::MAX_QUEUES`](crate::VirtioPci::MAX_QUEUES) queues. Always the same.
    fn queue_sizes(&self) -> Vec<u16>;

    /// Returns the feature bits that the device offers, besides those of the transport
    /// ([`features`](crate::features)). Always the same.
    fn features(&self) -> u64 {
        0
    }

    /// Returns how many bytes of configuration the device has, up to 4096. Always the same.
    fn config_len(&self) -> usize {
        0
    }

    /// Reads configuration from byte `offset` on. The range is within
    /// [`config_len`](Self::config_len).
    fn read_config(&self, offset: usize, data: &mut [u8]) {
        let _ = (offset, data);
    }

    /// Writes configuration from byte `offset` on. The range is within
    /// [`config_len`](Self::config_len). Drivers may also write reserved and read-only bytes:
    /// ignore that.
    fn write_config(&self, offset: usize, data: &[u8]) {
        let _ = (offset, data);
    }

    /// Starts the device: the driver has set `DRIVER_OK`, or the state of a running device has been
    /// loaded.
    ///
    /// # Errors
    ///
    /// The reason why the device cannot run. It needs a reset then.
    fn activate(&self, activation: &Activation) -> Result<(), Error> {
        let _ = activation;
        Ok(())
    }

    /// Serves a queue. The runtime calls this when the driver notifies the queue, when its
    /// [waker](Activation::waker) is used, when a call ended at the limit of [`Queue::pop`], and
    /// when the client maps memory. It may call it for an empty queue. A polled device calls it all
    /// the time.
    ///
    /// It runs on the thread of this queue. The device does not stop and no memory is unmapped
    /// until it returns, so it must not wait. To wait for input, return and leave the request in
    /// the queue: notifications of the driver stay disabled, and the queue's waker has to be used
    /// once there is input.
    ///
    /// # Errors
    ///
    /// An error stops the queues, and the device [needs a reset](Error). Return
    /// [interruptions](Error::is_interruption) with `?`: the request stays in its queue. Report
    /// failures that a driver expects, such as one of a disk, in the status of the request.
    fn process(&self, queue: &mut Queue<'_>) -> Result<(), Error>;

    /// Resets the device. No queue is being served, and [`activate`](Self::activate) runs before
    /// the next one is.
    fn reset(&self) {}

    /// Returns the state, to save it. The device is stopped: no queue is being served.
    fn save(&self) -> Self::State {
        Self::State::default()
    }

    /// Replaces the state with that of another device. [`activate`](Self::activate) follows if that
    /// device was running.
    ///
    /// # Errors
    ///
    /// The reason why the state is impossible. The device must then be unchanged.
    fn load(&self, state: Self::State) -> Result<(), Error> {
        let _ = state;
        Ok(())
    }
}

/// The features, wakers and notifications of a running device.
///
/// Clone it in [`VirtioDevice::activate`], and drop the clone in [`VirtioDevice::reset`]. After a
/// reset or an error its wakers and notifications have no effect.
#[derive(Clone, Debug)]
pub struct Activation {
    pub(crate) features: u64,
    pub(crate) wakers: Vec<Waker>,
    pub(crate) remote: Remote<Event>,
}

impl Activation {
    /// Returns the features that the driver has accepted, those of the transport included.
    pub fn features(&self) -> u64 {
        self.features
    }

    /// Returns the waker of a queue. Any thread may use it to have [`VirtioDevice::process`]
    /// called, for example after a frame has arrived.
    ///
    /// # Panics
    ///
    /// If there is no queue with this index.
    pub fn waker(&self, queue: u16) -> &Waker {
        &self.wakers[usize::from(queue)]
    }

    /// Notifies the driver that the configuration has changed, from any thread: the generation
    /// counter changes, and the configuration interrupt is raised. Does nothing after a reset.
    pub fn config_changed(&self) {
        // Without a session there is no driver.
        let _ = self.remote.post(Event(Notice::ConfigChanged));
    }
}
