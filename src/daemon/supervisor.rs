//! `fastgo all`: a child process for each engine, their logs with the engine's name before each line, one way out.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, ExitStatus};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use anyhow::Context;
use rustix::process::{Signal as KernelSignal, pidfd_send_signal};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::addresses;
use super::child::{Event, spawn};
use super::screen::Screen;
use super::signals::{Signal, Signals};
use super::supervised::SUPERVISED;
use crate::config::PEERS_VARIABLE;

/// Events that may wait before readers of the children's output wait too, as they would for a slow terminal.
const EVENTS: usize = 1024;

/// One engine to run: `fastgo serve ENGINE --port PORT` and `args`.
#[derive(Debug)]
pub struct Child {
    /// The engine's name.
    pub engine: &'static str,
    /// Where it listens; 0 for a port that is free now.
    pub port: u16,
    /// Flags for it besides the port. The environment is inherited.
    pub args: Vec<OsString>,
}

/// Runs the children until all have ended, and says where they answer.
///
/// Each is started when the one before it answers, so that what they say comes in order. A child that ends before it
/// answers takes the others with it; one that ends later does not. SIGINT, SIGTERM and SIGHUP are passed on, each time
/// they come, to children in process groups of their own, so that a terminal's Ctrl-C reaches them once. Call it from
/// the main thread: the kernel ends the children when the thread that started them ends.
///
/// Exit code: of the child that could not start (2: bad settings); else 1 when one failed; else 0.
///
/// # Errors
/// No signal handler, or no path of this executable.
pub fn run(mut children: Vec<Child>) -> anyhow::Result<ExitCode> {
    let signals = Signals::listen().context("signals")?;
    let program = std::env::current_exe().context("the path of this executable")?;
    choose_ports(&mut children).context("no free port")?;
    let peers: Vec<_> = children.iter().map(|child| format!("{}={}", child.engine, child.port)).collect();
    let peers = peers.join(",");
    let screen = Screen::of_stderr();
    let commands = children.into_iter().map(|child| {
        let mut command = Command::new(&program);
        command.args(["serve", child.engine, "--port", &child.port.to_string()]).args(child.args);
        command.env(PEERS_VARIABLE, &peers).env(SUPERVISED, std::process::id().to_string());
        // A service manager looks after this process, not after its children.
        command.env_remove("NOTIFY_SOCKET").env_remove("WATCHDOG_USEC");
        if screen.colours {
            command.env("CLICOLOR_FORCE", "1");
        }
        (child.engine, command)
    });

    let (sender, events) = sync_channel(EVENTS);
    let forward = sender.clone();
    thread::spawn(move || signals.map(Event::Signal).try_for_each(|event| forward.send(event)));
    Ok(Supervisor::new(commands.collect(), sender, io::stderr(), screen).supervise(&events).into())
}

/// Replaces each port 0 by one that is free now, each a different one.
fn choose_ports(children: &mut [Child]) -> io::Result<()> {
    let mut held = Vec::new();
    for child in children.iter_mut().filter(|child| child.port == 0) {
        let listener =
            TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).or_else(|_| TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)))?;
        child.port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(())
}

