//! A program that is written against the C interface, and its client.

use std::cell::Cell;
use std::ffi::{CString, c_char, c_int, c_void};
use std::fs::File;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::ptr;
use std::slice;

use tempfile::TempDir;
use vfio_user::EventFd;
use vfio_user_tests::files;
use vfio_user_tests::wire::{self, command};

use super::super::session::{Kinds, Message, Peer};
use super::functions::{self as c, Context, IoVec, MigrationCallbacks};
use super::{Setup, Step};

/// The most memory that one transfer reaches, in bytes.
const LONGEST: usize = 1 << 16;
/// The most parts of one transfer.
const MOST_PARTS: usize = 8;

pub(super) struct Program {
    context: *mut Context,
    /// What the program's functions return; they have its address.
    mood: Box<Cell<u8>>,
    client: Option<Peer>,
    kinds: Kinds,
    file: File,
    eventfd: EventFd,
    path: PathBuf,
    _dir: TempDir,
}

impl Program {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("socket");
        let text = CString::new(path.as_os_str().as_bytes()).expect("a path");
        let mood = Box::new(Cell::new(0));
        let private = ptr::from_ref(&*mood).cast_mut().cast();
        // SAFETY: the path is a string, and the program's value lives as long as the context.
        let context = unsafe { c::vfu_create_ctx(0, text.as_ptr(), 1, private, 0) };
        assert!(!context.is_null(), "a context");
        let (file, eventfd) = (files::memory(0x10_0000), EventFd::new().expect("eventfd"));
        Program { context, mood, client: None, kinds: Kinds::new(), file, eventfd, path, _dir: dir }
    }

    pub(super) fn play(&mut self, step: &Step) {
        let context = self.context;
        match step {
            Step::Set(setup) => self.set(setup),
            // SAFETY: the context lives, and no callback runs.
            Step::Realize => drop(unsafe { c::vfu_realize_ctx(context) }),
            // SAFETY: as above.
            Step::Attach => drop(unsafe { c::vfu_attach_ctx(context) }),
            // SAFETY: as above.
            Step::Run => drop(unsafe { c::vfu_run_ctx(context) }),
            // SAFETY: as above.
            Step::Trigger(vector) => drop(unsafe { c::vfu_irq_trigger(context, vector.word()) }),
            Step::Quiesced(errno) => {
                // SAFETY: as above.
                unsafe { c::vfu_device_quiesced(context, (*errno).into()) };
            }
            Step::Return(mood) => self.mood.set(*mood),
            Step::Transfer { iova, len, prot, most, is_write } => {
                self.transfer(iova.0, len.0, (*prot).into(), (*most).into(), *is_write);
            }
            Step::Capability { id, is_extended, position } => {
                let (id, position) = ((*id).into(), size(position.0));
                // SAFETY: as above.
                unsafe { c::vfu_pci_find_next_capability(context, *is_extended, position, id) };
            }
            Step::Connect => self.connect(),
            Step::Leave => self.client = None,
            Step::Send(message) => self.send(message),
        }
        if self.client.as_mut().is_some_and(|client| !client.receive()) {
            self.client = None;
        }
    }

    fn set_region(&self, setup: &Setup) {
        let Setup::Region { index, size: len, flags, has_callback, areas, file } = setup else {
            return;
        };
        let area = |(at, len): &(super::Number, super::Number)| IoVec {
            base: ptr::without_provenance_mut(size(at.0)),
            len: size(len.0),
        };
        let mut areas: Vec<_> = areas.iter().map(area).collect();
        let count = u32::try_from(areas.len()).unwrap_or(0);
        let areas = if areas.is_empty() { ptr::null_mut() } else { areas.as_mut_ptr() };
        let fd = if *file { self.file.as_raw_fd() } else { -1 };
        let callback = has_callback.then_some(access as c::RegionAccess);
        let (index, len, flags) = ((*index % 12).into(), size(len.0), (*flags).into());
        // SAFETY: as in `set`; the areas live during the call, which copies them.
        unsafe {
            c::vfu_setup_region(self.context, index, len, callback, flags, areas, count, fd, 0);
        }
    }

    fn set(&self, setup: &Setup) {
        let context = self.context;
        // SAFETY: the context lives, and no callback runs. The functions live as long as the
        // process; a descriptor is open during the call, which duplicates it.
        unsafe {
            match setup {
                Setup::Kind { pci_type, header } => {
                    c::vfu_pci_init(context, c_int::from(pci_type % 4), (header % 3).into(), 0);
                }
                Setup::Ids([vendor, device, subsystem_vendor, subsystem]) => {
                    c::vfu_pci_set_id(context, *vendor, *device, *subsystem_vendor, *subsystem);
                }
                Setup::Region { .. } => self.set_region(setup),
                Setup::Irqs { index, count } => {
                    c::vfu_setup_device_nr_irqs(context, (*index % 7).into(), count.word());
                }
                Setup::Ioeventfd { region, offset, size: len, flags } => {
                    let (fd, offset) = (self.eventfd.as_fd().as_raw_fd(), size(offset.0));
                    let (region, len, flags) = ((*region).into(), (*len).into(), (*flags).into());
                    c::vfu_create_ioeventfd(context, region, fd, offset, len, flags, 1, -1, 0);
                }
                Setup::Dma { regions, has_unregister } => {
                    let unregister = has_unregister.then_some(changed as c::DmaChange);
                    c::vfu_setup_device_dma(context, size(regions.0), Some(changed), unregister);
                }
                Setup::Quiesce => c::vfu_setup_device_quiesce_cb(context, Some(quiesce)),
                Setup::Reset => drop(c::vfu_setup_device_reset_cb(context, Some(reset))),
                Setup::IrqState(index) => {
                    c::vfu_setup_irq_state_callback(context, (*index % 7).into(), Some(masked));
                }
                Setup::Migration { version } => {
                    let version = c_int::from(*version % 4);
                    let callbacks =
                        MigrationCallbacks { version, transition: reset, read_data, write_data };
                    c::vfu_setup_device_migration_callbacks(context, &raw const callbacks);
                }
                Setup::Capability { bytes, position, flags } => {
                    // As long as any header says.
                    let mut data = [&bytes[..], &[0; 1 << 12]].concat();
                    let data = data.as_mut_ptr().cast();
                    c::vfu_pci_add_capability(
                        context,
                        size(position.0),
                        (*flags % 16).into(),
                        data,
                    );
                }
            }
        }
    }

    /// Divides a range of the client's memory, and reads or writes its first part.
    fn transfer(&self, iova: u64, len: u64, prot: c_int, most: usize, is_write: bool) {
        let (len, most) = (size(len).min(LONGEST), most % (MOST_PARTS + 1));
        // SAFETY: there is room for `most` parts and for all of their bytes.
        unsafe {
            // Words, which are aligned as the parts have to be.
            let mut parts = vec![0_u64; c::dma_sg_size().div_ceil(8) * MOST_PARTS];
            let (parts, address) =
                (parts.as_mut_ptr().cast(), ptr::without_provenance_mut(size(iova)));
            let count = c::vfu_addr_to_sgl(self.context, address, len, parts, most, prot);
            let Ok(count @ 1..) = usize::try_from(count) else { return };
            assert!(count <= most, "{count} parts");
            let mut places = [IoVec { base: ptr::null_mut(), len: 0 }; MOST_PARTS];
            if c::vfu_sgl_get(self.context, parts, places.as_mut_ptr(), count, 0) == 0 {
                assert!(places[..count].iter().map(|place| place.len).sum::<usize>() <= len);
                c::vfu_sgl_put(self.context, parts, places.as_mut_ptr(), count);
            }
            let mut data = vec![0x5a_u8; LONGEST];
            if is_write {
                c::vfu_sgl_write(self.context, parts, 1, data.as_mut_ptr().cast(), 0);
            } else {
                c::vfu_sgl_read(self.context, parts, 1, data.as_mut_ptr().cast(), 0);
            }
        }
    }

    fn connect(&mut self) {
        let Ok(stream) = UnixStream::connect(&self.path) else { return };
        let mut client = Peer::new(stream);
        let id = client.next_id();
        client.expect_reply(id);
        let version = wire::version(0, r#"{"capabilities":{"max_msg_fds":8}}"#);
        client.send(&wire::message(id, command::VERSION, 0, &version), &[]);
        self.client = Some(client);
    }

    fn send(&mut self, message: &Message) {
        let Some(client) = &mut self.client else { return };
        let id = client.next_id();
        let (bytes, is_request) = message.bytes(id);
        if is_request {
            client.expect_reply(id);
        } else if !message.is_command() {
            client.unframe();
        }
        let kinds: Vec<_> =
            message.descriptors.kinds().iter().map(|kind| self.kinds.pick(*kind)).collect();
        client.send(&bytes, &kinds);
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: the context lives, and is not used again.
        unsafe { c::vfu_destroy_ctx(self.context) }
    }
}

