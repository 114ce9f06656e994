"""What is measured of a server, and how: one function per kind, which adds one sample to each of its columns."""

import json
import subprocess
import time
from dataclasses import dataclass, field
from statistics import median

from bench.crowd import HALF_REQUEST, STREAM_REQUEST, WHOLE_REQUEST, Crowd
from bench.paced import PacedClient
from bench.process import RunningServer
from bench.servers import LOADTEST, core_count

KEEP_ALIVE_CONNECTIONS = 64
WARM_UP_SECONDS = 0.5
# In its first seconds a process opens what it reads each second, and gives back what it needed to start.
START_SETTLE_SECONDS = 3.0
IDLE_SETTLE_SECONDS = 3.0
HALF_SETTLE_SECONDS = 1.0
STREAM_SETTLE_SECONDS = 3.0
SPARSE_PERIOD_MS = 1000


@dataclass(frozen=True)
class Plan:
    """How long and how much; one for people, a short one for CI."""

    seconds: int
    idle_seconds: int
    sparse_connections: int
    idle_connections: int
    half_connections: int
    stream_connections: int
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


def keep_alive(plan, server, figures):
    """Requests at full speed over 64 connections that stay open."""
    with RunningServer(server, plan.server_cores) as running:
        load(plan, running, WARM_UP_SECONDS)
        report = load(plan, running, plan.seconds)
    figures.add("keep_alive_us", report["cpu_us"])
    for column in ("rate", "p50", "p99"):
        figures.add(column, report[column])


def sparse(plan, server, figures):
    """Thousands of connections that ask once a second each, evenly spread: people, sensors, load generators."""
    with (
        RunningServer(server, plan.server_cores) as running,
        PacedClient(plan.client_cores, running.port, plan.sparse_connections, SPARSE_PERIOD_MS) as client,
    ):
        # Each connection asks twice before anything counts: it is known, and was idle for as long as it will be.
        time.sleep(2 * SPARSE_PERIOD_MS / 1000)
        client.report()
        before = running.cpu_seconds()
        time.sleep(plan.seconds)
        report = client.report()
        used = running.cpu_seconds() - before
        # A machine that stalls for a second makes a client skip a turn; a server that fails to answer is another matter.
        if report["failed"] or report["skipped"] > report["answered"] / 100 or not report["answered"]:
            raise running.failure(f"sparse requests were not all answered: {report}")
    figures.add("sparse_us", used * 1e6 / report["answered"])
    figures.add("sparse_p50", report["p50_ms"])
    figures.add("sparse_p99", report["p99_ms"])


def churn(plan, server, figures):
    """A connection for each request, at full speed."""
    with RunningServer(server, plan.server_cores) as running:
        if not closes_when_asked(running):
            return
        load(plan, running, WARM_UP_SECONDS, ["Connection: close"])
        report = load(plan, running, plan.seconds, ["Connection: close"])
    figures.add("churn_us", report["cpu_us"])
    figures.add("churn_rate", report["rate"])


def memory(plan, server, figures):
    """Resident bytes: of the process, and per connection in each state that it can stay in."""
    held = [
        ("idle_bytes", plan.idle_connections, WHOLE_REQUEST, IDLE_SETTLE_SECONDS),
        ("new_bytes", plan.idle_connections, b"", IDLE_SETTLE_SECONDS),
        ("half_bytes", plan.half_connections, HALF_REQUEST, HALF_SETTLE_SECONDS),
    ]
    if not server.is_peer:
        held.append(("sse_bytes", plan.stream_connections, STREAM_REQUEST, STREAM_SETTLE_SECONDS))
    for column, count, request, settle in held:
        with RunningServer(server, plan.server_cores) as running:
            time.sleep(START_SETTLE_SECONDS)
            before = running.resident_bytes()
            with Crowd(running.port, count, request) as crowd:
                crowd.read_for(settle)
                after = running.resident_bytes()
                lost = crowd.lost()
            if lost:
                raise running.failure(f"closed {lost} of {count} held connections")
            figures.add(column, (after - before) / count)
            if column == "idle_bytes":
                figures.add("rest_mb", before / 1e6)


def idle_cpu(plan, server, figures):
    """CPU time while every connection is silent, in percent of one core."""
    with RunningServer(server, plan.server_cores) as running:
        with Crowd(running.port, plan.idle_connections, WHOLE_REQUEST):
            time.sleep(IDLE_SETTLE_SECONDS)
            before = running.cpu_seconds()
            time.sleep(plan.idle_seconds)
            figures.add("idle_cpu", (running.cpu_seconds() - before) / plan.idle_seconds * 100)


# Measured again in each round; the others do not vary enough to be.
REPEATED = {"keep-alive": keep_alive, "sparse": sparse, "churn": churn}
ONCE = {"memory": memory, "idle-cpu": idle_cpu}
KINDS = REPEATED | ONCE


def load(plan, running, seconds, headers=()):
    """One run of wrk against a started server: its report with `cpu_us`, the server's CPU time per request, added."""
    before = running.cpu_seconds()
    report = wrk(plan, running.url("/health"), seconds, headers)
    used = running.cpu_seconds() - before
    bad = [kind for kind in ("connect_errors", "write_errors", "status_errors", "timeouts") if report[kind]]
    if bad or not report["requests"]:
        raise running.failure(f"wrk saw {', '.join(f'{report[kind]} {kind}' for kind in bad) or 'no answer'}")
    return report | {"cpu_us": used * 1e6 / report["requests"], "rate": report["requests"] / report["seconds"]}


def wrk(plan, url, seconds, headers=()):
    """Drives `url` over 64 connections from the client's cores; returns the report of wrk-report.lua."""
    options = [option for header in headers for option in ("--header", header)]
    command = [
        *("taskset", "--cpu-list", plan.client_cores, "wrk"),
        *("--threads", str(core_count(plan.client_cores)), "--connections", str(KEEP_ALIVE_CONNECTIONS)),
        *("--duration", f"{max(1, round(seconds))}s", "--script", str(LOADTEST / "bench/wrk-report.lua"), *options, url),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def closes_when_asked(running):
    """Whether the server obeys `Connection: close`; wrk measures churn only where it does (stock may does not)."""
    request = WHOLE_REQUEST.replace(b"Accept: */*", b"Connection: close")
    with Crowd(running.port, 1, request) as crowd:
        time.sleep(0.05)
        return crowd.lost() == 1
