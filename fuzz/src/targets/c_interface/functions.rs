//! The functions of `libvfio-user.h`.

use std::ffi::{c_char, c_int, c_void};

// The library defines the functions.
use vfio_user_capi as _;

/// `vfu_ctx_t`, of which programs know nothing.
pub(super) type Context = c_void;

/// `struct iovec`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct IoVec {
    pub(super) base: *mut c_void,
    pub(super) len: usize,
}

/// `vfu_migration_callbacks_t`.
#[repr(C)]
pub(super) struct MigrationCallbacks {
    pub(super) version: c_int,
    pub(super) transition: extern "C" fn(*mut Context, c_int) -> c_int,
    pub(super) read_data: extern "C" fn(*mut Context, *mut c_void, u64) -> isize,
    pub(super) write_data: extern "C" fn(*mut Context, *mut c_void, u64) -> isize,
}

pub(super) type RegionAccess = extern "C" fn(*mut Context, *mut c_char, usize, i64, bool) -> isize;
pub(super) type DmaChange = extern "C" fn(*mut Context, *mut c_void);

unsafe extern "C" {
    pub(super) fn vfu_create_ctx(
        transport: c_int,
        path: *const c_char,
        flags: c_int,
        private: *mut c_void,
        device_type: c_int,
    ) -> *mut Context;
    pub(super) fn vfu_destroy_ctx(context: *mut Context);
    pub(super) fn vfu_get_private(context: *mut Context) -> *mut c_void;
    pub(super) fn vfu_realize_ctx(context: *mut Context) -> c_int;
    pub(super) fn vfu_attach_ctx(context: *mut Context) -> c_int;
    pub(super) fn vfu_run_ctx(context: *mut Context) -> c_int;
    pub(super) fn vfu_device_quiesced(context: *mut Context, errno: c_int) -> c_int;
    pub(super) fn vfu_irq_trigger(context: *mut Context, vector: u32) -> c_int;
    pub(super) fn vfu_setup_device_nr_irqs(context: *mut Context, kind: c_int, count: u32)
    -> c_int;
    pub(super) fn vfu_setup_region(
        context: *mut Context,
        index: c_int,
        size: usize,
        callback: Option<RegionAccess>,
        flags: c_int,
        areas: *mut IoVec,
        area_count: u32,
        fd: c_int,
        offset: u64,
    ) -> c_int;
    pub(super) fn vfu_create_ioeventfd(
        context: *mut Context,
        index: u32,
        fd: c_int,
        offset: usize,
        size: u32,
        flags: u32,
        data_match: u64,
        shadow_fd: c_int,
        shadow_offset: usize,
    ) -> c_int;
    pub(super) fn vfu_setup_device_dma(
        context: *mut Context,
        max_regions: usize,
        register: Option<DmaChange>,
        unregister: Option<DmaChange>,
    ) -> c_int;
    pub(super) fn vfu_setup_device_quiesce_cb(
        context: *mut Context,
        quiesce: Option<extern "C" fn(*mut Context) -> c_int>,
    );
    pub(super) fn vfu_setup_device_reset_cb(
        context: *mut Context,
        reset: Option<extern "C" fn(*mut Context, c_int) -> c_int>,
    ) -> c_int;
    pub(super) fn vfu_setup_irq_state_callback(
        context: *mut Context,
        kind: c_int,
        callback: Option<extern "C" fn(*mut Context, u32, u32, bool)>,
    ) -> c_int;
    pub(super) fn vfu_setup_device_migration_callbacks(
        context: *mut Context,
        callbacks: *const MigrationCallbacks,
    ) -> c_int;
    pub(super) fn vfu_pci_init(
        context: *mut Context,
        pci_type: c_int,
        header_type: c_int,
        revision: c_int,
    ) -> c_int;
    pub(super) fn vfu_pci_set_id(
        context: *mut Context,
        vendor: u16,
        device: u16,
        subsystem_vendor: u16,
        subsystem: u16,
    );
    pub(super) fn vfu_pci_add_capability(
        context: *mut Context,
        position: usize,
        flags: c_int,
        data: *mut c_void,
    ) -> isize;
    pub(super) fn vfu_pci_find_next_capability(
        context: *mut Context,
        is_extended: bool,
        position: usize,
        id: c_int,
    ) -> usize;
    pub(super) fn dma_sg_size() -> usize;
    pub(super) fn vfu_addr_to_sgl(
        context: *mut Context,
        address: *mut c_void,
        len: usize,
        parts: *mut c_void,
        most: usize,
        prot: c_int,
    ) -> c_int;
    pub(super) fn vfu_sgl_get(
        context: *mut Context,
        parts: *mut c_void,
        places: *mut IoVec,
        count: usize,
        flags: c_int,
    ) -> c_int;
    pub(super) fn vfu_sgl_put(
        context: *mut Context,
        parts: *mut c_void,
        places: *mut IoVec,
        count: usize,
    );
    pub(super) fn vfu_sgl_read(
        context: *mut Context,
        parts: *mut c_void,
        count: usize,
        data: *mut c_void,
        flags: c_int,
    ) -> c_int;
    pub(super) fn vfu_sgl_write(
        context: *mut Context,
        parts: *mut c_void,
        count: usize,
        data: *mut c_void,
        flags: c_int,
    ) -> c_int;
}
