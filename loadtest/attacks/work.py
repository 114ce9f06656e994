"""Clients that make the server work, and more of it than they paid for."""

import select
import socket
import time

from attacks.lines import Line, honest_lines
from attacks.server import Honest, Target
from attacks.swarm import RESET_ON_CLOSE, Behaviour, Swarm
from bench.measure import START_SETTLE_SECONDS

PIPELINERS = 8
PIPELINED = b"HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 500
PIPELINE_P99_MS = 100

BODIES = 500
MIB = 1 << 20
BODY_GROWTH_MB = 64

CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
CHUNK_CPU_MS = 100

RESETS_BACK_SECONDS = 5

SLOW_WORK_MS = 200
WORK_RESETS = 200
# One job that has begun may have to end first, then comes this one's own time.
NEXT_REQUEST_SECONDS = 2 * SLOW_WORK_MS / 1000 + 0.2


def pipelining(engine, binary, cores, scale):
    """A few clients that send requests without end and read all answers."""
    with Target(engine, binary, cores) as target, Honest(target) as honest:
        answered, report = honest.during(lambda: pipeline(target.port, scale.pipeline_seconds))
        yield Line("pipelining without end", "hostile answers, thousand", answered / 1000, float("inf"), "", at_least=1)
        yield from honest_lines("pipelining without end", report, PIPELINE_P99_MS)


def pipeline(port, seconds):
    """Answers to a few endless pipelines."""
    poll, clients, answers = select.epoll(), {}, 0
    for _ in range(PIPELINERS):
        client = socket.create_connection(("127.0.0.1", port))
        client.setblocking(False)
        poll.register(client.fileno(), select.EPOLLIN | select.EPOLLOUT)
        clients[client.fileno()] = client, memoryview(PIPELINED)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and clients:
        for descriptor, event in poll.poll(0.1):
            client, left = clients[descriptor]
            try:
                if event & select.EPOLLIN:
                    data = client.recv(1 << 20)
                    answers += data.count(b"HTTP/1.1 200")
                    if not data:
                        raise ConnectionError
                if event & select.EPOLLOUT:
                    clients[descriptor] = client, left[client.send(left) :] or memoryview(PIPELINED)
            except BlockingIOError:
                pass
            except ConnectionError:
                poll.unregister(descriptor)
                del clients[descriptor]
                client.close()
    for client, _ in clients.values():
        client.close()
    poll.close()
    return answers


def half_bodies(engine, binary, cores, _scale):
    """Hundreds of bodies of which all but the last byte is there."""
    opening = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % MIB
    with Target(engine, binary, cores) as target:
        time.sleep(START_SETTLE_SECONDS)
        before = target.running.resident_bytes()
        clients = []
        peak = 0
        for _ in range(BODIES):
            client = socket.create_connection(("127.0.0.1", target.port))
            client.settimeout(1)
            try:
                client.sendall(opening + b"[" + b" " * (MIB - 2))
            except OSError:
                pass  # refused, which is an answer too
            clients.append(client)
            if len(clients) % 50 == 0:
                peak = max(peak, target.running.resident_bytes() - before)
        time.sleep(0.5)
        peak = max(peak, target.running.resident_bytes() - before)
        for client in clients:
            client.close()
    yield Line(f"{BODIES} half-sent bodies of 1 MiB", "resident memory grew by", peak / 1e6, BODY_GROWTH_MB, "MB")


def chunks(engine, binary, cores, scale):
    """A body in chunks of one byte, and a chunk size that never ends."""
    with Target(engine, binary, cores, work="none", read_timeout="3s") as target, Honest(target) as honest:
        one_byte = CHUNKED + b"1\r\n[\r\n" + b"1\r\n \r\n" * (MIB - 2) + b"1\r\n]\r\n0\r\n\r\n"
        (status, cpu_ms, _), report = honest.during(lambda: post(target, one_byte))
        yield Line("one-byte chunks, 1 MiB", "status", status, 413, "", at_least=200)
        yield Line("one-byte chunks, 1 MiB", "CPU", cpu_ms, CHUNK_CPU_MS, "ms")
        yield from honest_lines("one-byte chunks, 1 MiB", report, max(2 * honest.unloaded["p99_ms"], 20, scale.p99_floor_ms))
        status, _, seconds = post(target, CHUNKED + b"0" * 65_536, wait_for_all=False)
        yield Line("64 KiB of chunk-size digits", "status", status, 431, "", at_least=400)
        yield Line("64 KiB of chunk-size digits", "refused after", seconds, 1, "s")


def post(target, wire, wait_for_all=True):
    """Status, the server's CPU ms and seconds of one request. A status of 0: no answer."""
    before, started = target.running.cpu_seconds(), time.monotonic()
    with socket.create_connection(("127.0.0.1", target.port)) as client:
        client.settimeout(20)
        answer = b""
        try:
            client.sendall(wire)
        except OSError:
            pass  # it answered before the end of the body
        try:
            while data := client.recv(65_536):
                answer += data
                if not wait_for_all:
                    break
        except OSError:
            pass
    status = int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else 0
    return status, (target.running.cpu_seconds() - before) * 1000, time.monotonic() - started


def resets(engine, binary, cores, scale):
    """Thousands of clients that ask and reset at once: all gauges must come back."""
    gauges = ["active_connections", "idle_connections", "in_flight_requests", "num_tasks", "open_fds"]
    request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    with Target(engine, binary, cores) as target:
        time.sleep(START_SETTLE_SECONDS)
        quiet = {name: target.metrics()[name] for name in gauges}
        for _ in range(scale.resets):
            client = socket.create_connection(("127.0.0.1", target.port))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            client.send(request)
            client.close()
        back = target.wait_for(
            3 * RESETS_BACK_SECONDS, lambda metrics: all(metrics[name] <= quiet[name] for name in gauges)
        )
        left = {name: (quiet[name], now) for name in gauges if (now := target.metrics()[name]) > quiet[name]}
    yield Line(f"{scale.resets:,} resets", f"gauges back after{f' {left}' if left else ''}", back, RESETS_BACK_SECONDS, "s")


def resets_during_work(engine, binary, cores, _scale):
    """Clients that have gone before their turn came must not hold up the next one."""
    behaviour = Behaviour("gone during work", opening=b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    with Target(engine, binary, cores, work=f"sleep:{SLOW_WORK_MS}ms", workers=2) as target:
        with Swarm(target.port, [behaviour] * WORK_RESETS) as swarm:
            swarm.run(0.15)
        started = time.monotonic()
        with socket.create_connection(("127.0.0.1", target.port)) as client:
            client.settimeout(60)
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            status = client.recv(65_536)[9:12]
        seconds = time.monotonic() - started
    yield Line(f"{WORK_RESETS} resets during work", "the next request's status", int(status or 0), 200, "", at_least=200)
    yield Line(f"{WORK_RESETS} resets during work", "the next request took", seconds, NEXT_REQUEST_SECONDS, "s")
