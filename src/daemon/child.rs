//! One child of `fastgo all`: started apart from the terminal, its output and its end sent as events.

use std::io::{self, BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::SyncSender;
use std::thread;

use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::signals::Signal;
use super::supervised::LISTENING;

/// What happens to the supervisor; the number is the child's index.
pub(super) enum Event {
    Line(usize, Vec<u8>),
    Listening(usize, SocketAddr),
    Ended(usize, io::Result<ExitStatus>),
    Signal(Signal),
}

/// Starts one child, and a thread that sends its output and its end to `events`.
pub(super) fn spawn(mut command: Command, index: usize, events: &SyncSender<Event>) -> io::Result<OwnedFd> {
    // One pipe for both streams keeps what it says in order.
    let (output, input) = io::pipe()?;
    command.stdin(Stdio::null()).stdout(input.try_clone()?).stderr(input).process_group(0);
    let mut child = command.spawn()?;
    // The pipe would not end while this process could write to it, too.
    drop(command);
    let process = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).inspect_err(|_| drop(child.kill()))?;
    let events = events.clone();
    thread::spawn(move || {
        pass_on(output, index, &events);
        // Last, so that its output comes before its end.
        let _ = events.send(Event::Ended(index, child.wait()));
    });
    Ok(process)
}

fn pass_on(output: impl Read, index: usize, events: &SyncSender<Event>) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        if !line.ends_with(b"\n") {
            line.push(b'\n');
        }
        let address = str::from_utf8(&line).ok().and_then(|line| line.strip_prefix(LISTENING)?.trim_end().parse().ok());
        let line = std::mem::take(&mut line);
        let event = address.map_or(Event::Line(index, line), |address| Event::Listening(index, address));
        if events.send(event).is_err() {
            return;
        }
    }
}
