//! The identity of a device, which its streams have to match.

use crate::migration::{DeviceName, Frame, GuestLayout, Hello, StateError, differences};

/// The identity of a device, to its guest and by name.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) hello: Hello,
    pub(super) layout: GuestLayout,
    /// Whether the stream has another layout, which its next frame may describe.
    pub(super) is_other: bool,
}

impl Identity {
    /// Checks the next frame of a stream, before anything is loaded.
    ///
    /// # Errors
    ///
    /// If the stream is of another device, or of a device with another layout.
    pub(super) fn check(&mut self, frame: &Frame<'_>) -> Result<(), StateError> {
        match frame {
            Frame::Hello(theirs) => {
                check_device(theirs, &self.hello)?;
                self.is_other = theirs.layout != self.hello.layout;
                Ok(())
            }
            Frame::Layout(bytes) => {
                let differences = differences(&GuestLayout::decode(bytes, 1)?, &self.layout);
                if differences.is_empty() {
                    return self.refuse_other();
                }
                Err(StateError::LayoutDiffers(differences))
            }
            _ => self.refuse_other(),
        }
    }

    fn refuse_other(&self) -> Result<(), StateError> {
        if self.is_other { Err(StateError::Layout) } else { Ok(()) }
    }
}

fn check_device(theirs: &Hello, ours: &Hello) -> Result<(), StateError> {
    let name = |Hello { name, vendor, device, .. }: &Hello| DeviceName {
        name: name.clone(),
        vendor: *vendor,
        device: *device,
    };
    let (theirs, ours) = (name(theirs), name(ours));
    if theirs == ours {
        return Ok(());
    }
    Err(StateError::Device { theirs, ours })
}
