//! The stream or interface to the other end, and the threads that wait there.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::Duration;

use tun_rs::{DeviceBuilder, Layer, SyncDevice};
use vfio_user_virtio::Activation;

use crate::frames::Frames;
use crate::net::{MAX_FRAME, RECEIVE, TRANSMIT};

/// How often a connection is tried, or an interface that is down.
const RETRY: Duration = Duration::from_millis(100);

/// How the other end is reached.
pub(crate) enum Wire {
    Listen(UnixListener),
    Connect(PathBuf),
    Tap(SyncDevice),
}

impl Wire {
    pub(crate) fn listen(path: &Path) -> io::Result<Self> {
        // Of an earlier run.
        let _ = fs::remove_file(path);
        UnixListener::bind(path).map(Wire::Listen)
    }

    /// Opens an interface, or creates it. Frames have no header of the interface: the card has no
    /// offloads that it would describe.
    pub(crate) fn tap(name: &str) -> io::Result<Self> {
        // An interface that was created for the program is enabled already.
        let tap = DeviceBuilder::new().name(name).layer(Layer::L2).inherit_enable_state();
        tap.build_sync().map(Wire::Tap)
    }
}

/// Frames to and from the other end.
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
            // An interface exists from the start.
            is_up: AtomicBool::new(matches!(wire, Wire::Tap(_))),
            wire,
            received: Frames::default(),
            to_send: Frames::default(),
            stream: Mutex::new(None),
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
            thread::spawn(move || sender.send_all());
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

    fn set_up(&self, is_up: bool) {
        if self.is_up.swap(is_up, Ordering::Relaxed) != is_up
            && let Some(device) = &*lock(&self.device)
        {
            device.config_changed();
        }
    }

    /// Hands a frame to the card, which drops what arrives if it is not read.
    fn deliver(&self, frame: Vec<u8>) {
        self.received.push(frame);
        self.wake(RECEIVE);
    }

    /// Receives frames. Connects a stream again and again; an interface that is removed is lost.
    fn receive(&self) {
        loop {
            let received = match &self.wire {
                Wire::Listen(listener) => {
                    listener.accept().and_then(|(stream, _)| self.receive_stream(stream))
                }
                Wire::Connect(path) => {
                    UnixStream::connect(path).and_then(|stream| self.receive_stream(stream))
                }
                Wire::Tap(tap) => self.receive_tap(tap),
            };
            self.set_up(false);
            if received.is_err() {
                thread::sleep(RETRY);
            }
        }
    }

    /// Receives frames until the stream ends.
    fn receive_stream(&self, stream: UnixStream) -> io::Result<()> {
        *lock(&self.stream) = Some(stream.try_clone()?);
        self.set_up(true);
        let mut input = BufReader::new(stream);
        while let Ok(frame) = read_frame(&mut input) {
            self.deliver(frame);
        }
        *lock(&self.stream) = None;
        Ok(())
    }

    /// Receives frames until the interface is down or removed.
    fn receive_tap(&self, tap: &SyncDevice) -> io::Result<()> {
        let mut buffer = vec![0; MAX_FRAME];
        loop {
            let len = tap.recv(&mut buffer)?;
            self.set_up(true);
            self.deliver(buffer[..len].to_vec());
        }
    }

    fn send_all(&self) {
        loop {
            let frames = self.to_send.wait();
            // There is room again.
            self.wake(TRANSMIT);
            match &self.wire {
                Wire::Tap(tap) => {
                    for frame in &frames {
                        // A frame that the interface refuses is lost.
                        let _ = tap.send(frame);
                    }
                }
                Wire::Listen(_) | Wire::Connect(_) => {
                    // The thread that receives finds out that the stream has ended.
                    let _ = self.send(&frames);
                }
            }
        }
    }

    fn send(&self, frames: &VecDeque<Vec<u8>>) -> io::Result<()> {
        let stream = lock(&self.stream).as_ref().map(UnixStream::try_clone);
        let Some(stream) = stream.transpose()? else { return Ok(()) };
        let mut output = BufWriter::new(stream);
        frames.iter().try_for_each(|frame| write_frame(&mut output, frame))?;
        output.flush()
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
