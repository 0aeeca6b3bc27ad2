//! Programs that serve a device.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How often a program is looked at.
pub(crate) const STEP: Duration = Duration::from_millis(2);

/// Returns the command that starts a program with a socket in place of `{}`.
pub(crate) fn command(words: &[OsString], socket: &Path) -> Command {
    let (name, arguments) = words
        .split_first()
        .map_or((OsStr::new(""), words), |(name, rest)| (name.as_os_str(), rest));
    let mut command = Command::new(name);
    let mut has_place = false;
    for argument in arguments {
        if argument == "{}" {
            has_place = true;
            command.arg(socket);
        } else {
            command.arg(argument);
        }
    }
    if !has_place {
        let mut option = OsString::from("--socket-path=");
        option.push(socket);
        command.arg(option);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Ends a program by SIGTERM, and by SIGKILL if it does not end in time.
pub(crate) fn end(child: &mut Child, patience: Duration) {
    // The process id of a program that was waited for may be that of another one by now.
    if !matches!(child.try_wait(), Ok(None)) {
        return;
    }
    // Both fail only if it has ended.
    let _ = kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM);
    let deadline = Instant::now() + patience;
    while child.try_wait().is_ok_and(|status| status.is_none()) {
        if Instant::now() > deadline {
            let _ = child.kill();
        }
        thread::sleep(STEP);
    }
}
