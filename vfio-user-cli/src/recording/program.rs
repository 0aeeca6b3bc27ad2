//! A device program that replays recordings.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::error::Error;

/// The bytes of output that are read.
const OUTPUT: u64 = 1 << 20;

/// Returns the option that makes a program replay a recording.
pub(super) fn replay_option(recording: &Path) -> OsString {
    let mut option = OsString::from("--replay=");
    option.push(recording);
    option
}

/// A program, its arguments, and how long one replay may take.
pub(super) struct Program<'a> {
    pub(super) path: &'a OsStr,
    pub(super) arguments: &'a [OsString],
    pub(super) timeout: Duration,
}

/// How a replay ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Replay {
    Same,
    /// The first difference: the call, what the recording has, and what the replay has.
    Differs(String),
    /// No difference, for this reason.
    Fails(String),
}

impl Program<'_> {
    /// Replays a recording. What the program logs goes to `log`.
    ///
    /// # Errors
    ///
    /// If the program cannot be started.
    pub(super) fn replay(&self, recording: &Path, log: Stdio) -> Result<Replay, Error> {
        self.run(recording, log).map_err(|error| self.failed(error.to_string()))
    }

    /// Returns the error of a program that does not replay.
    pub(super) fn failed(&self, problem: String) -> Error {
        Error::Replayer { program: self.path.into(), problem }
    }

    fn run(&self, recording: &Path, log: Stdio) -> io::Result<Replay> {
        let mut command = Command::new(self.path);
        command.args(self.arguments).arg(replay_option(recording));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn()?;
        let output = child.stdout.take().map(|output| read(output, self.timeout));
        let Some(Some(text)) = output else {
            end(&mut child);
            return Ok(Replay::Fails(format!("it does not end within {:?}", self.timeout)));
        };
        let status = child.wait()?;
        Ok(match (status.code(), difference(&text)) {
            (Some(0), _) => Replay::Same,
            (Some(1), Some(difference)) => Replay::Differs(difference),
            _ => Replay::Fails(format!("it ended with {status}")),
        })
    }
}

/// Reads all output; `None` if it has no end in time.
fn read(output: ChildStdout, timeout: Duration) -> Option<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut text = Vec::new();
        let done = output.take(OUTPUT).read_to_end(&mut text);
        // The receiver may have given up.
        let _ = sender.send(done.map(|_| String::from_utf8_lossy(&text).into_owned()));
    });
    receiver.recv_timeout(timeout).ok()?.ok()
}

fn end(child: &mut Child) {
    // An error means that it has ended.
    let _ = child.kill();
    let _ = child.wait();
}

/// Returns the difference in the last line of `text`, without its place in the recording and what
/// the recording does not hold: `entry 31, at 12.4ms, read of edu.status: .. (not in ..)`.
fn difference(text: &str) -> Option<String> {
    let line = text.lines().next_back()?;
    let words = line.strip_prefix("entry ")?.splitn(3, ", ").nth(2)?;
    let words = words.split(" (not in the recording: ").next()?;
    Some(words.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_found_wherever_it_is() {
        let line = "0008\nentry 31, at 12.4ms, read of a, BAR 2 at 0x4: the recording has 0x1, the \
                    replay 0x2";
        let expected = "read of a, BAR 2 at 0x4: the recording has 0x1, the replay 0x2";
        assert_eq!(difference(line).as_deref(), Some(expected));
        let noted = format!("{line} (not in the recording: DMA; events)\n");
        assert_eq!(difference(&noted).as_deref(), Some(expected));
        for other in ["", "\n", "entry 31", "12 entries of 1.0ms replayed without a difference"] {
            assert_eq!(difference(other), None);
        }
    }
}
