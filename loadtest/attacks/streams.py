"""Subscribers of /sse/metrics that do not read what they asked for."""

import re
import socket
import time
from pathlib import Path

from attacks.lines import Line
from attacks.server import Target
from attacks.swarm import Behaviour, Swarm, take_little

SUBSCRIBE = b"GET /sse/metrics HTTP/1.1\r\nHost: a\r\n\r\n"
NEVER_READS = Behaviour("never reads", opening=SUBSCRIBE, reads=False)
# So many seconds' events fit between server and reader.
SETTLE_SECONDS = 12
MAX_CPU_PERCENT = 5
TRICKLE_TIMEOUT_SECONDS = 3
TRICKLE_BYTES, TRICKLE_EVERY = 64, 0.25
TRICKLE_LIMIT_SECONDS = 30
# An event of thousands of bytes comes each second; a reader who trickles makes room for a tenth of that. Where the
# sockets took less than this in a stretch, the server was holding an event back.
STRETCH_SECONDS, STRETCH_BYTES = 3.0, 4000


def never_read(engine, binary, cores, scale):
    """The CPU time that thousands of streams take whose readers never read."""
    with Target(engine, binary, cores, write_timeout="60s") as target:
        idle = cpu_percent(target, scale.stream_seconds)
        with Swarm(target.port, [NEVER_READS] * scale.streams) as swarm:
            swarm.run(SETTLE_SECONDS)
            with_streams = cpu_percent(target, scale.stream_seconds)
            subscribed = target.metrics()["sse_subscribers"]
    name = f"{scale.streams:,} streams never read"
    yield Line(name, "subscribed", subscribed, scale.streams, "", at_least=scale.streams)
    yield Line(name, f"CPU, {idle:.1f} % of it without them", with_streams, MAX_CPU_PERCENT, "%")


def cpu_percent(target, seconds):
    """The server's CPU time over some seconds, in percent of a core."""
    before = target.running.cpu_seconds()
    time.sleep(seconds)
    return (target.running.cpu_seconds() - before) / seconds * 100


def trickled(engine, binary, cores, _scale):
    """A reader who takes 256 bytes a second of a stream that makes thousands: cut by the event it holds up."""
    with Target(engine, binary, cores, write_timeout=f"{TRICKLE_TIMEOUT_SECONDS}s") as target:
        held_up, subscribers = trickle(target)
    # The event that finds no room comes up to a second after the last one that did.
    limit = TRICKLE_TIMEOUT_SECONDS + 1 + 1
    yield Line("one trickled stream", "cut after the first event without room", held_up, limit, "s")
    yield Line("one trickled stream", "subscribers a second later", subscribers, 0, "")


def trickle(target):
    """Seconds from the first event that found no room to the cut; then the subscribers that are left.

    A stream that was not cut at all counts as cut at the end of the run.
    """
    reader = socket.socket()
    take_little(reader)
    with reader:
        reader.connect(("127.0.0.1", target.port))
        reader.sendall(SUBSCRIBE)
        reader.setblocking(False)
        started = time.monotonic()
        read, accepted = 0, []
        while is_open(reader, target.port) and time.monotonic() - started < TRICKLE_LIMIT_SECONDS:
            try:
                read += len(reader.recv(TRICKLE_BYTES))
            except BlockingIOError:
                pass
            except ConnectionError:
                break
            accepted.append((time.monotonic(), read + sum(queued(reader, target.port))))
            time.sleep(TRICKLE_EVERY)
        still_open = is_open(reader, target.port)
        held_up = TRICKLE_LIMIT_SECONDS if still_open else time.monotonic() - blocked_since(accepted)
        time.sleep(1)
        return held_up, target.metrics()["sse_subscribers"]


def blocked_since(accepted):
    """When the stretch began in which the sockets took next to nothing; the end when there was none."""
    for index, (since, taken) in enumerate(accepted):
        later = next((total for at, total in accepted[index:] if at >= since + STRETCH_SECONDS), None)
        if later is not None and later - taken < STRETCH_BYTES:
            return since
    return accepted[-1][0]


def is_open(reader, port):
    """Whether the server's side of this connection is still established."""
    return server_side(reader, port)[0] == "01"


def queued(reader, port):
    """Bytes that the server's socket has not got rid of, and bytes that wait in the reader's."""
    mine, theirs = reader.getsockname()[1], port
    return server_side(reader, port)[1], socket_row(mine, theirs)[2]


def server_side(reader, port):
    return socket_row(port, reader.getsockname()[1])


def socket_row(local_port, remote_port):
    """State, send queue and receive queue of one IPv4 connection in /proc/net/tcp; closed and empty when it is gone."""
    wanted = re.compile(rf"^\s*\d+: \w+:{local_port:04X} \w+:{remote_port:04X} (\w+) (\w+):(\w+)", re.MULTILINE)
    found = wanted.search(Path("/proc/net/tcp").read_text())
    return (found[1], int(found[2], 16), int(found[3], 16)) if found else ("07", 0, 0)
