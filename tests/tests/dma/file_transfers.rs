//! Bytes between files of the device and memory of the client, entries that are published, and
//! objects that are linked.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::thread::{self, JoinHandle};

use vfio_user::function::Function;
use vfio_user::{DmaError, DmaGuard, FileTransferError, SessionDma};
use vfio_user_tests::files;
use vfio_user_tests::ram::Ram;
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::scripted::reply;
use vfio_user_tests::serve::{self, Running};
use vfio_user_tests::wire::{self, command, dma};

pub(super) const PAGE: u64 = 0x1000;
pub(super) const LEN: usize = 0x1000;
/// Pages of each kind of memory, apart from each other.
pub(super) const MAPPED: [u64; 2] = [0, 8 * PAGE];
pub(super) const FILE_IO: u64 = 16 * PAGE;
pub(super) const MESSAGES: u64 = 24 * PAGE;

/// A client with memory of each kind, which answers requests for the last.
pub(super) struct Setup {
    _running: Running,
    pub(super) dma: SessionDma,
    /// The pages of `MAPPED`, then that of `FILE_IO`.
    pub(super) memory: File,
    client: Option<JoinHandle<Messages>>,
    stop: std::os::unix::net::UnixStream,
}

/// The page of `MESSAGES`, and the writes to it: offset and length.
pub(super) struct Messages {
    pub(super) page: Vec<u8>,
    writes: Vec<(usize, usize)>,
}

pub(super) fn setup() -> Setup {
    let ram = Ram::new();
    let dma = ram.dma().for_session();
    let (running, mut client) = serve::function(ram);
    let memory = files::memory(3 * PAGE);
    let both = dma::BOTH;
    for (page, iova) in (0..).zip(MAPPED) {
        client.dma_map(both, page * PAGE, iova, PAGE, Some(memory.as_fd())).ok();
    }
    let flags = both | dma::FILE_IO;
    client.dma_map(flags, 2 * PAGE, FILE_IO, PAGE, Some(memory.as_fd())).ok();
    client.dma_map(both, 0, MESSAGES, PAGE, None).ok();
    let stop = client.stream().try_clone().unwrap();
    let client = Some(thread::spawn(move || answer(&client)));
    Setup { _running: running, dma, memory, client, stop }
}

/// Answers requests until the connection is shut down.
fn answer(client: &RawClient) -> Messages {
    let mut memory = Messages { page: vec![0; LEN], writes: Vec::new() };
    while let Some(request) = client.try_receive() {
        let (iova, count) = (wire::u64_at(&request.payload, 0), wire::u64_at(&request.payload, 8));
        let start = usize::try_from(iova - MESSAGES).unwrap();
        let range = start..start + usize::try_from(count).unwrap();
        if request.command == command::DMA_READ {
            reply(client, &request, &wire::dma_access(iova, count, &memory.page[range]));
        } else {
            memory.writes.push((start, range.len()));
            memory.page[range].copy_from_slice(&request.payload[16..]);
            reply(client, &request, &[]);
        }
    }
    memory
}

impl Setup {
    /// Holds all pages, as one range.
    pub(super) fn pages(&self) -> DmaGuard {
        let pages = [MAPPED[1], MESSAGES, MAPPED[0], FILE_IO];
        pages.map(|page| self.dma.map(page, LEN).unwrap()).into_iter().collect()
    }

    /// Ends the client. Returns its page that is accessed by messages.
    pub(super) fn finish(mut self) -> Messages {
        self.stop.shutdown(std::net::Shutdown::Both).unwrap();
        self.client.take().unwrap().join().unwrap()
    }

    pub(super) fn page(&self, page: u64) -> Vec<u8> {
        let mut data = vec![0; LEN];
        self.memory.read_exact_at(&mut data, page * PAGE).unwrap();
        data
    }
}

