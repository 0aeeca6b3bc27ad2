//! The transport over PCI (Virtual I/O Device 1.2, 4.1): the registers, declared.

mod device;
mod negotiation;
mod queues;
mod registers;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU16;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use vfio_user::{LogThrottle, PciDevice, Timer, Virtual, Worker};

use crate::work::QueueWork;
use crate::{Error, VirtioDevice};
use registers::{
    Capability, Doorbell, Isr, NotifyCapability, PageDoorbell, PciCfg, QueueRegisters, Status,
};

/// No MSI-X vector (4.1.5.1.2).
pub(crate) const NO_VECTOR: u16 = 0xffff;
/// The reset by the status register.
const VIRTIO: u8 = 0;
const QUEUES: u16 = 64;
// Where the structures are in BAR 0.
const ISR: u32 = 0x1000;
const CONFIG: u32 = 0x2000;
const CONFIG_LEN: u32 = 0x1000;
const NOTIFY: u32 = 0x3000;
/// How long memory of a queue may be unmapped. Clients unmap memory for a moment when they change
/// how a part of it is mapped.
const GRACE: Duration = Duration::from_millis(250);
/// The distance between the places where two queues are notified.
const MULTIPLIER: u32 = 4;

/// A virtio device as a PCI function: the modern transport, with split queues.
///
/// It is a device of `vfio-user`. Pass a closure that creates it to [`vfio_user::main()`],
/// [`vfio_user::Options::run`] or [`vfio_user::Server::serve`], or the value itself to
/// [`vfio_user::Bench::new`]. The [crate documentation](crate#transport) lists what the transport
/// offers.
#[derive(PciDevice)]
#[pci(vendor = 0x1af4, device = 0x1040, revision = 1, subsystem = (0x1af4, 0x1040), name = "virtio")]
#[bar(0: mem64, size = 0x4000, raw(CONFIG..CONFIG + CONFIG_LEN))]
#[bar(2: mem32, size = 0x1000, shared)]
#[irq(intx, msix = QUEUES + 1, bar = 4)]
#[capability(pm, express(flr))]
pub struct VirtioPci<D: VirtioDevice> {
    /// Which features `device_feature` shows: bits 0 to 31, 32 to 63, and so on.
    #[reg(0x00)]
    device_feature_select: u32,
    /// The features that the device offers.
    #[reg(0x04, ro, select = device_feature_select, read_with = Self::offer)]
    device_feature: [Virtual<u32>; 4],
    /// Which features `driver_feature` shows.
    #[reg(0x08)]
    driver_feature_select: u32,
    /// The features that the driver accepts.
    #[reg(0x0c, select = driver_feature_select, lock = device_status.features_ok)]
    driver_feature: [u32; 4],
    /// The MSI-X vector of changes of the configuration, or 0xffff for none.
    #[reg(0x10, reset = NO_VECTOR, write_with = Self::map_config_vector, test(exclude = policies))]
    config_msix_vector: u16,
    /// The number of queues.
    #[reg(0x12, ro, read_with = Self::count_queues)]
    num_queues: Virtual<u16>,
    /// How far the driver is; 0 resets the device.
    #[reg(0x14, write_with = Self::set_status)]
    device_status: Status,
    /// Changes with the configuration.
    #[reg(0x15, ro, volatile)]
    config_generation: u8,
    /// Which queue the following registers show.
    #[reg(0x16)]
    queue_select: u16,
    #[block(0x18, select = queue_select)]
    queues: [QueueRegisters; QUEUES as usize],
    /// Why the line is asserted; reading it lowers the line.
    #[reg(ISR, rc, volatile, on_read = Self::acknowledged)]
    isr: Isr,
    #[block(NOTIFY, stride = MULTIPLIER)]
    doorbells: [Doorbell; QUEUES as usize],
    #[block(0x00, bar = 2, stride = MULTIPLIER)]
    page: [PageDoorbell; QUEUES as usize],
    #[capability(vendor(whole))]
    common_cfg: Capability,
    #[capability(vendor(whole))]
    notify_cfg: NotifyCapability,
    #[capability(vendor(whole))]
    isr_cfg: Capability,
    #[capability(vendor(whole))]
    device_cfg: Capability,
    #[capability(vendor(whole))]
    pci_cfg: PciCfg,
    /// Runs while the memory of a queue is not mapped.
    #[timer(Self::give_up)]
    grace: Timer,
    /// How far each queue has been served; valid while the device is saved.
    #[migrate(max_len = QUEUES)]
    positions: Vec<Position>,
    /// The state of the device; valid while it is saved.
    state: D::State,
    #[migrate(skip)]
    device: Arc<D>,
    #[migrate(skip)]
    sizes: Vec<u16>,
    #[migrate(skip)]
    vectors: Vec<Arc<AtomicU16>>,
    #[migrate(skip)]
    workers: Vec<Worker<QueueWork<D>>>,
    #[migrate(skip)]
    polls: bool,
    #[migrate(skip)]
    faults: LogThrottle,
}

