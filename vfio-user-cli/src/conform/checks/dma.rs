//! The client's memory.

use std::fs::File;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use vfio_user::protocol::{Command, Errno};

use super::super::check::{Check, Stop, Verdict, ensure, equal, fail};
use super::super::connection::{Connection, errno};
use super::super::message::{dma_map, dma_unmap, longs, words};
use super::super::server::Server;

const MAP: &str = "VFIO_USER_DMA_MAP";
const UNMAP: &str = "VFIO_USER_DMA_UNMAP";

const BOTH: u32 = 3;
const MMAP: u32 = 4;
const FILE_IO: u32 = 8;
const ALL: u32 = 2;
const PAGE: u64 = 4096;
/// Where memory is mapped, four pages.
pub(super) const IOVA: u64 = 1 << 32;
pub(super) const SIZE: u64 = 4 * PAGE;

pub(super) const CHECKS: &[Check] = &[
    Check::required("map", MAP, "memory is mapped and unmapped, and then mapped again", |server| {
        let (mut client, file) = attach(server)?;
        for _ in 0..2 {
            map(&mut client, IOVA, SIZE, &[file.as_fd()])?;
            unmap(&mut client, 0, IOVA, SIZE)?;
        }
        Ok(())
    }),
    Check::robust(
        "map-without-file",
        MAP,
        "a mapping without a file is accepted; QEMU maps BARs of other devices so",
        |server| {
            let (mut client, _) = attach(server)?;
            map(&mut client, IOVA, SIZE, &[])?;
            unmap(&mut client, 0, IOVA, SIZE)
        },
    ),
    Check::required(
        "map-overlap",
        MAP,
        "a mapping that overlaps another one is refused with EEXIST",
        overlap,
    ),
    Check::required(
        "map-mode-without-file",
        MAP,
        "an access mode without a file is refused with EINVAL",
        |server| {
            let (mut client, _) = attach(server)?;
            [MMAP, FILE_IO].iter().try_for_each(|mode| {
                let what = format!("flags {:#x}", mode | BOTH);
                let request = dma_map(mode | BOTH, 0, IOVA, SIZE);
                let error = client.refuses(&what, Command::DmaMap, &request, &[])?;
                fails_with(error, Errno::EINVAL)
            })
        },
    ),
    Check::robust("map-flags", MAP, "unknown flags are refused", |server| {
        refuses(server, "flags 0x13", &dma_map(0x13, 0, IOVA, SIZE))
    }),
    Check::required("map-argsz-small", MAP, "an argsz below 32 is refused", |server| {
        let request = [words(&[31, BOTH]), longs(&[0, IOVA, SIZE])].concat();
        refuses(server, "an argsz of 31", &request)
    }),
    Check::robust(
        "map-range",
        MAP,
        "a size of 0, and a range beyond 2^64, are refused",
        |server| {
            refuses(server, "a size of 0", &dma_map(BOTH, 0, IOVA, 0))?;
            let request = dma_map(BOTH, 0, u64::MAX - PAGE + 1, 2 * PAGE);
            refuses(server, "a range beyond 2^64", &request)
        },
    ),
    Check::robust("map-to-the-end", MAP, "a range that ends at 2^64 is accepted", |server| {
        let (mut client, _) = attach(server)?;
        let last = u64::MAX - PAGE + 1;
        map(&mut client, last, PAGE, &[])?;
        unmap(&mut client, 0, last, PAGE)
    }),
    Check::robust(
        "map-file-offset",
        MAP,
        "an offset beyond 2^64 in the file is refused",
        |server| refuses(server, "the offset", &dma_map(BOTH, u64::MAX - PAGE + 1, IOVA, SIZE)),
    ),
    Check::robust(
        "map-short-file",
        MAP,
        "a file that is shorter than the mapping is refused: an access would raise SIGBUS",
        |server| refuses(server, "16 pages of 4", &dma_map(BOTH, 0, IOVA, 4 * SIZE)),
    ),
    Check::robust(
        "map-no-memory",
        MAP,
        "a descriptor of something that is not memory is refused",
        |server| {
            let (mut client, _) = attach(server)?;
            for (what, fd) in no_memory()? {
                let request = dma_map(BOTH, 0, IOVA, SIZE);
                client.refuses(what, Command::DmaMap, &request, &[fd.as_fd()])?;
            }
            Ok(())
        },
    ),
    Check::robust(
        "map-two-descriptors",
        MAP,
        "two descriptors for one mapping are refused",
        |server| {
            let (mut client, file) = attach(server)?;
            let request = dma_map(BOTH, 0, IOVA, SIZE);
            let two = [file.as_fd(); 2];
            client.refuses("two files", Command::DmaMap, &request, &two).map(drop)
        },
    ),
    Check::required(
        "unmap-releases",
        UNMAP,
        "the server has unmapped and closed the memory when it answers",
        |server| {
            let (mut client, file) = attach(server)?;
            map(&mut client, IOVA, SIZE, &[file.as_fd()])?;
            unmap(&mut client, 0, IOVA, SIZE)?;
            ensure(seal(&file).is_ok(), || "the memory is still mapped".into())
        },
    ),
    Check::robust(
        "unmap-all",
        UNMAP,
        "the flag ALL removes every mapping, or is refused",
        |server| {
            let (mut client, file) = attach(server)?;
            map(&mut client, IOVA, SIZE, &[file.as_fd()])?;
            map(&mut client, 2 * IOVA, SIZE, &[file.as_fd()])?;
            let reply = client.call(Command::DmaUnmap, &dma_unmap(ALL, 0, 0), &[])?;
            if reply.errno().is_some() {
                return client.alive();
            }
            ensure(seal(&file).is_ok(), || "the memory is still mapped".into())
        },
    ),
    Check::robust(
        "unmap-absent",
        UNMAP,
        "an unmap of what was never mapped is answered, and does no harm",
        |server| {
            let (mut client, file) = attach(server)?;
            map(&mut client, IOVA, SIZE, &[file.as_fd()])?;
            for (iova, size) in
                [(0, PAGE), (IOVA + SIZE, PAGE), (0xfef0_0000, 0u64.wrapping_sub(0xfef0_0000) / 2)]
            {
                // The last one contains a mapping.
                client.call(Command::DmaUnmap, &dma_unmap(0, iova, size), &[])?;
                client.alive()?;
            }
            Ok(())
        },
    ),
    Check::robust(
        "unmap-wrong",
        UNMAP,
        "unknown flags, an argsz below 24 and a range beyond 2^64 are refused",
        |server| {
            let (mut client, _) = attach(server)?;
            let small = [words(&[23, 0]), longs(&[IOVA, SIZE])].concat();
            let wrong = [
                ("flags 0x8", dma_unmap(8, IOVA, SIZE)),
                ("an argsz of 23", small),
                ("a range beyond 2^64", dma_unmap(0, u64::MAX - PAGE + 1, 2 * PAGE)),
            ];
            wrong.iter().try_for_each(|(what, request)| {
                client.refuses(what, Command::DmaUnmap, request, &[]).map(drop)
            })
        },
    ),
];