/// A file with `len` bytes that follow a pattern.
pub(super) fn disk(len: usize) -> (File, Vec<u8>) {
    let pattern: Vec<u8> = (0..len).map(|at| u8::try_from(at * 7 % 251).unwrap()).collect();
    let disk = tempfile::tempfile().unwrap();
    disk.write_all_at(&pattern, 0).unwrap();
    (disk, pattern)
}

#[test]
fn a_file_fills_memory_of_every_kind() {
    let setup = setup();
    let (disk, pattern) = disk(5 * LEN);
    let held = setup.pages();
    assert_eq!((held.len(), held.segments().len()), (4 * PAGE, 4));
    held.read_from(&disk, 5).unwrap();
    let mut back = vec![0; 4 * LEN];
    held.read(0, &mut back).unwrap();
    assert!(back == pattern[5..][..4 * LEN]);
    assert!(setup.page(1) == pattern[5..][..LEN]);
    assert!(setup.page(2) == pattern[5 + 3 * LEN..][..LEN]);
    drop(held);
    assert!(setup.finish().page == pattern[5 + LEN..][..LEN]);
}

#[test]
fn memory_of_every_kind_is_written_to_a_file() {
    let setup = setup();
    let (_, pattern) = disk(4 * LEN);
    let held = setup.pages();
    held.write(0, &pattern).unwrap();
    let (disk, _) = disk(2);
    held.write_to(&disk, 1).unwrap();
    let mut back = vec![0; 4 * LEN + 1];
    disk.read_exact_at(&mut back, 0).unwrap();
    assert_eq!(back[0], 0);
    assert!(back[1..] == pattern);
}

#[test]
fn more_ranges_than_one_system_call_takes() {
    let setup = setup();
    let (disk, pattern) = disk(3000);
    let bytes = (0..3000_u64).map(|at| setup.dma.map(MAPPED[0] + (2999 - at), 1).unwrap());
    bytes.collect::<DmaGuard>().read_from(&disk, 0).unwrap();
    let reversed: Vec<u8> = pattern.into_iter().rev().collect();
    assert!(setup.page(0)[..3000] == reversed);
}

#[test]
fn a_file_that_ends_too_early_is_an_error_of_the_file() {
    let setup = setup();
    let (disk, pattern) = disk(LEN + 100);
    for iova in [MAPPED[0], FILE_IO] {
        let held = setup.dma.map_writable(iova, LEN).unwrap();
        let error = held.read_from(&disk, 200).unwrap_err();
        let FileTransferError::File { position, source } = error else { panic!("{error:?}") };
        assert_eq!((position, source.kind()), (4196, io::ErrorKind::UnexpectedEof));
    }
    assert!(setup.page(0)[..LEN - 100] == pattern[200..]);
    let held = setup.dma.map_writable(MAPPED[0], LEN).unwrap();
    assert!(matches!(held.read_from(&disk, u64::MAX), Err(FileTransferError::File { .. })));
    let read_only = File::open("/proc/self/exe").unwrap();
    let refused = setup.dma.map_readable(MAPPED[0], LEN).unwrap().write_to(&read_only, 0);
    assert!(matches!(refused, Err(FileTransferError::File { .. })));
}

#[test]
fn memory_that_may_not_be_accessed_is_an_error_of_memory() {
    let setup = setup();
    let (disk, _) = disk(LEN);
    let memory = |refused: Result<(), FileTransferError>| match refused {
        Err(FileTransferError::Memory(error)) => error,
        other => panic!("{other:?}"),
    };
    for iova in [MAPPED[0], FILE_IO, MESSAGES] {
        let readable = setup.dma.map_readable(iova, LEN).unwrap();
        let refused = memory(readable.read_from(&disk, 0));
        assert!(matches!(refused, DmaError::NotWritable { .. }));
        let writable = setup.dma.map_writable(iova, LEN).unwrap();
        let refused = memory(writable.write_to(&disk, 0));
        assert!(matches!(refused, DmaError::NotReadable { .. }));
    }
    let held = setup.dma.map(MAPPED[0], LEN).unwrap();
    setup.memory.set_len(0).unwrap();
    assert!(matches!(memory(held.read_from(&disk, 0)), DmaError::Lost { .. }));
    assert!(matches!(memory(held.write_to(&disk, 0)), DmaError::Lost { .. }));
}

