//! The types that C programs share with the library. The headers describe them.

use std::ffi::{c_char, c_int, c_void};

use crate::context::Context;

/// `struct iovec`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct IoVec {
    pub(crate) base: *mut c_void,
    pub(crate) len: usize,
}

/// `vfu_dma_info_t`.
#[repr(C)]
#[derive(Debug)]
pub struct DmaInfo {
    pub(crate) iova: IoVec,
    pub(crate) vaddr: *mut c_void,
    pub(crate) mapping: IoVec,
    pub(crate) page_size: usize,
    pub(crate) prot: u32,
}

/// `dma_sg_t`, which programs allocate with the size from `dma_sg_size`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ScatterGather {
    /// The first address of the region.
    pub(crate) region_start: usize,
    /// 1 for an entry that the library has filled in.
    pub(crate) valid: usize,
    pub(crate) length: u64,
    /// In the region.
    pub(crate) offset: u64,
    /// 1 for an entry that the device may write. No `bool`: the memory of an entry that the library
    /// has not filled in holds anything.
    pub(crate) writeable: u8,
}

/// `vfu_migration_callbacks_t`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct MigrationCallbacks {
    pub(crate) version: c_int,
    pub(crate) transition: Option<unsafe extern "C" fn(*mut Context, c_int) -> c_int>,
    pub(crate) read_data: Option<unsafe extern "C" fn(*mut Context, *mut c_void, u64) -> isize>,
    pub(crate) write_data: Option<unsafe extern "C" fn(*mut Context, *mut c_void, u64) -> isize>,
}

/// `vfu_log_fn_t`.
pub type LogFn = unsafe extern "C" fn(*mut Context, c_int, *const c_char);
/// `vfu_region_access_cb_t`.
pub type RegionAccess = unsafe extern "C" fn(*mut Context, *mut c_char, usize, i64, bool) -> isize;
/// `vfu_device_quiesce_cb_t`.
pub type Quiesce = unsafe extern "C" fn(*mut Context) -> c_int;
/// `vfu_reset_cb_t`.
pub type Reset = unsafe extern "C" fn(*mut Context, c_int) -> c_int;
/// `vfu_dma_register_cb_t` and `vfu_dma_unregister_cb_t`.
pub type DmaChange = unsafe extern "C" fn(*mut Context, *mut DmaInfo);
/// `vfu_dev_irq_state_cb_t`.
pub type IrqState = unsafe extern "C" fn(*mut Context, u32, u32, bool);

/// `VFU_REGION_FLAG_*`.
pub(crate) mod region_flag {
    pub(crate) const READ: i32 = 1;
    pub(crate) const WRITE: i32 = 2;
    pub(crate) const BOTH: i32 = READ | WRITE;
    pub(crate) const MEMORY: i32 = 4;
    pub(crate) const ALWAYS_CALLBACK: i32 = 8;
    pub(crate) const BITS_64: i32 = 16;
    pub(crate) const PREFETCH: i32 = 32;
    pub(crate) const ALL: i32 = 63;
}

/// `VFU_CAP_FLAG_*`.
pub(crate) mod capability_flag {
    pub(crate) const EXTENDED: i32 = 1;
    pub(crate) const CALLBACK: i32 = 2;
    pub(crate) const READ_ONLY: i32 = 4;
    pub(crate) const ALL: i32 = 7;
}

/// `vfu_reset_type_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum ResetType {
    Device = 0,
    LostConnection = 1,
    FunctionLevel = 2,
}

/// `VFU_PCI_DEV_NUM_REGIONS`.
pub(crate) const REGIONS: usize = 9;
/// `VFU_PCI_DEV_CFG_REGION_IDX`.
pub(crate) const CONFIG_REGION: usize = 7;
/// `VFU_DEV_NUM_IRQS`.
pub(crate) const IRQ_TYPES: usize = 5;
/// `LIBVFIO_USER_FLAG_ATTACH_NB`.
pub(crate) const NONBLOCKING: i32 = 1;
/// `VFU_MIGR_CALLBACKS_VERS`.
pub(crate) const MIGRATION_VERSION: i32 = 2;
/// `VFU_SGL_DIRECT_ACCESS`.
pub(crate) const DIRECT_ACCESS: i32 = 1;
/// `PROT_READ` and `PROT_WRITE`.
pub(crate) const PROT_READ: u32 = 1;
pub(crate) const PROT_WRITE: u32 = 2;
