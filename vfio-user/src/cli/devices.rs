//! The types of device that a program serves.

use std::fmt;
use std::marker::PhantomData;
use std::path::Path;

use super::error::OptionsError;
use crate::bus::BurndownHandle;
use crate::device::PciDevice;
use crate::error::Result;
use crate::function::{Function, PciFunction};
use crate::model::{Descriptor, Ids};
use crate::record::{Recorded, Replay, ReplayError, recorded_device, replay};

/// The types of device that a program serves, each by the name of its declaration. A program with
/// one type needs only [`main`](crate::main) or [`Options::run`](super::Options::run).
///
/// ```no_run
/// use vfio_user::Devices;
/// # use vfio_user::{Device, PciDevice};
/// # #[derive(Default, PciDevice)]
/// # #[pci(vendor = 0x1234, device = 0xcafe, name = "disk")]
/// # struct Disk {}
/// # impl Device for Disk { type Event = (); }
/// # #[derive(Default, PciDevice)]
/// # #[pci(vendor = 0x1234, device = 0xcaff, name = "nic")]
/// # struct Nic {}
/// # impl Device for Nic { type Event = (); }
///
/// // --socket-path=disk=/run/disk0.sock --socket-path=disk=/run/disk1.sock
/// // --socket-path=nic=/run/nic.sock
/// fn main() -> vfio_user::Result<()> {
///     Devices::new().with(Disk::default).with(Nic::default).main()
/// }
/// ```
#[derive(Default)]
pub struct Devices<'a> {
    types: Vec<Box<dyn DeviceType + 'a>>,
}

impl<'a> Devices<'a> {
    /// Creates a list without a type of device.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a type of device. `factory` constructs each device of it, and constructs it anew after
    /// a panic in a hook.
    ///
    /// # Panics
    ///
    /// If there is a type with the same name.
    #[must_use]
    pub fn with<D: PciDevice>(self, mut factory: impl FnMut() -> D + 'a) -> Self {
        self.with_each(move |_| factory())
    }

    /// Adds a type of device whose devices differ: `factory` receives the number of the device
    /// among those of its type, from 0 in the order of the options.
    ///
    /// # Panics
    ///
    /// If there is a type with the same name.
    #[must_use]
    pub fn with_each<D: PciDevice>(self, factory: impl FnMut(usize) -> D + 'a) -> Self {
        self.with_declared(D::DESCRIPTOR, factory)
    }

    /// As [`with_each`](Self::with_each), for devices that are declared at run time: each
    /// [configures](crate::Device::configure) itself as `declared`, which gives the name and the
    /// ids before a device is constructed.
    ///
    /// # Panics
    ///
    /// If there is a type with the same name.
    #[must_use]
    pub fn with_declared<D: PciDevice>(
        mut self,
        declared: Descriptor,
        factory: impl FnMut(usize) -> D + 'a,
    ) -> Self {
        let name = declared.name();
        assert!(self.position(name).is_none(), "two types of device have the name `{name}`");
        self.types.push(Box::new(Of { declared, factory, device: PhantomData }));
        self
    }

    /// Runs a device program: parses the [`Options`](super::Options) and serves these devices.
    ///
    /// # Errors
    ///
    /// Those of [`Options::run_devices`](super::Options::run_devices).
    pub fn main(self) -> Result<()> {
        super::parse(&self).run_devices(self)
    }

    /// Returns what the program is, for its help.
    pub(super) fn about(&self) -> String {
        let device = |declared: &Descriptor| {
            let Ids { vendor, device, .. } = declared.ids();
            format!("`{}`, PCI device {vendor:04x}:{device:04x}", declared.name())
        };
        let declared = self.types.iter().map(|of| of.declared());
        let devices: Vec<_> = declared.map(device).collect();
        format!("Serves {}, over vfio-user", devices.join("; "))
    }

