//! A client that writes until it is killed. It prints what it is about to write, and what the
//! device has confirmed.

use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::thread;

use vfio_user::EventFd;
use vfio_user_tests::files;
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::wire::{self, command, dma, irq};

use super::check::place;
use super::device::WORDS;
use super::random::Random;

/// A line that it prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// It sends a write now.
    Writes { index: usize, value: u64 },
    /// The device has confirmed the write.
    Done,
    /// It has sent a part of a message, and waits for its end.
    Half,
}

impl Line {
    fn print(self) -> io::Result<()> {
        let mut output = io::stdout().lock();
        match self {
            Line::Writes { index, value } => writeln!(output, "{index} {value}")?,
            Line::Done => writeln!(output, "done")?,
            Line::Half => writeln!(output, "half")?,
        }
        output.flush()
    }

    /// Returns the line with this text; `None` if it was not printed to its end.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text.split_once(' ') {
            Some((index, value)) => {
                Some(Line::Writes { index: index.parse().ok()?, value: value.parse().ok()? })
            }
            None if text == "done" => Some(Line::Done),
            None if text == "half" => Some(Line::Half),
            None => None,
        }
    }
}

pub(crate) fn run(socket: &Path, seed: u64) -> io::Result<()> {
    let mut random = Random::new(seed);
    let mut client = RawClient::connect(socket);
    client.negotiate();
    // What the server has to give back.
    let (memory, eventfd) = (files::memory(0x4000), EventFd::new()?);
    client.dma_map(dma::BOTH, 0, 0, 0x4000, Some(memory.as_fd())).ok();
    client.assign(irq::MSIX, 0, &[eventfd.as_fd()]);
    let writes = random.below(30);
    for _ in 0..writes {
        let (index, value) = (random.index(WORDS), random.next());
        Line::Writes { index, value }.print()?;
        client.write(0, place(index), &value.to_le_bytes());
        Line::Done.print()?;
    }
    let payload = wire::write(0, place(0), &random.next().to_le_bytes());
    let message = wire::message(1, command::REGION_WRITE, 0, &payload);
    // It never is the whole message.
    client.send(&message[..=random.index(message.len() - 1)], &[]);
    Line::Half.print()?;
    loop {
        thread::park();
    }
}
