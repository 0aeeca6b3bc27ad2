//! The shape of a device at run time: how many elements of a block exist, and which registers.

use std::sync::{Mutex, PoisonError};

use super::Descriptor;
use crate::layout::LayoutError;
use crate::model::{Block, Register, RegisterFlags, Slot};

/// Blocks of which one has another number of elements than declared.
struct Reshaped {
    declared: &'static [Block],
    index: usize,
    count: u32,
    blocks: &'static [Block],
}

/// All that were ever used. A declaration lives as long as the process, and so do its shapes; each
/// is made once, and there are no more than elements.
static RESHAPED: Mutex<Vec<Reshaped>> = Mutex::new(Vec::new());

impl Descriptor {
    /// Sets how many elements of a block exist, from the first one on: none, or up to as many as
    /// declared. All elements of blocks in an element exist with it.
    ///
    /// Accesses to the others meet no register, and their state is not saved. State of a device
    /// with another number does not load, unless `grown_from` has it.
    ///
    /// # Errors
    ///
    /// [`LayoutError::NoSuchBlock`], [`LayoutError::BlockCount`], or
    /// [`LayoutError::InnerBlockCount`] for a block that lies in another one.
    pub fn set_block_count(
        &mut self,
        block: &'static str,
        count: u32,
    ) -> Result<(), LayoutError<'static>> {
        let Some(index) = self.block_index(block) else {
            return Err(LayoutError::NoSuchBlock { block });
        };
        if index >= self.own_blocks {
            return Err(LayoutError::InnerBlockCount { block });
        }
        let declared = self.blocks[index].count();
        if count > declared {
            let (count, declared) = (count.into(), declared.into());
            return Err(LayoutError::BlockCount { block, count, declared });
        }
        if count != declared {
            self.blocks = reshaped(self.blocks, index, count);
        }
        Ok(())
    }

    /// Sets whether a register exists, with all its elements; it does unless set otherwise. A
    /// register of a block is named `queues.doorbell`, `rings.channels.head`, and is set for all
    /// elements of the block.
    ///
    /// An access to one that does not exist is answered as one to a place without a register, and
    /// logged with the register's name. Its field keeps the value that the device has constructed:
    /// no reset changes it, it is not saved, and `peek` does not find it. State of a device that
    /// has the register does not load, nor does the state of one that lacks it where it exists,
    /// unless the register has a default for older state (`#[migrate(since = .., default = ..)]`).
    ///
    /// ```
    /// use vfio_user::declaration::{BarKind, Bar, Descriptor, Ids, Register};
    ///
    /// const REGISTERS: &[Register] = &[Register::new::<u32>("phy", 0x10)];
    /// let mut descriptor = Descriptor::new("card", Ids::default())
    ///     .with_bar(0, Bar::new(BarKind::Mem32, 0x1000))
    ///     .with_registers(REGISTERS);
    /// descriptor.set_present("phy", false)?;
    /// assert_eq!(descriptor.slots().count(), 0);
    /// # Ok::<(), vfio_user::declaration::LayoutError<'static>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`LayoutError::NoSuchRegister`], or [`LayoutError::AbsentWatch`] for one that clients map.
    pub fn set_present(
        &mut self,
        register: &'static str,
        is_present: bool,
    ) -> Result<(), LayoutError<'static>> {
        let index = self.register_index(register);
        let index = index.ok_or(LayoutError::NoSuchRegister { register })?;
        if is_present {
            self.absent.remove(&index);
            return Ok(());
        }
        let (block, number) = index;
        if self.declared_in(block)[number].is(RegisterFlags::WATCH) {
            return Err(LayoutError::AbsentWatch { register });
        }
        self.absent.insert(index);
        Ok(())
    }

    /// Returns the block of a register, if it has one, and its index there.
    fn register_index(&self, path: &str) -> Option<(Option<usize>, usize)> {
        let (block, name) = match path.rsplit_once('.') {
            Some((block, name)) => (Some(self.block_index(block)?), name),
            None => (None, path),
        };
        let mut registers = self.declared_in(block).iter();
        Some((block, registers.position(|register| register.name() == name)?))
    }

    /// Returns the registers of a block, or of the device itself, whether they exist or not.
    fn declared_in(&self, block: Option<usize>) -> &'static [Register] {
        block.map_or(self.registers, |block| self.blocks[block].registers())
    }

    /// Returns whether a register exists.
    pub(crate) fn is_present(&self, slot: Slot) -> bool {
        let block = slot.block.map(|at| at.block);
        !self.absent.contains(&(block, slot.register))
    }

    /// Returns the registers of a block, or of the device itself, that exist, each with its index.
    pub(crate) fn registers_in(
        &self,
        block: Option<usize>,
    ) -> impl Iterator<Item = (usize, &'static Register)> + Clone + use<> {
        let absent = self.absent.range((block, 0)..=(block, usize::MAX));
        let absent: Vec<_> = absent.map(|(_, index)| *index).collect();
        let registers = self.declared_in(block).iter().enumerate();
        registers.filter(move |(index, _)| !absent.contains(index))
    }
}

fn reshaped(declared: &'static [Block], index: usize, count: u32) -> &'static [Block] {
    let mut known = RESHAPED.lock().unwrap_or_else(PoisonError::into_inner);
    let same = |one: &&Reshaped| {
        std::ptr::eq(one.declared, declared) && one.index == index && one.count == count
    };
    if let Some(one) = known.iter().find(same) {
        return one.blocks;
    }
    let mut blocks = declared.to_vec();
    blocks[index] = blocks[index].with_count(count);
    for inner in blocks[index].inner_range() {
        blocks[inner] = blocks[inner].with_outer_count(count);
    }
    let blocks: &'static [Block] = blocks.leak();
    known.push(Reshaped { declared, index, count, blocks });
    blocks
}
