//! The stream to the other end, and the threads that wait there.

use std::fs;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::Duration;

use vfio_user_virtio::Activation;

use crate::frames::Frames;
use crate::net::{MAX_FRAME, RECEIVE, TRANSMIT};

/// How often a connection is tried.
const RETRY: Duration = Duration::from_millis(100);

/// How the other end is reached.
#[derive(Debug)]
pub(crate) enum Wire {
    Listen(UnixListener),
    Connect(PathBuf),
}

impl Wire {
    pub(crate) fn listen(path: &Path) -> io::Result<Self> {
        // Of an earlier run.
        let _ = fs::remove_file(path);
        UnixListener::bind(path).map(Wire::Listen)
    }

    fn open(&self) -> io::Result<UnixStream> {
        match self {
            Wire::Listen(listener) => listener.accept().map(|(stream, _)| stream),
            Wire::Connect(path) => UnixStream::connect(path),
        }
    }
}

/// Frames to and from the other end.
#[derive(Debug)]
pub(crate) struct Link {
    wire: Wire,
    pub(crate) received: Frames,
    pub(crate) to_send: Frames,
    stream: Mutex<Option<UnixStream>>,
    is_up: AtomicBool,
    /// The device, while it runs.
    device: Mutex<Option<Activation>>,
    threads: Once,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Link {
    pub(crate) fn new(wire: Wire) -> Self {
        Link {
            wire,
            received: Frames::default(),
            to_send: Frames::default(),
            stream: Mutex::new(None),
            is_up: AtomicBool::new(false),
            device: Mutex::new(None),
            threads: Once::new(),
        }
    }

    /// Connects a running device.
    pub(crate) fn attach(self: &Arc<Self>, activation: Activation) {
        *lock(&self.device) = Some(activation);
        self.threads.call_once(|| {
            let (receiver, sender) = (Arc::clone(self), Arc::clone(self));
            thread::spawn(move || receiver.receive());
            thread::spawn(move || sender.send());
        });
    }

    /// Disconnects the device. What waits is lost.
    pub(crate) fn detach(&self) {
        *lock(&self.device) = None;
        self.received.clear();
    }

    pub(crate) fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Relaxed)
    }

    fn wake(&self, queue: u16) {
        if let Some(device) = &*lock(&self.device) {
            device.waker(queue).wake_by_ref();
        }
    }

    fn set_up(&self, stream: Option<UnixStream>) {
        self.is_up.store(stream.is_some(), Ordering::Relaxed);
        *lock(&self.stream) = stream;
        if let Some(device) = &*lock(&self.device) {
            device.config_changed();
        }
    }

    /// Opens the wire again and again, and receives frames.
    fn receive(&self) {
        loop {
            let Ok(stream) = self.wire.open() else {
                thread::sleep(RETRY);
                continue;
            };
            let Ok(copy) = stream.try_clone() else { continue };
            self.set_up(Some(copy));
            let mut input = BufReader::new(stream);
            while let Ok(frame) = read_frame(&mut input) {
                // A card that is not read drops what arrives.
                self.received.push(frame);
                self.wake(RECEIVE);
            }
            self.set_up(None);
        }
    }

    fn send(&self) {
        loop {
            let frames = self.to_send.wait();
            // There is room again.
            self.wake(TRANSMIT);
            let stream = lock(&self.stream).as_ref().map(UnixStream::try_clone);
            let Some(Ok(stream)) = stream else { continue };
            let mut output = BufWriter::new(stream);
            let written = frames.iter().try_for_each(|frame| write_frame(&mut output, frame));
            // The thread that receives finds out that the stream has ended.
            let _ = written.and_then(|()| output.flush());
        }
    }
}

fn read_frame(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut len = [0; 4];
    input.read_exact(&mut len)?;
    let len = usize::try_from(u32::from_be_bytes(len)).unwrap_or(usize::MAX);
    if len > MAX_FRAME {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut frame = vec![0; len];
    input.read_exact(&mut frame)?;
    Ok(frame)
}

fn write_frame(output: &mut impl Write, frame: &[u8]) -> io::Result<()> {
    let len = u32::try_from(frame.len()).unwrap_or(u32::MAX);
    output.write_all(&len.to_be_bytes())?;
    output.write_all(frame)
}