    pub(super) fn names(&self) -> Vec<&'static str> {
        self.types.iter().map(|of| of.declared().name()).collect()
    }

    /// Returns the index of the type that an option names; a program with one type has no other.
    ///
    /// # Errors
    ///
    /// If there is no such type, or the option names none of several.
    pub(super) fn find(&self, name: Option<&str>) -> Result<usize, OptionsError> {
        match name {
            Some(name) => self.position(name).ok_or_else(|| OptionsError::UnknownDevice {
                name: name.into(),
                names: self.names(),
            }),
            None if self.has_one() => Ok(0),
            None => Err(OptionsError::NoDevice { names: self.names() }),
        }
    }

    /// Returns the index of the type that a recording is of; a program with one type has no other.
    ///
    /// # Errors
    ///
    /// If there is no such type, or the recording cannot be read.
    pub(super) fn find_recorded(&self, recording: &Path) -> Result<usize, ReplayError> {
        let theirs = recorded_device(recording)?;
        let is_it = if self.has_one() { Some(0) } else { self.position(&theirs) };
        is_it.ok_or_else(|| ReplayError::OtherDevice { theirs, ours: self.names().join(", ") })
    }

    pub(super) fn has_one(&self) -> bool {
        self.types.len() == 1
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.types.iter().position(|of| of.declared().name() == name)
    }

    pub(super) fn get(&mut self, index: usize) -> &mut (dyn DeviceType + 'a) {
        &mut *self.types[index]
    }
}

impl fmt::Debug for Devices<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Devices").field(&self.names()).finish()
    }
}

/// A type of device, and how its devices are constructed.
pub(super) trait DeviceType {
    /// Returns the declaration, as it is before a device configures it.
    fn declared(&self) -> &Descriptor;

    /// Returns the declaration of a device.
    ///
    /// # Errors
    ///
    /// That of the device, or what is wrong with its layout.
    fn configured(&mut self) -> Result<Descriptor>;

    /// Constructs the device with this number, with its files.
    ///
    /// # Errors
    ///
    /// That of the device, of its state, or of its recording.
    fn create(&mut self, number: usize, files: Files<'_>) -> Result<Created>;

    /// Replays a recording of a device, and returns what was compared.
    ///
    /// # Errors
    ///
    /// Those of [`replay`].
    fn replay(&mut self, recording: &Path) -> Result<Replay, ReplayError>;
}

/// The files of a device.
#[derive(Clone, Copy)]
pub(super) struct Files<'a> {
    pub(super) state: Option<&'a Path>,
    /// Whether another program hands the state over.
    pub(super) is_taken_over: bool,
    pub(super) recording: Option<&'a Path>,
}

/// A device, and what its guest has accessed without a model.
pub(super) type Created = (Box<dyn Function>, BurndownHandle);

struct Of<D, F> {
    declared: Descriptor,
    factory: F,
    device: PhantomData<fn() -> D>,
}

impl<D: PciDevice, F: FnMut(usize) -> D> DeviceType for Of<D, F> {
    fn declared(&self) -> &Descriptor {
        &self.declared
    }

    fn configured(&mut self) -> Result<Descriptor> {
        let mut descriptor = self.declared.clone();
        (self.factory)(0).configure(&mut descriptor)?;
        descriptor.validate()?;
        Ok(descriptor)
    }

    fn create(&mut self, number: usize, files: Files<'_>) -> Result<Created> {
        let mut function = PciFunction::new((self.factory)(number))?;
        match files.state {
            Some(path) if files.is_taken_over => function.keep_state_of_predecessor(path),
            Some(path) => function.keep_state(path)?,
            None => {}
        }
        let burndown = function.burndown_handle();
        Ok(match files.recording {
            Some(path) => (Box::new(Recorded::new(function, path)?), burndown),
            None => (Box::new(function), burndown),
        })
    }

    fn replay(&mut self, recording: &Path) -> Result<Replay, ReplayError> {
        replay((self.factory)(0), recording)
    }
}
