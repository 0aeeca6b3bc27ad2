//! The line of a serial port, and what it leads to.

use std::fs::{File, OpenOptions, remove_file};
use std::io::{ErrorKind, IsTerminal as _, Read as _, Result, Write as _, stdin};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::pty::openpty;
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::{Pid, pipe2, ttyname};

/// What a line leads to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Connector {
    /// What is sent comes back.
    Loopback,
    /// The program's input and output.
    Stdio,
    /// A pseudo-terminal.
    Pty,
    /// A UNIX socket, to which one peer after the other connects.
    Unix(PathBuf),
}

impl FromStr for Connector {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text.split_once(':') {
            None if text == "loopback" => Ok(Connector::Loopback),
            None if text == "stdio" => Ok(Connector::Stdio),
            None if text == "pty" => Ok(Connector::Pty),
            Some(("unix", path)) if !path.is_empty() => Ok(Connector::Unix(path.into())),
            _ => Err("expected loopback, stdio, pty or unix:PATH".into()),
        }
    }
}

/// Ctrl-], which ends the program: in a raw terminal no key sends a signal.
const ESCAPE: u8 = 0x1d;

/// The end of a line that the port has. A clone has the same other end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line {
    input: Option<Arc<File>>,
    output: Option<Arc<File>>,
    listener: Option<Arc<Listener>>,
    terminal: Option<Arc<RawTerminal>>,
}

impl Line {
    pub(crate) fn open(connector: &Connector) -> Result<Self> {
        match connector {
            Connector::Loopback => Self::loopback(),
            Connector::Stdio => Self::stdio(),
            Connector::Pty => Self::pty(),
            Connector::Unix(path) => {
                let listener = Some(Arc::new(Listener::bind(path)?));
                Ok(Line { listener, ..Line::default() })
            }
        }
    }

    fn loopback() -> Result<Self> {
        let (input, output) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        Ok(Line::default().to(File::from(input), File::from(output)))
    }

    fn stdio() -> Result<Self> {
        let terminal = stdin().is_terminal().then(|| stdin().as_fd().try_clone_to_owned());
        let terminal =
            terminal.transpose()?.map(|fd| RawTerminal::new(fd, Some(ESCAPE))).transpose()?;
        // Opened anew: O_NONBLOCK would also act on other programs that share the terminal.
        let mut options = OpenOptions::new();
        let options = options.custom_flags(OFlag::O_NONBLOCK.bits());
        let input = options.read(true).open("/dev/stdin")?;
        let output = options.read(false).append(true).open("/dev/stdout")?;
        Ok(Line { terminal: terminal.map(Arc::new), ..Line::default() }.to(input, output))
    }

    fn pty() -> Result<Self> {
        let pty = openpty(None, None)?;
        fcntl(&pty.master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        println!("the line is at {}", ttyname(&pty.slave)?.display());
        let master = File::from(pty.master);
        // Without an open terminal, reads of the master fail.
        let terminal = Some(Arc::new(RawTerminal::new(pty.slave, None)?));
        Ok(Line { terminal, ..Line::default() }.to(master.try_clone()?, master))
    }

    fn to(self, input: File, output: File) -> Self {
        Line { input: Some(Arc::new(input)), output: Some(Arc::new(output)), ..self }
    }

    /// Returns the descriptor that is readable when there is something to do.
    pub(crate) fn watched(&self) -> Option<BorrowedFd<'_>> {
        let listener = self.listener.as_ref().map(|listener| listener.socket.as_fd());
        self.input.as_deref().map(File::as_fd).or(listener)
    }

    /// Returns whether a peer has connected.
    pub(crate) fn accept(&mut self) -> bool {
        let listener = self.listener.as_ref().filter(|_| self.input.is_none());
        let Some((peer, _)) = listener.and_then(|listener| listener.socket.accept().ok()) else {
            return false;
        };
        let peer = File::from(OwnedFd::from(peer));
        let is_ready = fcntl(&peer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).is_ok();
        self.input = is_ready.then(|| Arc::new(peer));
        self.output.clone_from(&self.input);
        is_ready
    }

    /// Closes what the other end has closed: the input, and the connection of a socket.
    pub(crate) fn disconnect(&mut self) {
        self.input = None;
        if self.listener.is_some() {
            self.output = None;
        }
    }

    /// Returns the number of bytes that have arrived, 0 at the end of the input, or `WouldBlock`.
    pub(crate) fn receive(&self, data: &mut [u8]) -> Result<usize> {
        let len = self.input.as_deref().ok_or(ErrorKind::WouldBlock)?.read(data)?;
        let escape = self.terminal.as_ref().and_then(|terminal| terminal.escape);
        if escape.is_some_and(|escape| data[..len].contains(&escape)) {
            kill(Pid::this(), Signal::SIGTERM)?;
        }
        Ok(len)
    }

    /// Returns false if the other end has no room for the byte. What is sent to no one is lost.
    pub(crate) fn send(&self, byte: u8) -> bool {
        let sent = self.output.as_deref().map(|mut output| output.write(&[byte]));
        !matches!(sent, Some(Err(error)) if error.kind() == ErrorKind::WouldBlock)
    }
}

/// A socket, whose file is removed at the end.
#[derive(Debug)]
struct Listener {
    socket: UnixListener,
    path: PathBuf,
}

impl Listener {
    fn bind(path: &Path) -> Result<Self> {
        let socket = UnixListener::bind(path)?;
        socket.set_nonblocking(true)?;
        Ok(Listener { socket, path: path.to_owned() })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = remove_file(&self.path);
    }
}

/// A terminal that passes each byte on as it is, until this is dropped.
#[derive(Debug)]
struct RawTerminal {
    terminal: OwnedFd,
    // Not `Sync` by itself.
    before: Mutex<Termios>,
    /// The byte that ends the program.
    escape: Option<u8>,
}

impl RawTerminal {
    fn new(terminal: OwnedFd, escape: Option<u8>) -> Result<Self> {
        let before = tcgetattr(&terminal)?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(&terminal, SetArg::TCSANOW, &raw)?;
        Ok(RawTerminal { terminal, before: Mutex::new(before), escape })
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        let before = self.before.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = tcsetattr(&self.terminal, SetArg::TCSANOW, before);
    }
}
