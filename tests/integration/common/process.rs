//! The binary as a child process: its log, its signals, its end, and what the kernel says about it.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use super::{PATIENCE, wait_for};

/// A running command. Killed on drop; its log is printed when the test fails.
pub(crate) struct Process {
    child: Child,
    log: Arc<Log>,
}

/// What the child wrote to stderr so far, and whether it has closed it.
#[derive(Default)]
struct Log {
    text: Mutex<(String, bool)>,
    grew: Condvar,
}

impl Process {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        Self::spawn_with_stdin(command, Stdio::null())
    }

    pub(crate) fn spawn_with_stdin(command: &mut Command, stdin: impl Into<Stdio>) -> Self {
        let mut child = command
            .stdin(stdin)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stderr = child.stderr.take().expect("stderr");
        let log = Arc::new(Log::default());
        let writer = Arc::clone(&log);
        std::thread::spawn(move || writer.collect(BufReader::new(stderr)));
        Self { child, log }
    }

    /// Waits for a log line that holds `text`, at most for [`PATIENCE`].
    #[track_caller]
    pub(crate) fn wait_for_log(&self, text: &str) -> String {
        let start = Instant::now();
        let mut seen = self.log.lock();
        loop {
            if let Some(line) = seen.0.lines().find(|line| line.contains(text)) {
                return line.to_owned();
            }
            let left = PATIENCE.saturating_sub(start.elapsed());
            assert!(!seen.1 && !left.is_zero(), "no {text:?} in the log (ended: {})", seen.1);
            seen = self.log.grew.wait_timeout(seen, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Everything logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().0.clone()
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("signal");
    }

    /// Waits until the process has ended by itself and its whole log is here.
    pub(crate) fn wait_for_exit(&mut self) -> ExitStatus {
        let child = &mut self.child;
        let status = wait_for("the process to end", || child.try_wait().expect("wait"));
        wait_for("the end of its log", || self.log.lock().1.then_some(()));
        status
    }

    /// Whether the process has not ended.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("wait").is_none()
    }

    /// Resident memory in bytes.
    pub(crate) fn resident(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// The most memory that was ever resident, in bytes.
    pub(crate) fn peak_resident(&self) -> u64 {
        self.status("VmHWM:")
    }

    /// Whether the kernel may give it memory in huge pages that it did not ask for.
    pub(crate) fn gets_huge_pages(&self) -> bool {
        std::fs::read_to_string(self.proc("status")).expect("status").contains("\nTHP_enabled:\t1\n")
    }

    /// Virtual memory in bytes.
    pub(crate) fn address_space(&self) -> u64 {
        self.status("VmSize:")
    }

    /// A line of `/proc/PID/status` that is in kilobytes, in bytes.
    fn status(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(self.proc("status")).expect("status");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line of status");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("kB") * 1024
    }

    /// Descriptors open now.
    pub(crate) fn open_files(&self) -> u64 {
        std::fs::read_dir(self.proc("fd")).expect("fd").count() as u64
    }

    /// CPU time used so far, user and system, in seconds.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(self.proc("stat")).expect("stat");
        // The second field, the name, is in parentheses and may hold spaces; 14 and 15 are utime and stime.
        let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
        let ticks = fields[11].parse::<f64>().expect("utime") + fields[12].parse::<f64>().expect("stime");
        ticks / rustix::param::clock_ticks_per_second() as f64
    }

    fn proc(&self, file: &str) -> PathBuf {
        format!("/proc/{}/{file}", self.child.id()).into()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("log of {}:\n{}", self.child.id(), self.log());
        }
    }
}

impl Log {
    fn collect(&self, lines: impl BufRead) {
        for line in lines.lines().map_while(Result::ok) {
            let mut text = self.lock();
            text.0.push_str(&line);
            text.0.push('\n');
            self.grew.notify_all();
        }
        self.lock().1 = true;
        self.grew.notify_all();
    }

    /// A test that failed while it held the lock has poisoned it, and its log is wanted all the more.
    fn lock(&self) -> MutexGuard<'_, (String, bool)> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs the calling test again in a process of its own, for tests that change what the whole process does. `true` in
/// that process; `false` in the first, once the other has passed. `test` is the full name of the test.
pub(crate) fn in_process_of_its_own(test: &str) -> bool {
    const MARK: &str = "FASTGO_TEST_OWN_PROCESS";
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    let output = Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(MARK, "1")
        .output()
        .expect("run");
    let (out, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{out}");
    assert!(output.status.success() && out.contains("1 passed"), "{test} failed in its own process:\n{log}");
    false
}