/// Numbers of this machine have 64 bits.
fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Returns what the program's functions return now.
fn mood(context: *mut Context) -> u8 {
    // SAFETY: the context lives while a function of the program runs; the value it was created with
    // is a cell that lives longer.
    unsafe { (*c::vfu_get_private(context).cast::<Cell<u8>>()).get() }
}

extern "C" fn access(
    context: *mut Context,
    data: *mut c_char,
    len: usize,
    _: i64,
    write: bool,
) -> isize {
    if !write && !data.is_null() {
        // SAFETY: the library passes room for as many bytes.
        unsafe { slice::from_raw_parts_mut(data.cast::<u8>(), len) }.fill(0x5a);
    }
    let done = isize::try_from(len).unwrap_or(isize::MAX);
    match mood(context) % 4 {
        0 | 1 => done,
        2 => -1,
        _ => done / 2,
    }
}

extern "C" fn changed(_: *mut Context, _: *mut c_void) {}

extern "C" fn quiesce(context: *mut Context) -> c_int {
    match mood(context) >> 2 & 3 {
        0 | 1 => 0,
        2 => {
            nix::errno::Errno::EBUSY.set();
            -1
        }
        _ => -1,
    }
}

extern "C" fn reset(context: *mut Context, _: c_int) -> c_int {
    if mood(context) >> 4 & 3 == 3 { -1 } else { 0 }
}

extern "C" fn masked(_: *mut Context, _: u32, _: u32, _: bool) {}

extern "C" fn read_data(context: *mut Context, data: *mut c_void, len: u64) -> isize {
    let len = size(len).min(64);
    match mood(context) >> 6 {
        0 => 0,
        1 => -1,
        _ => {
            // SAFETY: the library passes room for as many bytes.
            unsafe { slice::from_raw_parts_mut(data.cast::<u8>(), len) }.fill(0x5a);
            isize::try_from(len).unwrap_or(0)
        }
    }
}

extern "C" fn write_data(context: *mut Context, _: *mut c_void, len: u64) -> isize {
    if mood(context) >> 6 == 1 { -1 } else { isize::try_from(len).unwrap_or(-1) }
}