struct Supervisor<W> {
    children: Vec<Supervised>,
    /// Not started yet; empty when nothing is expected to keep running.
    waiting: VecDeque<(&'static str, Command)>,
    /// A signal came, or a child could not start.
    stopping: bool,
    exit_code: u8,
    events: SyncSender<Event>,
    output: W,
    screen: Screen,
}

struct Supervised {
    engine: &'static str,
    /// `None` once it has ended. A descriptor, because a process id may belong to another process by then.
    process: Option<OwnedFd>,
    address: Option<SocketAddr>,
}

impl<W: Write> Supervisor<W> {
    fn new(commands: VecDeque<(&'static str, Command)>, events: SyncSender<Event>, output: W, screen: Screen) -> Self {
        Self { children: Vec::new(), waiting: commands, stopping: false, exit_code: 0, events, output, screen }
    }

    fn supervise(&mut self, events: &Receiver<Event>) -> u8 {
        self.start_next();
        while self.children.iter().any(|child| child.process.is_some()) {
            // There is a sender until the end.
            let Ok(event) = events.recv() else { break };
            match event {
                Event::Line(index, line) => self.print(index, &line),
                Event::Listening(index, address) => {
                    self.children[index].address = Some(address);
                    if !self.stopping {
                        self.start_next();
                    }
                }
                Event::Ended(index, status) => self.ended(index, status),
                Event::Signal(signal) => {
                    self.stopping = true;
                    self.signal_all(if signal == Signal::Interrupt { KernelSignal::INT } else { KernelSignal::TERM });
                }
            }
        }
        self.exit_code
    }

    /// Starts the next child, or says where to look when all answer.
    fn start_next(&mut self) {
        let Some((engine, command)) = self.waiting.pop_front() else { return self.announce() };
        match spawn(command, self.children.len(), &self.events) {
            Ok(process) => self.children.push(Supervised { engine, process: Some(process), address: None }),
            Err(error) => {
                tracing::error!(event = "child", %error, "cannot start {engine}");
                self.fail(1);
            }
        }
    }

    fn ended(&mut self, index: usize, status: io::Result<ExitStatus>) {
        let child = &mut self.children[index];
        child.process = None;
        let (engine, answered) = (child.engine, child.address.is_some());
        let (code, signal, how) = match status {
            Ok(status) => (status.code(), status.signal(), status.to_string()),
            Err(error) => (None, None, error.to_string()),
        };
        if self.stopping {
            // Stopped before it listened for signals, it had nothing to drain.
            let early = !answered && matches!(signal, Some(SIGTERM | SIGINT));
            if code != Some(0) && !early {
                tracing::error!(event = "child", "{engine} ended badly: {how}");
                self.exit_code = self.exit_code.max(1);
            }
        } else if !answered {
            tracing::error!(event = "child", "{engine} could not start ({how})");
            self.fail(code.and_then(|code| u8::try_from(code).ok()).filter(|code| *code != 0).unwrap_or(1));
        } else if code == Some(0) {
            tracing::warn!(event = "child", "{engine} was stopped; the others keep running");
        } else {
            tracing::error!(event = "child", "{engine} crashed ({how}); the others keep running");
            self.exit_code = 1;
        }
    }

    /// One that cannot start takes the others with it.
    fn fail(&mut self, exit_code: u8) {
        self.stopping = true;
        self.exit_code = exit_code;
        self.signal_all(KernelSignal::TERM);
    }

    fn signal_all(&self, signal: KernelSignal) {
        for process in self.children.iter().filter_map(|child| child.process.as_ref()) {
            // Fails only for one that has just ended.
            let _ = pidfd_send_signal(process, signal);
        }
    }

    /// Not a log record: filters do not hide it.
    fn announce(&mut self) {
        let first = self.children.first().and_then(|child| child.address);
        let text = self.screen.dashboard(&first.map(addresses::urls).unwrap_or_default());
        self.write(text.as_bytes());
    }

    fn print(&mut self, index: usize, line: &[u8]) {
        let mut text = self.screen.prefix(self.children[index].engine, Some(index)).into_bytes();
        text.extend_from_slice(line);
        self.write(&text);
    }

    /// One write for each line. Best effort: stderr may be closed.
    fn write(&mut self, text: &[u8]) {
        let _ = self.output.write_all(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers, and ends cleanly on a signal.
    const GOOD: &str = "trap 'echo drained >&2; exit 0' TERM INT; echo starting >&2; echo listening 127.0.0.1:$0; \
                        while :; do sleep 0.02; done";

    /// Keeps what is written, and does things when it sees words.
    struct Watched<F> {
        text: String,
        react: F,
    }

    impl<F: FnMut(&str)> Write for &mut Watched<F> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let text = str::from_utf8(bytes).unwrap();
            self.text += text;
            (self.react)(text);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Supervises shell scripts, each with a port as `$0`; sends SIGINT when `stop_at` is on the screen.
    fn supervise(children: &[(&'static str, &str)], stop_at: &str, mut react: impl FnMut(&str)) -> (u8, String) {
        let (sender, events) = sync_channel(EVENTS);
        let commands = children.iter().zip(8080..).map(|((engine, script), port)| {
            let mut command = Command::new("sh");
            command.args(["-c", script, &port.to_string()]);
            (*engine, command)
        });
        let interrupt = sender.clone();
        let react = |text: &str| {
            react(text);
            if text.contains(stop_at) {
                interrupt.send(Event::Signal(Signal::Interrupt)).unwrap();
            }
        };
        let mut watched = Watched { text: String::new(), react };
        let code = Supervisor::new(commands.collect(), sender, &mut watched, Screen::default()).supervise(&events);
        (code, watched.text)
    }

    #[test]
    fn all_answer_and_one_signal_drains_all() {
        let (code, text) = supervise(&[("worker-pool", GOOD), ("may", GOOD)], "dashboard", |_| ());
        assert_eq!(code, 0, "{text}");
        for line in [
            "worker-pool | starting\n",
            "may         | starting\n",
            "dashboard http://127.0.0.1:8080/compare3\n",
            "worker-pool | drained\n",
            "may         | drained\n",
        ] {
            assert_eq!(text.matches(line).count(), 1, "{line:?} in {text}");
        }
    }

    #[test]
    fn a_child_that_cannot_start_takes_the_others_along_and_its_exit_code_counts() {
        let (code, text) =
            supervise(&[("may", GOOD), ("hyper", "echo 'port in use' >&2; exit 2")], "dashboard", |_| ());
        assert_eq!(code, 2, "{text}");
        assert!(text.contains("hyper       | port in use\n") && !text.contains("dashboard"), "{text}");
    }

    #[test]
    fn a_child_that_ends_before_it_answers_has_failed_even_with_exit_code_zero() {
        assert_eq!(supervise(&[("hyper", "exit 0")], "dashboard", |_| ()).0, 1);
        assert_eq!(supervise(&[("hyper", "kill -9 $$")], "dashboard", |_| ()).0, 1);
    }

    #[test]
    fn a_child_that_dies_later_leaves_the_others_running() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path().display();
        let until_go = format!("until [ -e {at}/go ]; do sleep 0.02; done");
        let dying = format!("echo $$ >{at}/pid; echo listening 127.0.0.1:$0; {until_go}; kill -9 $$");
        let survivor = format!(
            "trap 'echo drained >&2; exit 0' INT; echo listening 127.0.0.1:$0; {until_go}; \
             while kill -0 $(cat {at}/pid) 2>/dev/null; do sleep 0.02; done; echo alone >&2; while :; do sleep 0.02; done"
        );
        let (code, text) = supervise(&[("may", &survivor), ("hyper", &dying)], "alone", |text| {
            if text.contains("dashboard") {
                std::fs::write(directory.path().join("go"), "").unwrap();
            }
        });
        assert_eq!(code, 1, "{text}");
        assert!(text.contains("may         | alone\n") && text.contains("may         | drained\n"), "{text}");
    }

    #[test]
    fn a_child_stopped_while_it_starts_has_not_failed() {
        let (code, text) = supervise(&[("may", "echo loading >&2; exec sleep 60")], "loading", |_| ());
        assert_eq!(code, 0, "{text}");
        let cut = "trap 'exit 1' INT; echo listening 127.0.0.1:$0; while :; do sleep 0.02; done";
        let (code, text) = supervise(&[("may", cut)], "dashboard", |_| ());
        assert_eq!(code, 1, "{text}");
    }

    #[test]
    fn a_program_that_cannot_be_run_stops_those_that_could() {
        let (sender, events) = sync_channel(EVENTS);
        let mut good = Command::new("sh");
        good.args(["-c", GOOD, "8080"]);
        let commands = [("may", good), ("hyper", Command::new("/nonexistent/fastgo"))].into();
        assert_eq!(Supervisor::new(commands, sender, io::sink(), Screen::default()).supervise(&events), 1);
    }

    #[test]
    fn what_they_say_comes_in_order_and_unfinished_lines_are_finished() {
        let (_, text) = supervise(&[("may", GOOD), ("hyper", "printf half >&2; exit 1")], "dashboard", |_| ());
        assert!(text.starts_with("may         | starting\nhyper       | half\n"), "{text}");
    }

    #[test]
    fn ports_are_chosen_where_none_is_given() {
        let child = |port| Child { engine: "may", port, args: Vec::new() };
        let mut children = vec![child(0), child(9), child(0)];
        choose_ports(&mut children).unwrap();
        assert_eq!(children[1].port, 9);
        assert!(children[0].port != 0 && children[2].port != 0 && children[0].port != children[2].port);
    }
}
