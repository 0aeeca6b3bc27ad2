//! Capabilities of configuration space.

use pyo3::prelude::*;
use vfio_user::declaration::{Capability, Express, ExpressPort, Msi, PowerManagement, PowerStates};

use super::unknown;

/// A capability: the options of all kinds, of which each kind uses its own.
#[derive(FromPyObject)]
#[expect(clippy::struct_excessive_bools, reason = "as many as capabilities have options")]
pub(super) struct CapabilityOf {
    kind: String,
    offset: Option<u64>,
    data: Vec<u8>,
    writable: Vec<u8>,
    id: u16,
    version: u8,
    vendor_id: u16,
    number: u64,
    d1: bool,
    d2: bool,
    no_soft_reset: bool,
    wakes_from: Vec<String>,
    port: String,
    flr: bool,
    speed: Option<u8>,
    width: Option<u8>,
    payload: Option<u16>,
    extended_tags: bool,
    address_32: bool,
    maskable: bool,
}

impl CapabilityOf {
    pub(super) fn declared(mut self) -> PyResult<Capability> {
        let data: &'static [u8] = std::mem::take(&mut self.data).leak();
        let mut capability = match &*self.kind {
            "pm" => Capability::pm_with(self.power()?),
            "vpd" => Capability::vpd(data),
            "msi" => Capability::msi_with(self.msi()),
            "msix" => Capability::msix(),
            "express" => Capability::express_with(self.express()?),
            "vendor" => Capability::vendor(data),
            "subsystem" => Capability::subsystem(),
            "custom" => Capability::custom(self.id.try_into().unwrap_or(u8::MAX), data),
            "serial" => Capability::serial(self.number),
            "vsec" => Capability::vsec(self.id, self.version, data),
            "dvsec" => Capability::dvsec(self.vendor_id, self.id, self.version, data),
            "aer" => Capability::aer(),
            "ltr" => Capability::ltr(),
            "extended" => Capability::extended(self.id, self.version, data),
            kind => return Err(unknown("capability", kind)),
        };
        if let Some(offset) = self.offset {
            capability = capability.with_offset(offset);
        }
        Ok(match self.writable {
            writable if writable.is_empty() => capability,
            writable => capability.with_writable(writable.leak()),
        })
    }

    fn power(&self) -> PyResult<PowerManagement> {
        let mut power = PowerManagement::new();
        if self.d1 {
            power = power.with_d1();
        }
        if self.d2 {
            power = power.with_d2();
        }
        if self.no_soft_reset {
            power = power.with_no_soft_reset();
        }
        let states = self.wakes_from.iter().map(|state| power_state(state));
        Ok(power.with_wakes_from(states.collect::<PyResult<_>>()?))
    }

    fn msi(&self) -> Msi {
        let msi = if self.address_32 { Msi::new().with_address_32() } else { Msi::new() };
        if self.maskable { msi.with_maskable() } else { msi }
    }

    fn express(&self) -> PyResult<Express> {
        let mut express = Express::new(match &*self.port {
            "endpoint" => ExpressPort::Endpoint,
            "legacy" => ExpressPort::Legacy,
            "integrated" => ExpressPort::Integrated,
            port => return Err(unknown("port", port)),
        });
        if self.flr {
            express = express.with_flr();
        }
        if let Some(generation) = self.speed {
            express = express.with_speed(generation);
        }
        if let Some(lanes) = self.width {
            express = express.with_width(lanes);
        }
        if let Some(bytes) = self.payload {
            express = express.with_payload(bytes);
        }
        Ok(if self.extended_tags { express.with_extended_tags() } else { express })
    }
}

fn power_state(name: &str) -> PyResult<PowerStates> {
    Ok(match name {
        "d0" => PowerStates::D0,
        "d1" => PowerStates::D1,
        "d2" => PowerStates::D2,
        "d3hot" => PowerStates::D3_HOT,
        "d3cold" => PowerStates::D3_COLD,
        _ => return Err(unknown("power state", name)),
    })
}