#[test]
fn the_last_word_of_an_entry_is_published_after_the_others() {
    let setup = setup();
    let entry: Vec<u8> = (1..=16).collect();
    for iova in [MAPPED[0], FILE_IO, MESSAGES] {
        let queue = setup.dma.map(iova, LEN).unwrap();
        queue.publish(16, &entry).unwrap();
        queue.publish(33, &entry[..7]).unwrap();
        queue.publish(50, &entry[..5]).unwrap();
        queue.publish(60, &[]).unwrap();
        let mut back = vec![0; 64];
        queue.read(0, &mut back).unwrap();
        assert_eq!(back[16..32], entry);
        assert_eq!(back[33..40], entry[..7]);
        assert_eq!(back[50..55], entry[..5]);
        let outside = queue.publish(PAGE - 8, &entry);
        assert!(matches!(outside, Err(DmaError::Outside { .. })));
    }
    let writes = [(16, 8), (24, 8), (33, 3), (36, 4), (50, 4), (54, 1)];
    assert_eq!(setup.finish().writes, writes);
}

#[test]
fn an_entry_and_a_word_across_two_pieces() {
    let setup = setup();
    let pieces = [(MAPPED[0] + PAGE - 4, 4), (MAPPED[1], 16)];
    let held = pieces.map(|(iova, len)| setup.dma.map(iova, len).unwrap());
    let held: DmaGuard = held.into_iter().collect();
    held.publish(0, &[7; 12]).unwrap();
    assert_eq!(held.load::<u32>(0).unwrap(), 0x0707_0707);
    assert_eq!(held.load::<u64>(4).unwrap(), 0x0707_0707_0707_0707);
    held.store(12, 0x0102_0304_u32).unwrap();
    assert_eq!(setup.page(1)[8..12], [4, 3, 2, 1]);
    assert!(matches!(held.load::<u64>(0), Err(DmaError::Misaligned { .. })));
    assert!(matches!(held.load::<u32>(17), Err(DmaError::Outside { .. })));
    assert!(matches!(held.store(20, 0_u8), Err(DmaError::Outside { .. })));
}

#[test]
fn linked_objects_are_read_up_to_a_limit() {
    let setup = setup();
    // Each object is the address of the next one, or 0.
    let link = |from: u64, to: u64| setup.dma.write_obj(from, &to).unwrap();
    link(MAPPED[0] + 8, FILE_IO);
    link(FILE_IO, MAPPED[1] + 16);
    let chain = |first, limit| -> Result<Vec<u64>, DmaError> {
        setup.dma.chain(first, limit, |next| (*next != 0).then_some(*next)).collect()
    };
    assert_eq!(chain(MAPPED[0] + 8, 3).unwrap(), [FILE_IO, MAPPED[1] + 16, 0]);
    let endless = chain(MAPPED[0] + 8, 2).unwrap_err();
    assert!(matches!(endless, DmaError::EndlessChain { iova, limit: 2 } if iova == MAPPED[1] + 16));
    link(MAPPED[1] + 16, MAPPED[0] + 8);
    assert!(matches!(chain(FILE_IO, 1000), Err(DmaError::EndlessChain { limit: 1000, .. })));
    link(MAPPED[1] + 16, 1 << 40);
    let mut objects = setup.dma.chain(FILE_IO, 9, |next: &u64| Some(*next));
    assert!(objects.next().unwrap().is_ok() && objects.next().unwrap().is_ok());
    assert!(matches!(objects.next(), Some(Err(DmaError::Unmapped { .. }))));
    assert!(objects.next().is_none(), "an error ends the chain");
}
