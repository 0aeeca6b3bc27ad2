//! QEMU's monitor.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::PATIENCE;

/// QEMU's monitor (QMP), of a guest with the option `-qmp unix:PATH,server=on,wait=off`.
#[derive(Debug)]
pub struct Monitor {
    stream: BufReader<UnixStream>,
}

impl Monitor {
    /// Connects to it. QEMU has to have opened it.
    ///
    /// # Panics
    ///
    /// If it has not.
    pub fn connect(path: &Path) -> Self {
        let stream = UnixStream::connect(path).expect("QEMU has a monitor");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let mut monitor = Monitor { stream: BufReader::new(stream) };
        monitor.hear("QMP");
        monitor.run("qmp_capabilities");
        monitor
    }

    /// Runs a command without arguments, and returns the line of the reply.
    ///
    /// # Panics
    ///
    /// If QEMU does not reply.
    pub fn run(&mut self, command: &str) -> String {
        writeln!(self.stream.get_ref(), "{{\"execute\": \"{command}\"}}").expect("it listens");
        self.hear("\"return\"")
    }

    /// Waits for a line with this text, such as an event.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn hear(&mut self, text: &str) -> String {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            self.stream.read_line(&mut line).expect("QEMU says something");
            assert!(!line.is_empty(), "QEMU has ended, and not said {text:?}");
        }
        line
    }
}
