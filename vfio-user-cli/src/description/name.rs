//! Finds the names of registers by their place.

use vfio_user::protocol::RegionIndex;

use super::{Block, Description, Register};
use crate::message::{Fields, Value};
use crate::place;

impl Description {
    /// Adds the names of the registers that an access refers to.
    pub(crate) fn name_registers(&self, fields: &mut Fields) {
        for field in &mut fields.0 {
            if let Value::List(entries) = &mut field.value {
                for entry in entries {
                    self.name_registers(entry);
                }
            }
        }
        let Some(Value::Name(region)) = fields.get("region") else { return };
        let is_access = fields.get("count").is_some();
        let Some(offset) = fields.number("offset").filter(|_| is_access) else { return };
        if let Some(name) = self.name_at(region, offset) {
            fields.push("register", Value::Name(name));
        }
    }

    /// Returns the name of the register that holds a byte of a region, such as `bar0`.
    fn name_at(&self, region: &str, offset: u64) -> Option<String> {
        let area = match place::region(region)? {
            RegionIndex::Config => &self.config,
            region => &self.bars.iter().find(|bar| RegionIndex::from(bar.index) == region)?.area,
        };
        name_at(&area.registers, &area.blocks, offset)
    }
}

/// Returns the name of the register that holds a byte: `status`, or `queues[2].tail+4`.
fn name_at(registers: &[Register], blocks: &[Block], offset: u64) -> Option<String> {
    let register = registers.iter().find_map(|register| {
        let (element, rest) = element_at(offset, register.offset, register.count, register.stride)?;
        let inside = if rest == 0 { String::new() } else { format!("+{rest:#x}") };
        let holds = rest < u64::from(register.bytes);
        holds.then(|| format!("{}{element}{inside}", register.name))
    });
    register.or_else(|| {
        blocks.iter().find_map(|block| {
            let (element, rest) = element_at(offset, block.offset, block.count, block.stride)?;
            let inner = name_at(&block.registers, &block.blocks, rest)?;
            Some(format!("{}{element}.{inner}", block.name))
        })
    })
}

/// Returns the index of the element that holds a byte, `[2]` or nothing, and the byte's offset in
/// it.
fn element_at(offset: u64, start: u64, count: u64, stride: u64) -> Option<(String, u64)> {
    let from_start = offset.checked_sub(start)?;
    if count == 1 {
        return Some((String::new(), from_start));
    }
    let index = from_start.checked_div(stride).filter(|index| *index < count)?;
    Some((format!("[{index}]"), from_start % stride))
}