/// How far a queue has been served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Position {
    available: u16,
    used: u16,
}

/// What threads report to the function.
#[doc(hidden)]
#[derive(Debug)]
pub struct Event(pub(crate) Notice);

#[derive(Debug)]
pub(crate) enum Notice {
    /// A queue without a vector has used elements.
    Used,
    ConfigChanged,
    /// Memory of a queue is not mapped, for now or at all.
    Unmapped,
    Broken {
        queue: u16,
        error: Error,
    },
}

impl<D: VirtioDevice> VirtioPci<D> {
    /// The largest number of queues.
    pub const MAX_QUEUES: u16 = QUEUES;

    /// Creates a function that serves a queue when the driver notifies it, by a message or by an
    /// eventfd. If [`VirtioDevice::queue_sizes`] or [`VirtioDevice::config_len`] is out of range,
    /// the function cannot be served: [`vfio_user::Server::serve`] fails.
    pub fn new(device: D) -> Self {
        Self::create(device, false)
    }

    /// Creates a function with a thread for each queue that polls it, and occupies a processor. The
    /// driver notifies queues by stores to a page that it maps.
    pub fn polling(device: D) -> Self {
        Self::create(device, true)
    }

    fn create(device: D, polls: bool) -> Self {
        let device = Arc::new(device);
        let sizes = device.queue_sizes();
        let mut queues = [QueueRegisters::default(); QUEUES as usize];
        for ((index, queue), size) in (0..).zip(&mut queues).zip(&sizes) {
            *queue = QueueRegisters {
                size: *size,
                vector: NO_VECTOR,
                notify_off: index,
                notify_data: index,
                ..QueueRegisters::default()
            };
        }
        let vectors: Vec<_> = sizes.iter().map(|_| Arc::new(AtomicU16::new(NO_VECTOR))).collect();
        let works = (0..).zip(&vectors).map(|(index, vector)| {
            Worker::new(QueueWork::new(Arc::clone(&device), index, Arc::clone(vector)))
        });
        VirtioPci {
            device_feature_select: 0,
            device_feature: [Virtual::default(); 4],
            driver_feature_select: 0,
            driver_feature: [0; 4],
            config_msix_vector: NO_VECTOR,
            num_queues: Virtual::default(),
            device_status: Status::default(),
            config_generation: 0,
            queue_select: 0,
            queues,
            isr: Isr::default(),
            doorbells: [Doorbell::default(); QUEUES as usize],
            page: [PageDoorbell::default(); QUEUES as usize],
            common_cfg: Capability::new(1, 0, 0, 0x3c),
            notify_cfg: notify_cfg(polls),
            isr_cfg: Capability::new(3, 0, ISR, 1),
            device_cfg: device_cfg(&*device),
            pci_cfg: PciCfg::default(),
            grace: Timer::default(),
            positions: Vec::new(),
            state: D::State::default(),
            workers: works.collect(),
            device,
            sizes,
            vectors,
            polls,
            faults: LogThrottle::new(),
        }
    }

    /// Returns the device.
    pub fn device(&self) -> &D {
        &self.device
    }

    /// Returns the features that the driver has accepted, of those that exist.
    fn accepted(&self) -> u64 {
        u64::from(self.driver_feature[1]) << 32 | u64::from(self.driver_feature[0])
    }

    /// Returns whether the queues are served.
    fn is_live(&self) -> bool {
        self.device_status.driver_ok && !self.device_status.needs_reset
    }
}

/// Returns where the queues are notified.
fn notify_cfg(polls: bool) -> NotifyCapability {
    let (bar, offset) = if polls { (2, 0) } else { (0, NOTIFY) };
    NotifyCapability::new(bar, offset, MULTIPLIER * u32::from(QUEUES), MULTIPLIER)
}

/// Returns where the configuration of the device is. Drivers refuse an empty structure, so a device
/// without configuration has zeros.
fn device_cfg(device: &impl VirtioDevice) -> Capability {
    let len = u32::try_from(device.config_len().max(4)).unwrap_or(u32::MAX);
    Capability::new(4, 0, CONFIG, len)
}

impl<D: VirtioDevice> fmt::Debug for VirtioPci<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VirtioPci")
            .field("device_type", &self.device.device_type())
            .field("device_status", &self.device_status)
            .finish_non_exhaustive()
    }
}
