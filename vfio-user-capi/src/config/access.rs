//! Accesses of clients, divided by what they touch.

use vfio_user::protocol::Errno;

use super::masks::{DEVICE_CONTROL, of_header};
use super::{Capability, Config, HEADER_SIZE, Kind};
use crate::abi::{RegionAccess, ResetType};
use crate::callbacks::{Access, Result};
use crate::context::Context;

/// What a part of an access touches.
enum Place {
    Header,
    Capability(Capability),
    /// Bytes that the library does not know.
    Other,
}

impl Config {
    /// Does an access: header and capabilities here, the rest by the program's function.
    pub(crate) fn access(
        &self,
        context: &Context,
        callback: Option<RegionAccess>,
        offset: u64,
        data: Access<'_>,
    ) -> Result<()> {
        let mut offset = usize::try_from(offset).map_err(|_| Errno::EINVAL)?;
        let mut rest = data;
        while rest.len() > 0 {
            let (place, len) = self.place_of(offset, rest.len());
            let (part, others) = rest.split(len);
            self.access_part(context, callback, &place, offset, part)?;
            (rest, offset) = (others, offset + len);
        }
        Ok(())
    }

    /// Returns what the first byte of a range belongs to, and how many more do.
    fn place_of(&self, offset: usize, len: usize) -> (Place, usize) {
        if offset < HEADER_SIZE {
            return (Place::Header, len.min(HEADER_SIZE - offset));
        }
        match self.at(offset, len) {
            None => (Place::Other, len),
            Some(next) if offset < next.offset => (Place::Other, next.offset - offset),
            Some(capability) => {
                let left = capability.offset + capability.size - offset;
                (Place::Capability(capability), len.min(left))
            }
        }
    }

    fn access_part(
        &self,
        context: &Context,
        callback: Option<RegionAccess>,
        place: &Place,
        offset: usize,
        data: Access<'_>,
    ) -> Result<()> {
        let callback = match place {
            Place::Capability(capability) if capability.is_by_callback() => {
                if context.is_compatible && capability.is_read_only() && data.is_write() {
                    return Err(Errno::EPERM);
                }
                callback
            }
            Place::Header | Place::Capability(_) => None,
            Place::Other => callback,
        };
        match (callback, data) {
            (Some(callback), data) => context.access(callback, data, offset as u64),
            (None, Access::Read(data)) => {
                self.memory.read(offset, data);
                Ok(())
            }
            (None, Access::Write(data)) => self.write(context, place, offset, data),
        }
    }

    fn write(&self, context: &Context, place: &Place, offset: usize, data: &[u8]) -> Result<()> {
        if context.is_compatible {
            match place {
                Place::Header => self.check_header_write(offset, data)?,
                Place::Capability(capability) => {
                    self.check_capability_write(capability, offset, data)?;
                }
                Place::Other => return Err(Errno::EINVAL),
            }
        }
        for (written, offset) in data.iter().zip(offset..) {
            let mask = match place {
                Place::Header => of_header(context, offset),
                Place::Capability(capability) => self.mask_of(capability, offset),
                Place::Other => continue,
            };
            self.memory.set(offset, mask.apply(self.memory.get(offset), *written));
        }
        match place {
            Place::Capability(capability) => {
                self.reset_as_wanted(context, capability, offset, data)
            }
            _ => Ok(()),
        }
    }

    /// Resets the function if the client has set the bit for that, and the program offers it.
    fn reset_as_wanted(
        &self,
        context: &Context,
        capability: &Capability,
        offset: usize,
        data: &[u8],
    ) -> Result<()> {
        let at = capability.offset + DEVICE_CONTROL + 1;
        let written = at.checked_sub(offset).and_then(|index| data.get(index));
        let is_set = written.is_some_and(|byte| byte & 0x80 != 0);
        let is_express = capability.kind == Kind::Express && !capability.is_read_only();
        if is_express && is_set && self.offers_reset(capability) {
            return context.call_reset(ResetType::FunctionLevel);
        }
        Ok(())
    }

    /// Returns whether Device Capabilities offer a function level reset.
    pub(super) fn offers_reset(&self, capability: &Capability) -> bool {
        self.memory.get(capability.offset + 7) & 0x10 != 0
    }
}

impl<'a> Access<'a> {
    fn len(&self) -> usize {
        match self {
            Access::Read(data) => data.len(),
            Access::Write(data) => data.len(),
        }
    }

    fn is_write(&self) -> bool {
        matches!(self, Access::Write(_))
    }

    fn split(self, len: usize) -> (Access<'a>, Access<'a>) {
        match self {
            Access::Read(data) => {
                let (part, rest) = data.split_at_mut(len);
                (Access::Read(part), Access::Read(rest))
            }
            Access::Write(data) => {
                let (part, rest) = data.split_at(len);
                (Access::Write(part), Access::Write(rest))
            }
        }
    }
}
