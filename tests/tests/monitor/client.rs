//! Our own tool against monitors that behave badly.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tempfile::TempDir;
use vfio_user::monitor::{Client, ClientError, Reply, Request};
use vfio_user_tests::PATIENCE;

/// Starts a monitor that serves one connection like this.
fn monitor(
    timeout: Duration,
    serve: impl FnOnce(UnixStream) + Send + 'static,
) -> (Client, JoinHandle<()>, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("monitor.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let thread = thread::spawn(move || serve(listener.accept().unwrap().0));
    (Client::connect(&path, timeout).unwrap(), thread, dir)
}

/// Each byte comes in time, and the whole reply does not.
#[test]
fn a_reply_that_trickles_is_not_waited_for() {
    let timeout = Duration::from_millis(50);
    let (mut client, thread, _dir) = monitor(timeout, |mut stream| {
        while stream.write_all(b"1").is_ok() {
            thread::sleep(Duration::from_millis(1));
        }
    });
    let late = client.ask(&Request::Device);
    assert!(matches!(late, Err(ClientError::TimedOut(limit)) if limit == timeout), "{late:?}");
    // The rest of the reply is not taken for the next one.
    assert!(matches!(client.ask(&Request::Device), Err(ClientError::Closed)));
    thread.join().unwrap();
}

#[test]
fn a_reply_without_an_end_is_not_kept() {
    let (mut client, thread, _dir) =
        monitor(PATIENCE, |mut stream| while stream.write_all(&[b' '; 4096]).is_ok() {});
    assert!(matches!(client.ask(&Request::Device), Err(ClientError::TooLong)));
    thread.join().unwrap();
}

#[test]
fn a_list_of_empty_pages_ends() {
    let (mut client, thread, _dir) = monitor(PATIENCE, |mut stream| {
        let mut requests = BufReader::new(stream.try_clone().unwrap()).lines();
        for next in 1..100 {
            let page = format!("{{\"version\":1,\"hooks\":{{\"items\":[],\"next\":{next}}}}}\n");
            if requests.next().is_none() || stream.write_all(page.as_bytes()).is_err() {
                return;
            }
        }
        panic!("the list does not end");
    });
    let all = client.all(
        |from| Request::Hooks { from },
        |reply| match reply {
            Reply::Hooks(page) => Some(page),
            _ => None,
        },
    );
    assert!(matches!(all, Err(ClientError::Mismatch)), "{all:?}");
    drop(client);
    thread.join().unwrap();
}
