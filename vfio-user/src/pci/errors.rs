//! Errors that a PCI Express function reports (PCI Express Base Specification 5.0, 6.2 and 7.8.4).

use crate::model::spec::{aer, cfg, command, express, status};
use crate::model::{CapabilityKind, Descriptor};

/// An error that loses something. The number is its bit in the registers of advanced error
/// reporting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "as the specification names them")]
#[non_exhaustive]
pub enum UncorrectableError {
    DataLinkProtocol = 4,
    SurpriseDown = 5,
    PoisonedPacket = 12,
    FlowControlProtocol = 13,
    CompletionTimeout = 14,
    CompleterAbort = 15,
    UnexpectedCompletion = 16,
    ReceiverOverflow = 17,
    MalformedPacket = 18,
    Checksum = 19,
    UnsupportedRequest = 20,
    AccessControlViolation = 21,
    Internal = 22,
    MulticastBlocked = 23,
    AtomicBlocked = 24,
    PrefixBlocked = 25,
}

/// An error that has been corrected, or is reported as if it had been. The number is its bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "as the specification names them")]
#[non_exhaustive]
pub enum CorrectableError {
    Receiver = 0,
    BadPacket = 6,
    BadLinkPacket = 7,
    ReplayRollover = 8,
    ReplayTimeout = 12,
    AdvisoryNonFatal = 13,
    Internal = 14,
    HeaderLogOverflow = 15,
}

impl UncorrectableError {
    /// The bit of the error in a mask or a severity.
    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// The first error pointer while nothing is logged: no error has this number.
const NO_ERROR: u32 = 0;

/// An error that a device reports.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ErrorReport {
    /// The error, and the header of the packet that caused it, in doublewords.
    Uncorrectable(UncorrectableError, [u32; 4]),
    Correctable(CorrectableError),
}

/// The offsets of the registers that show errors.
#[derive(Debug)]
pub(super) struct ErrorRegisters {
    express: Option<usize>,
    aer: Option<usize>,
}

impl ErrorRegisters {
    pub(super) fn of(descriptor: &Descriptor) -> Self {
        let find = |is: fn(CapabilityKind) -> bool| {
            let mut all = descriptor.capabilities_at();
            all.find(|(capability, _)| is(capability.kind())).map(|(_, at)| usize::from(at))
        };
        ErrorRegisters {
            express: find(|kind| matches!(kind, CapabilityKind::Express(_))),
            aer: find(|kind| kind == CapabilityKind::Aer),
        }
    }

    /// Returns the offset of device status, if there is one.
    pub(super) fn device_status(&self) -> Option<usize> {
        self.express.map(|at| at + express::DEVICE_STATUS)
    }

    /// Shows an error; returns whether it has to be signalled. Only uncorrectable errors are
    /// signalled, because others need no action.
    pub(super) fn report(&self, bytes: &mut [u8], report: ErrorReport) -> bool {
        match report {
            ErrorReport::Correctable(error) => {
                self.detected(bytes, express::CORRECTABLE);
                if let Some(at) = self.aer {
                    set(bytes, at + aer::CORRECTABLE_STATUS, 1 << error as u32);
                }
                false
            }
            ErrorReport::Uncorrectable(error, header) => {
                self.report_uncorrectable(bytes, error, header)
            }
        }
    }

    fn report_uncorrectable(
        &self,
        bytes: &mut [u8],
        error: UncorrectableError,
        header: [u32; 4],
    ) -> bool {
        let severity = self.aer.map_or(aer::DEFAULT_SEVERITY, |at| get(bytes, at + aer::SEVERITY));
        let is_fatal = severity & error.bit() != 0;
        self.detected(bytes, if is_fatal { express::FATAL } else { express::NON_FATAL });
        if error == UncorrectableError::UnsupportedRequest {
            self.detected(bytes, express::UNSUPPORTED_REQUEST);
        }
        if self.log(bytes, error, header) && self.is_reported(bytes, error, is_fatal) {
            if get(bytes, cfg::COMMAND) & u32::from(command::SERR_ENABLE) != 0 {
                set(bytes, cfg::COMMAND, u32::from(status::SIGNALED_SYSTEM_ERROR) << 16);
            }
            return true;
        }
        false
    }

    /// Shows an access to a region that is disabled: no function answers it, and the region's
    /// function reports it (6.2.3.2.4). Nothing is signalled, because the guest itself causes this.
    pub(super) fn refuse(&self, bytes: &mut [u8], is_write: bool) {
        // A read is answered, so the requester reports it already: advisory.
        let kind = if is_write { express::NON_FATAL } else { express::CORRECTABLE };
        self.detected(bytes, kind | express::UNSUPPORTED_REQUEST);
    }

    /// Sets bits of device status.
    fn detected(&self, bytes: &mut [u8], errors: u16) {
        if let Some(at) = self.express {
            set(bytes, at + express::DEVICE_CONTROL, u32::from(errors) << 16);
        }
    }

    /// Logs an error if there is advanced error reporting; returns whether it is unmasked there.
    fn log(&self, bytes: &mut [u8], error: UncorrectableError, header: [u32; 4]) -> bool {
        let Some(at) = self.aer else { return true };
        let before = get(bytes, at + aer::STATUS);
        set(bytes, at + aer::STATUS, error.bit());
        let first = get(bytes, at + aer::CONTROL) & aer::FIRST_ERROR;
        if get(bytes, at + aer::MASK) & error.bit() != 0 {
            // The logged error with this number is another one, which has been cleared.
            if first == error as u32 && before & error.bit() == 0 {
                put(bytes, at + aer::CONTROL, NO_ERROR);
            }
            return false;
        }
        // The first error stays logged until software clears its bit.
        if before & 1 << first == 0 {
            put(bytes, at + aer::CONTROL, error as u32);
            for (place, doubleword) in header.into_iter().enumerate() {
                put(bytes, at + aer::HEADER_LOG + place * 4, doubleword);
            }
        }
        true
    }

    /// Returns whether software enables reports, in general or of this kind.
    fn is_reported(&self, bytes: &[u8], error: UncorrectableError, is_fatal: bool) -> bool {
        let serr = get(bytes, cfg::COMMAND) & u32::from(command::SERR_ENABLE) != 0;
        let Some(at) = self.express else { return serr };
        let control = get(bytes, at + express::DEVICE_CONTROL);
        let wants = |kind: u16| control & u32::from(kind) != 0;
        if error == UncorrectableError::UnsupportedRequest && !wants(express::UNSUPPORTED_REQUEST) {
            return false;
        }
        serr || wants(if is_fatal { express::FATAL } else { express::NON_FATAL })
    }
}

fn get(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn put(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

fn set(bytes: &mut [u8], at: usize, bits: u32) {
    put(bytes, at, get(bytes, at) | bits);
}
