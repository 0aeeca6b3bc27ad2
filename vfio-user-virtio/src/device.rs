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
/// A device that has no configuration and needs no state of its own implements five items. This one
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

    /// Reads configuration from byte `offset` on. The range lies inside.
    fn read_config(&self, offset: usize, data: &mut [u8]) {
        let _ = (offset, data);
    }

    /// Writes configuration from byte `offset` on. The range lies inside. Reserved and read-only
    /// bytes may be written, too: ignore that.
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

    /// Serves a queue: the driver has notified it, its waker was used, or there is more to do since
    /// the last call.
    ///
    /// Runs on the thread of this queue, and while it does, the device is not stopped and no memory
    /// is unmapped. So it does not wait for other events. A queue hands out a limited number of
    /// requests at a time; the method is called again for the others, and may be called when there
    /// are none.
    ///
    /// # Errors
    ///
    /// A fault of the driver, after which the device [needs a reset](Error). Report what a driver
    /// may expect, such as the failure of a disk, in the status of the request.
    fn process(&self, queue: &mut Queue<'_>) -> Result<(), Error>;

    /// Resets the device, which does not run. No queue is being served.
    fn reset(&self) {}

    /// Returns the state, to save it. The device is stopped: no queue is being served.
    fn save(&self) -> Self::State {
        Self::State::default()
    }

    /// Takes the state of another device over.
    ///
    /// # Errors
    ///
    /// The reason why the state is impossible. The device has to be as before then.
    fn load(&self, state: Self::State) -> Result<(), Error> {
        let _ = state;
        Ok(())
    }
}

/// What a running device has, until it is reset.
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

    /// Returns what makes [`VirtioDevice::process`] run for a queue, from any thread: a frame has
    /// arrived for the driver, for example.
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
