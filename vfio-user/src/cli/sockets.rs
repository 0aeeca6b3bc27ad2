//! The sockets that the options name, and which device each of them is for.

use std::ffi::OsStr;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::access::Access;
use super::devices::Devices;
use super::error::OptionsError;
use crate::error::{Error, Result};
use crate::listening::SocketPath;
use crate::server::{Socket, TakeOver};
use crate::sys;

/// The value of `--fd`: `3`, or `disk=3`.
#[derive(Clone, Debug)]
pub(super) struct InheritedFd {
    device: Option<Box<str>>,
    fd: RawFd,
}

impl InheritedFd {
    /// Returns a socket for a type of device, or for the only one.
    pub(super) fn of(device: Option<&str>, fd: RawFd) -> Self {
        InheritedFd { device: device.map(Box::from), fd }
    }
}

impl FromStr for InheritedFd {
    type Err = std::num::ParseIntError;

    fn from_str(value: &str) -> Result<Self, Self::Err> {
        match value.rsplit_once('=') {
            Some((device, fd)) => Ok(InheritedFd { device: Some(device.into()), fd: fd.parse()? }),
            None => Ok(InheritedFd { device: None, fd: value.parse()? }),
        }
    }
}

/// A device that the program serves at a socket of its own.
#[derive(Debug)]
pub(super) struct Place {
    /// The index of its type.
    pub(super) of: usize,
    /// Its number among the devices of its type.
    pub(super) number: usize,
    /// Its name and socket, for people.
    pub(super) label: String,
    pub(super) state: Option<PathBuf>,
    pub(super) recording: Option<PathBuf>,
    /// The files of its sockets, which the program removes while it owns them.
    pub(super) files: Vec<SocketPath>,
}

/// Opens the sockets of all options, in their order.
///
/// # Errors
///
/// If an option does not fit the devices, or a socket cannot be used.
pub(super) fn open(
    paths: &[PathBuf],
    fds: &[InheritedFd],
    states: &[PathBuf],
    access: &Access,
    take_over: Option<&TakeOver>,
    devices: &Devices<'_>,
) -> Result<Vec<(Place, Socket)>> {
    check_states(states, paths.len() + fds.len())?;
    let known = devices.names();
    let mut places: Vec<(Place, Socket)> = Vec::new();
    let mut add = |of: usize, at: String, socket: Socket| {
        let number = places.iter().filter(|(place, _)| place.of == of).count();
        let label = format!("{} at {at}", known[of]);
        let state = states.get(places.len()).cloned();
        let files = socket.path().cloned().into_iter().collect();
        let place = Place { of, number, label, state, recording: None, files };
        places.push((place, access.restrict(socket)));
    };
    for (inherited, (of, fd)) in fds.iter().zip(take(fds, devices)?) {
        add(of, format!("descriptor {}", inherited.fd), Socket::from_fd(fd)?);
    }
    let named: Vec<_> = paths.iter().map(|path| split(path, devices)).collect::<Result<_>>()?;
    for (of, path) in named {
        add(of, path.display().to_string(), access.bind(path, take_over)?);
    }
    Ok(places)
}

/// Takes the inherited sockets, with the type of device of each.
fn take(
    fds: &[InheritedFd],
    devices: &Devices<'_>,
) -> Result<impl Iterator<Item = (usize, std::os::fd::OwnedFd)> + use<>> {
    let types = fds.iter().map(|inherited| devices.find(inherited.device.as_deref()));
    let types: Vec<_> = types.collect::<Result<_, _>>()?;
    let numbers: Vec<_> = fds.iter().map(|inherited| inherited.fd).collect();
    let taken = sys::take_inherited(&numbers);
    let taken = taken.map_err(|(fd, source)| Error::Descriptor { fd, source })?;
    Ok(types.into_iter().zip(taken))
}

/// Splits `DEVICE=PATH`. In a program with one type of device the whole is a path.
fn split<'p>(value: &'p Path, devices: &Devices<'_>) -> Result<(usize, &'p Path)> {
    if devices.has_one() {
        return Ok((0, value));
    }
    let bytes = value.as_os_str().as_bytes();
    let Some(at) = bytes.iter().position(|byte| *byte == b'=') else {
        return Ok((devices.find(None)?, value));
    };
    let name = String::from_utf8_lossy(&bytes[..at]);
    Ok((devices.find(Some(&name))?, Path::new(OsStr::from_bytes(&bytes[at + 1..]))))
}

/// Checks that each socket has a state file, or none has, and that no file is given twice.
fn check_states(files: &[PathBuf], sockets: usize) -> Result<(), OptionsError> {
    if !files.is_empty() && files.len() != sockets {
        return Err(OptionsError::StateFiles { files: files.len(), sockets });
    }
    let twice = files.iter().enumerate().find(|(index, path)| files[..*index].contains(path));
    match twice {
        Some((_, path)) => Err(OptionsError::SameStateFile { path: path.clone() }),
        None => Ok(()),
    }
}