/// Attaches, with four pages of memory.
fn attach(server: &mut Server) -> Verdict<(Connection, File)> {
    Ok((server.attach()?, memory()?))
}

/// Returns four pages of memory whose mappings can be seen by [`seal`].
pub(super) fn memory() -> Verdict<File> {
    let io = |error: std::io::Error| Stop::Skipped(error.to_string());
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let file = memfd_create(c"vfu-conform", flags).map(File::from);
    let file = file.map_err(|error| io(error.into()))?;
    file.set_len(SIZE).map_err(io)?;
    Ok(file)
}

/// Makes memory read-only, which fails while it is mapped writable.
pub(super) fn seal(file: &File) -> nix::Result<()> {
    fcntl(file, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_WRITE)).map(drop)
}

/// Maps memory for reads and writes.
pub(super) fn map(
    client: &mut Connection,
    iova: u64,
    size: u64,
    fds: &[BorrowedFd<'_>],
) -> Verdict {
    let reply = client.succeeds(Command::DmaMap, &dma_map(BOTH, 0, iova, size), fds)?;
    equal("the length of the reply to DMA_MAP", reply.payload.len(), 0)
}

/// Maps four pages.
pub(super) fn map_memory(client: &mut Connection, file: &File) -> Verdict {
    map(client, IOVA, SIZE, &[file.as_fd()])
}

fn unmap(client: &mut Connection, flags: u32, iova: u64, size: u64) -> Verdict {
    let request = dma_unmap(flags, iova, size);
    let reply = client.succeeds(Command::DmaUnmap, &request, &[])?;
    equal("the reply to DMA_UNMAP", reply.payload, request)
}

/// Checks that a mapping of a file is refused.
fn refuses(server: &mut Server, what: &str, request: &[u8]) -> Verdict {
    let (mut client, file) = attach(server)?;
    client.refuses(what, Command::DmaMap, request, &[file.as_fd()]).map(drop)
}

fn fails_with(error: u32, expected: Errno) -> Verdict {
    ensure(error == expected.get(), || {
        format!("the error is {}, expected {expected}", errno(error))
    })
}

fn overlap(server: &mut Server) -> Verdict {
    let (mut client, file) = attach(server)?;
    map_memory(&mut client, &file)?;
    for (iova, size) in
        [(IOVA, PAGE), (IOVA + PAGE, PAGE), (IOVA - PAGE, 2 * PAGE), (IOVA + 3 * PAGE, 2 * PAGE)]
    {
        let request = dma_map(BOTH, 0, iova, size);
        let what = format!("{iova:#x}+{size:#x} over {IOVA:#x}+{SIZE:#x}");
        let error = client.refuses(&what, Command::DmaMap, &request, &[file.as_fd()])?;
        fails_with(error, Errno::EEXIST)?;
    }
    unmap(&mut client, 0, IOVA, SIZE)
}

/// Descriptors that cannot be mapped, with what they are.
fn no_memory() -> Verdict<Vec<(&'static str, OwnedFd)>> {
    let found = || -> std::io::Result<_> {
        let (socket, _) = std::os::unix::net::UnixStream::pair()?;
        let (_, pipe) = std::io::pipe()?;
        let folder = File::open("/")?;
        Ok(vec![("a socket", socket.into()), ("a pipe", pipe.into()), ("a folder", folder.into())])
    };
    found().or_else(|error| fail(error.to_string()))
}
