"""What is measured of a server, and how."""

import json
import subprocess
import time
from dataclasses import dataclass, field
from statistics import median

from bench.crowd import HALF_REQUEST, WHOLE_REQUEST, Crowd
from bench.process import RunningServer
from bench.servers import LOADTEST, core_count

KEEP_ALIVE_CONNECTIONS = 64
WARM_UP_SECONDS = 1
IDLE_GRACE_SECONDS = 3.0
ACTIVE_SETTLE_SECONDS = 1.0
SPARSE_CONNECTIONS = 2_000
SPARSE_SECONDS = 4


@dataclass(frozen=True)
class Plan:
    """How long and how much; one for people, a short one for CI."""

    rounds: int
    load_seconds: int
    pair_rounds: int
    pair_seconds: int
    idle_connections: int
    active_connections: int
    server_cores: str
    client_cores: str


@dataclass
class Figures:
    """All samples of one server, a value per round under each column's name."""

    samples: dict = field(default_factory=dict)

    def add(self, column, value):
        self.samples.setdefault(column, []).append(value)

    def median(self, column):
        """The median over the rounds, or None where this server has no such figure."""
        values = self.samples.get(column)
        return median(values) if values else None


def wrk(plan, url, seconds, headers=()):
    """Drives `url` with keep-alive connections from the client's cores; returns the report of wrk-report.lua."""
    options = [option for header in headers for option in ("--header", header)]
    command = [
        *("taskset", "--cpu-list", plan.client_cores, "wrk"),
        *("--threads", str(core_count(plan.client_cores)), "--connections", str(KEEP_ALIVE_CONNECTIONS)),
        *("--duration", f"{seconds}s", "--script", str(LOADTEST / "bench/wrk-report.lua"), *options, url),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def load(plan, running, seconds, headers=()):
    """One run of wrk against a started server: its report with `cpu_us`, the server's CPU time per request, added."""
    before = running.cpu_seconds()
    report = wrk(plan, running.url("/health"), seconds, headers)
    used = running.cpu_seconds() - before
    bad = [kind for kind in ("connect_errors", "write_errors", "status_errors", "timeouts") if report[kind]]
    if bad or not report["requests"]:
        raise running.failure(f"wrk saw {', '.join(f'{report[kind]} {kind}' for kind in bad) or 'no answer'}")
    return report | {"cpu_us": used * 1e6 / report["requests"], "rate": report["requests"] / report["seconds"]}


def sparse(running):
    """The server's CPU time per request when each of many connections asks once a second, as people and sensors do.

    Here an engine that lets idle connections go dormant pays for it: every request has to wake one.
    """
    with Crowd(running.port, SPARSE_CONNECTIONS, WHOLE_REQUEST) as crowd:
        time.sleep(ACTIVE_SETTLE_SECONDS)
        before = running.cpu_seconds()
        requests = crowd.ask_once_a_second(SPARSE_SECONDS)
        return (running.cpu_seconds() - before) * 1e6 / requests


def speed(plan, server, figures):
    """One round of a server on its own: start-up, requests at full speed, sparse ones, a connection for each."""
    with RunningServer(server, plan.server_cores) as running:
        figures.add("start_ms", running.start_ms)
        wrk(plan, running.url("/health"), WARM_UP_SECONDS)
        report = load(plan, running, plan.load_seconds)
        for column in ("cpu_us", "rate", "p50", "p99", "p999"):
            figures.add(column, report[column])
        figures.add("sparse_cpu_us", sparse(running))
        if closes_when_asked(running):
            report = load(plan, running, plan.load_seconds, ["Connection: close"])
            figures.add("churn_rate", report["rate"])
            figures.add("churn_cpu_us", report["cpu_us"])


def memory(plan, server, figures):
    """Resident bytes per connection: idle after one request each, and in the middle of a request."""
    for column, count, request, settle in (
        ("idle_bytes", plan.idle_connections, WHOLE_REQUEST, IDLE_GRACE_SECONDS),
        ("active_bytes", plan.active_connections, HALF_REQUEST, ACTIVE_SETTLE_SECONDS),
    ):
        with RunningServer(server, plan.server_cores) as running:
            before = running.resident_bytes()
            with Crowd(running.port, count, request) as crowd:
                time.sleep(settle)
                after = running.resident_bytes()
                lost = crowd.lost()
            if lost:
                raise running.failure(f"closed {lost} of {count} held connections")
            figures.add(column, (after - before) / count)


def pair(plan, engine, peer, samples):
    """Appends (engine's, peer's) CPU µs per request; the two take turns, so drift of the machine meets both alike."""
    with RunningServer(engine, plan.server_cores) as ours, RunningServer(peer, plan.server_cores) as theirs:
        for running in (ours, theirs):
            wrk(plan, running.url("/health"), WARM_UP_SECONDS)
        for turn in range(plan.pair_rounds):
            order = (ours, theirs) if turn % 2 == 0 else (theirs, ours)
            cpu = {running: load(plan, running, plan.pair_seconds)["cpu_us"] for running in order}
            samples.append((cpu[ours], cpu[theirs]))


def closes_when_asked(running):
    """Whether the server obeys `Connection: close`; wrk measures churn only where it does (stock may does not)."""
    request = WHOLE_REQUEST.replace(b"Accept: */*", b"Connection: close")
    with Crowd(running.port, 1, request) as crowd:
        time.sleep(0.05)
        return crowd.lost() == 1
