"""One server under test: started on its own cores, watched through /proc, ended with SIGTERM."""

import http.client
import os
import random
import re
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

# The kernel's number of a process's CPU-time clock: MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED) in posix-timers.h.
CPUCLOCK_SCHED = 2
START_LIMIT_SECONDS = 15
STOP_LIMIT_SECONDS = 40


class ServerFailed(Exception):
    """A server did not start, or ended under load; the message holds the end of what it wrote."""


class RunningServer:
    """A started server process. A context manager: leaving it ends the process."""

    def __init__(self, server, cores):
        self.server = server
        self.port = free_port()
        self.directory = tempfile.TemporaryDirectory(prefix="fastgo-bench-")
        directory = Path(self.directory.name)
        self.log = directory / "log"
        command = ["taskset", "--cpu-list", cores, *server.command(self.port, directory, cores)]
        started = time.perf_counter()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self._wait_for_first_answer(started)
        except BaseException:
            self.stop()
            raise
        self.start_ms = (time.perf_counter() - started) * 1000

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def cpu_seconds(self):
        """User and system time that the process and its children have used so far, to the nanosecond.

        /proc/PID/stat counts in ticks of 10 ms, a twentieth of what a sparse run takes.
        """
        return sum(time.clock_gettime((~pid << 3) | CPUCLOCK_SCHED) for pid in self.pids())

    def context_switches(self):
        """How often the threads that live now gave up their core (voluntary), and how often it was taken from them."""
        statuses = self._thread_statuses()
        return [
            sum(int(count) for status in statuses for count in re.findall(rf"^{kind}_ctxt_switches:\s+(\d+)", status, re.M))
            for kind in ("voluntary", "nonvoluntary")
        ]

    def is_traced(self):
        """Whether a tracer is attached to every thread."""
        return not any(re.search(r"^TracerPid:\s+0$", status, re.M) for status in self._thread_statuses())

    def resident_bytes(self):
        """Resident memory of the process and its children, exact: the VmRSS of /proc/PID/status lags behind."""
        return sum(_resident_bytes(pid) for pid in self.pids())

    def stop(self):
        """Ends the server politely, then firmly, and forgets its files."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_LIMIT_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.directory.cleanup()

    def failure(self, reason):
        """An error that shows the last lines the server wrote."""
        lines = self.log.read_text(errors="replace").splitlines()[-8:]
        return ServerFailed("\n  ".join([f"{self.server.name}: {reason}", *lines]))

    def _wait_for_first_answer(self, started):
        while time.perf_counter() - started < START_LIMIT_SECONDS:
            if self.process.poll() is not None:
                raise self.failure(f"ended with code {self.process.returncode} before it answered")
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_LIMIT_SECONDS)
            try:
                connection.request("GET", "/health")
                status = connection.getresponse().status
            except ConnectionRefusedError:
                time.sleep(0.0005)
                continue
            finally:
                connection.close()
            if status != 200:
                raise self.failure(f"answered /health with {status}")
            return
        raise self.failure(f"did not answer within {START_LIMIT_SECONDS} s")

    def _thread_statuses(self):
        return [path.read_text() for pid in self.pids() for path in Path(f"/proc/{pid}/task").glob("*/status")]

    def pids(self):
        """The process and its children, their children included."""
        if self.process.poll() is not None:
            raise self.failure(f"ended under load with code {self.process.returncode}")
        pids = [self.process.pid]
        for pid in pids:
            for task in Path(f"/proc/{pid}/task").iterdir():
                pids += [int(child) for child in (task / "children").read_text().split()]
        return pids


def free_port():
    """A free loopback port, below the range (32768 and up) from which the kernel serves clients.

    A client that keeps knocking at a port inside that range can be given the very same port and meet itself.
    """
    while True:
        port = random.randrange(20_000, 30_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def _resident_bytes(pid):
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Rss:\s+(\d+) kB", rollup, re.MULTILINE).group(1)) * 1024
