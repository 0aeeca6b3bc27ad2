//! Decodes a configuration space as `lspci -v` does.

use vfio_user::Result;
use vfio_user::client::Client;
use vfio_user::pci::spec::{bar, capability_id, cfg, command, status};
use vfio_user::protocol::RegionIndex;

/// The bytes of a configuration space.
struct Space(Vec<u8>);

/// Reads a device's configuration space in one message and prints it.
pub(crate) fn print(client: &Client) -> Result<()> {
    let config = client.region(RegionIndex::Config);
    let size = client.region_details(RegionIndex::Config)?.size;
    let mut bytes = vec![0; usize::try_from(size).unwrap_or(cfg::CONVENTIONAL_SIZE)];
    config.read_bytes(0, &mut bytes)?;
    let space = Space(bytes);
    space.print_header();
    let mut index = 0;
    while index < 6 {
        index += print_bar(client, index)?;
    }
    space.print_capabilities();
    Ok(())
}

impl Space {
    fn byte(&self, offset: usize) -> u8 {
        self.0[offset]
    }

    fn word(&self, offset: usize) -> u16 {
        u16::from_le_bytes([self.byte(offset), self.byte(offset + 1)])
    }

    fn dword(&self, offset: usize) -> u32 {
        u32::from(self.word(offset)) | u32::from(self.word(offset + 2)) << 16
    }

    fn print_header(&self) {
        let class = self.dword(cfg::REVISION_ID) >> 8;
        let revision = self.byte(cfg::REVISION_ID);
        let (vendor, device) = (self.word(cfg::VENDOR_ID), self.word(cfg::DEVICE_ID));
        println!("    {vendor:04x}:{device:04x}, class {class:06x} (rev {revision:02x})");
        let control = self.word(cfg::COMMAND);
        println!(
            "        Control: I/O{} Mem{} BusMaster{} DisINTx{}",
            sign(control & command::IO_SPACE),
            sign(control & command::MEMORY_SPACE),
            sign(control & command::BUS_MASTER),
            sign(control & command::INTERRUPT_DISABLE)
        );
        println!("        Status: Cap{}", sign(self.word(cfg::STATUS) & status::CAPABILITIES_LIST));
        match self.byte(cfg::INTERRUPT_PIN) {
            0 => {}
            pin => println!("        Interrupt: pin {}", char::from(b'A' + pin - 1)),
        }
    }

    fn print_capabilities(&self) {
        let mut at = usize::from(self.byte(cfg::CAPABILITIES_POINTER));
        // At most 48 capabilities fit, so a list that loops ends all the same.
        for _ in 0..48 {
            if at < cfg::FIRST_CAPABILITY {
                break;
            }
            println!("        Capabilities: [{at:02x}] {}", self.capability(at));
            at = usize::from(self.byte(at + 1));
        }
    }

    fn capability(&self, at: usize) -> String {
        let control = self.word(at + 2);
        match self.byte(at) {
            capability_id::PM => format!("Power Management version {}", control & 0b111),
            capability_id::MSI => {
                format!("MSI: Enable{} Count={}", sign(control & 1), 1 << (control >> 1 & 0b111))
            }
            capability_id::MSIX => {
                let (count, table) = ((control & 0x7ff) + 1, self.dword(at + 4));
                let (enable, bar) = (sign(control & 1 << 15), table & 0b111);
                format!(
                    "MSI-X: Enable{enable} Count={count}, table in BAR {bar} at {:#x}",
                    table & !0b111
                )
            }
            capability_id::EXPRESS => {
                format!("Express (v{}), device type {}", control & 0xf, control >> 4 & 0xf)
            }
            id => format!("id {id:#04x}"),
        }
    }
}

fn sign(bit: u16) -> char {
    if bit == 0 { '-' } else { '+' }
}

/// Sizes a BAR as an operating system does: writes all ones and reads the size's mask. Returns the
/// number of registers that the BAR occupies.
fn print_bar(client: &Client, index: usize) -> Result<usize> {
    let config = client.region(RegionIndex::Config);
    let offset = (cfg::BAR0 + index * 4) as u64;
    let before = config.read::<u32>(offset)?;
    let wide = before & (bar::IO | bar::MEMORY_64) == bar::MEMORY_64;
    let ones = |at| {
        config.write(at, u32::MAX)?;
        config.read::<u32>(at)
    };
    let low = ones(offset)?;
    let high = if wide { ones(offset + 4)? } else { u32::MAX };
    config.write(offset, before)?;
    let mask = u64::from(high) << 32 | u64::from(low & !0xf);
    if low != 0 {
        let space = match (low & bar::IO != 0, wide) {
            (true, _) => "I/O ports",
            (_, true) => "Memory (64-bit)",
            (_, false) => "Memory (32-bit)",
        };
        println!("        Region {index}: {space} [size={:#x}]", mask.wrapping_neg());
    }
    Ok(if wide { 2 } else { 1 })
}
