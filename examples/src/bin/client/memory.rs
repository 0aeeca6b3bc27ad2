//! Memory that the server may access.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use nix::sys::memfd::{MFdFlags, memfd_create};
use vfio_user::client::Client;
use vfio_user::client::{ClientMemory, DmaMapping};
use vfio_user::protocol::{DmaMapFlags, Errno};

use crate::{PAGE, PATIENCE, Result, expect};

/// Two pages: the first one is accessed by messages, the second one is a mapped file. An alarm
/// fills both with letters and reads them back, by messages last.
pub(crate) struct Memory {
    messages: Arc<Messages>,
    direct: File,
    /// The number of bytes that the server reads with each message.
    read: Receiver<usize>,
}

struct Messages {
    bytes: Mutex<Vec<u8>>,
    read: Sender<usize>,
}

impl ClientMemory for Messages {
    fn read(&self, offset: u64, data: &mut [u8]) -> std::result::Result<(), Errno> {
        self.bytes.read(offset, data)?;
        // When the client ends, the receiver is gone.
        let _ = self.read.send(data.len());
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> std::result::Result<(), Errno> {
        self.bytes.write(offset, data)
    }
}

impl Memory {
    pub(crate) const SIZE: u64 = PAGE as u64;
    pub(crate) const MESSAGES: u64 = 0;
    pub(crate) const DIRECT: u64 = Self::SIZE;

    pub(crate) fn new() -> Result<Self> {
        let (sender, read) = channel();
        let messages = Arc::new(Messages { bytes: Mutex::new(vec![0; PAGE]), read: sender });
        let direct = File::from(memfd_create(c"memory", MFdFlags::MFD_CLOEXEC)?);
        direct.set_len(Self::SIZE)?;
        Ok(Memory { messages, direct, read })
    }

    pub(crate) fn map_messages(&self, client: &Client) -> Result<()> {
        let memory = Arc::clone(&self.messages);
        Ok(client.dma_map_memory(Self::MESSAGES, Self::SIZE, memory, rights())?)
    }

    pub(crate) fn map_direct(&self, client: &Client) -> Result<()> {
        Ok(client.dma_map(DmaMapping {
            iova: Self::DIRECT,
            size: Self::SIZE,
            file: self.direct.as_fd(),
            offset: 0,
            rights: rights(),
        })?)
    }

    /// Waits until the server has filled both pages and read them back, and clears them.
    pub(crate) fn expect_letters(&self) -> Result<()> {
        let mut read = 0;
        while read < PAGE {
            read += self.read.recv_timeout(PATIENCE).map_err(|_| "no memory is read")?;
        }
        let letters: Vec<u8> = (b'A'..=b'D').flat_map(|letter| [letter; PAGE / 4]).collect();
        let (mut messages, mut direct) = (vec![0; PAGE], vec![0; PAGE]);
        self.messages.bytes.read(0, &mut messages).map_err(|errno| errno.to_string())?;
        self.direct.read_exact_at(&mut direct, 0)?;
        expect(messages == letters, "the server writes letters by messages")?;
        expect(direct == letters, "the server writes letters directly")?;
        self.messages.bytes.write(0, &[0; PAGE]).map_err(|errno| errno.to_string())?;
        Ok(self.direct.write_all_at(&[0; PAGE], 0)?)
    }
}

fn rights() -> DmaMapFlags {
    DmaMapFlags::READ | DmaMapFlags::WRITE
}
