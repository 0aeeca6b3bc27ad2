//! What a device or a block consists of: registers, timers, private state and blocks.

use pyo3::prelude::*;
use vfio_user::__private::{StateField, StateLayout, list_blocks};
use vfio_user::declaration::{
    Block, BlockContents, ComposedInterrupt, DeclaredTimer, Descriptor, Register, ResetSet,
};

use super::group::{self, Alarm, Group, Places, Private};
use super::register::{RegisterOf, Registers};
use super::unknown;
use crate::value::{Type, wrong};

/// The package's `Contents` of a class.
#[derive(FromPyObject)]
pub(super) struct ContentsOf<'py> {
    registers: Vec<RegisterOf<'py>>,
    private: Vec<StateOf<'py>>,
    timers: Vec<TimerOf>,
    blocks: Vec<BlockOf<'py>>,
}

#[derive(FromPyObject)]
struct StateOf<'py> {
    name: String,
    #[pyo3(attribute("type"))]
    ty: String,
    initial: Bound<'py, PyAny>,
    sticky: bool,
}

/// A timer and its hook.
#[derive(FromPyObject)]
struct TimerOf {
    timer: OwnTimerOf,
    hook: Py<PyAny>,
}

#[derive(FromPyObject)]
struct OwnTimerOf {
    name: String,
    count: u32,
    is_array: bool,
    doc: String,
}

#[derive(FromPyObject)]
struct BlockOf<'py> {
    name: String,
    offset: u64,
    bar: Option<u8>,
    count: u32,
    stride: Option<u64>,
    vector: u16,
    vector_stride: u16,
    keep_on_flr: bool,
    doc: String,
    contents: ContentsOf<'py>,
}

/// The contents as the engine takes them, and what Python adds.
pub(super) struct Contents {
    registers: &'static [Register],
    interrupts: &'static [ComposedInterrupt],
    timers: &'static [DeclaredTimer],
    /// Its own blocks, and behind them those that lie in these.
    blocks: &'static [Block],
    group: Group,
    /// The contents of its own blocks.
    inner: Vec<Contents>,
}

impl Contents {
    /// Leaks the declarations of a class, and of the blocks in it.
    pub(super) fn of(given: ContentsOf<'_>, default_bar: u8, version: u16) -> PyResult<Self> {
        let registers = Registers::of(given.registers, default_bar)?;
        let private = given.private.into_iter().map(Private::of);
        let private: Vec<_> = private.collect::<PyResult<_>>()?;
        let (timers, alarms): (Vec<_>, Vec<_>) =
            given.timers.into_iter().map(TimerOf::split).unzip();
        let (mut own, mut inner) = (Vec::new(), Vec::new());
        for block in given.blocks {
            let (block, contents) = block.declared(default_bar, version)?;
            own.push(block);
            inner.push(contents);
        }
        let counts = registers.declared.iter().map(|register| register.count() as usize);
        let group = Group {
            registers: Places::of(counts),
            values: Places::of(private.iter().map(|_| 1)),
            timers: Places::of(timers.iter().map(|timer: &DeclaredTimer| timer.count() as usize)),
            initial: group::initial(&registers.declared),
            hooks: registers.hooks,
            arrays: registers.arrays,
            private,
            alarms,
            children: (1..=inner.len()).collect(),
            elements: 1,
        };
        Ok(Contents {
            registers: registers.declared.leak(),
            interrupts: registers.interrupts.leak(),
            timers: timers.leak(),
            blocks: list_blocks(&own).leak(),
            group,
            inner,
        })
    }

    /// Adds the contents to the declaration of a device.
    pub(super) fn declare(&self, descriptor: Descriptor) -> Descriptor {
        descriptor
            .with_registers(self.registers)
            .with_interrupts(self.interrupts)
            .with_timers(self.timers)
            .with_blocks(self.blocks)
    }

    /// Returns the contents of a block.
    fn in_block(&self, version: u16) -> BlockContents {
        let fields: Vec<_> = self.group.private.iter().map(|private| private.field).collect();
        BlockContents::of_blocks(self.registers, self.blocks)
            .with_interrupts(self.interrupts)
            .with_timers(self.timers)
            .with_state(StateLayout::new(version, 1, fields.leak()))
    }

    /// Returns the group of these contents, and behind it those of all blocks in their order.
    /// Children are indices in this list.
    pub(super) fn groups(self) -> Vec<Group> {
        let lists: Vec<_> = self.inner.into_iter().map(Contents::groups).collect();
        let mut first = 1 + lists.len();
        let (mut all, mut deeper) = (vec![self.group], Vec::new());
        for mut list in lists {
            let children = list.iter_mut().flat_map(|group| &mut group.children);
            // The first group of a list, which is the block itself, is no child there.
            children.for_each(|child| *child = *child - 1 + first);
            first += list.len() - 1;
            let mut list = list.into_iter();
            all.extend(list.next());
            deeper.extend(list);
        }
        all.extend(deeper);
        all
    }
}

impl Private {
    fn of(state: StateOf<'_>) -> PyResult<Self> {
        let StateOf { name, ty, initial, sticky } = state;
        let ty = Type::from_name(&ty).ok_or_else(|| unknown("type of state", &ty))?;
        let initial = ty.extract(&initial).map_err(|error| wrong(&name, ty, &error))?;
        let field = StateField::new(name.leak(), ty.in_rust());
        Ok(Private { field, ty, initial, is_sticky: sticky })
    }
}

impl TimerOf {
    fn split(self) -> (DeclaredTimer, Alarm) {
        let TimerOf { timer, hook } = self;
        let declared = DeclaredTimer::new(timer.name.leak())
            .with_count(timer.count)
            .with_doc(timer.doc.leak());
        (declared, Alarm { hook, is_array: timer.is_array })
    }
}

impl BlockOf<'_> {
    fn declared(self, default_bar: u8, version: u16) -> PyResult<(Block, Contents)> {
        // Registers count from the start of the block, whatever its BAR.
        let contents = Contents::of(self.contents, 0, version)?;
        let mut block = Block::new(self.name.leak(), self.offset, contents.in_block(version))
            .with_bar(self.bar.unwrap_or(default_bar))
            .with_count(self.count)
            .with_vector(self.vector)
            .with_vector_stride(self.vector_stride)
            .with_doc(self.doc.leak());
        if let Some(stride) = self.stride {
            block = block.with_stride(stride);
        }
        if self.keep_on_flr {
            block = block.with_kept_over(ResetSet::EMPTY.with_function_level());
        }
        Ok((block, contents))
    }
}
