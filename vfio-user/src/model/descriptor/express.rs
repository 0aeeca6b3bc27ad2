//! Options of the PCI Express capability.

use crate::layout::{self, Check};

/// The place of a PCI Express function in the topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ExpressPort {
    /// An endpoint behind a link.
    #[default]
    Endpoint,
    /// An endpoint that may need I/O ports.
    Legacy,
    /// An endpoint that is integrated in the root complex, and so has no link.
    Integrated,
}

/// The abilities of a PCI Express function (PCI Express Base Specification 5.0, 7.5.3).
///
/// They are what software reads. No link exists, so none of them changes how fast a device
/// accesses memory.
///
/// ```
/// use vfio_user::declaration::{Capability, Express, ExpressPort};
///
/// const ENDPOINT: Express = Express::new(ExpressPort::Endpoint).with_flr();
/// const EXPRESS: Capability = Capability::express_with(ENDPOINT.with_speed(4).with_width(8));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Express {
    port: ExpressPort,
    flr: bool,
    /// Of the link; what is not declared has one lane at 2.5 GT/s.
    speed: Option<u8>,
    width: Option<u8>,
    max_payload: u16,
    extended_tags: bool,
}

impl Default for Express {
    fn default() -> Self {
        Self::new(ExpressPort::default())
    }
}

impl Express {
    /// Options of a function at `port`: one lane at 2.5 GT/s, if there is a link, and payloads of
    /// up to 128 bytes.
    pub const fn new(port: ExpressPort) -> Self {
        Express {
            port,
            flr: false,
            speed: None,
            width: None,
            max_payload: 128,
            extended_tags: false,
        }
    }

    /// Lets guests reset the function alone (6.6.2):
    /// [`ResetKind::FunctionLevel`](crate::ResetKind::FunctionLevel).
    #[must_use]
    pub const fn with_flr(mut self) -> Self {
        self.flr = true;
        self
    }

    /// Sets the generation of the link, from 1 (2.5 GT/s) to 6 (64 GT/s). It supports all earlier
    /// ones.
    #[must_use]
    pub const fn with_speed(mut self, generation: u8) -> Self {
        self.speed = Some(generation);
        self
    }

    /// Sets the number of lanes of the link: 1, 2, 4, 8, 12, 16 or 32.
    #[must_use]
    pub const fn with_width(mut self, lanes: u8) -> Self {
        self.width = Some(lanes);
        self
    }

    /// Sets how many bytes a packet may carry at most: a power of two from 128 to 4096.
    #[must_use]
    pub const fn with_payload(mut self, bytes: u16) -> Self {
        self.max_payload = bytes;
        self
    }

    /// Supports tags of 8 bits instead of 5.
    #[must_use]
    pub const fn with_extended_tags(mut self) -> Self {
        self.extended_tags = true;
        self
    }

    /// Returns the place of the function.
    pub const fn port(self) -> ExpressPort {
        self.port
    }

    /// Returns whether guests can reset the function alone.
    pub const fn has_flr(self) -> bool {
        self.flr
    }

    /// Returns the generation and the number of lanes of the link, if there is one.
    pub const fn link(self) -> Option<(u8, u8)> {
        match (self.port, self.speed, self.width) {
            (ExpressPort::Integrated, _, _) => None,
            (_, Some(speed), Some(width)) => Some((speed, width)),
            (_, Some(speed), None) => Some((speed, 1)),
            (_, None, Some(width)) => Some((1, width)),
            (_, None, None) => Some((1, 1)),
        }
    }

    /// Returns how many bytes a packet may carry at most.
    pub const fn payload(self) -> u16 {
        self.max_payload
    }

    /// Returns whether tags of 8 bits are supported.
    pub const fn has_extended_tags(self) -> bool {
        self.extended_tags
    }

    /// Checks what the options say.
    pub(super) const fn check(self) -> Check<'static> {
        if let Err(error) = self.check_speed() {
            return Err(error);
        }
        if let Err(error) = self.check_width() {
            return Err(error);
        }
        self.check_payload()
    }

    /// The part of `check` for the speed of the link.
    pub(super) const fn check_speed(self) -> Check<'static> {
        let Some(speed) = self.speed else { return Ok(()) };
        if let Err(error) = layout::link_exists("speed", self.is_integrated()) {
            return Err(error);
        }
        layout::link_speed(speed as u64)
    }

    /// The part of `check` for the lanes of the link.
    pub(super) const fn check_width(self) -> Check<'static> {
        let Some(width) = self.width else { return Ok(()) };
        if let Err(error) = layout::link_exists("width", self.is_integrated()) {
            return Err(error);
        }
        layout::link_width(width as u64)
    }

    /// The part of `check` for payloads.
    pub(super) const fn check_payload(self) -> Check<'static> {
        layout::max_payload(self.max_payload as u64)
    }

    const fn is_integrated(self) -> bool {
        matches!(self.port, ExpressPort::Integrated)
    }
}
