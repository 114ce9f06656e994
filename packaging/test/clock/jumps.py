"""Sets the wall clock hours forward and back while one server has every kind of deadline running, and checks that each
passes when it would have. As root, in a guest: the clock is the machine's.

python3 jumps.py PORT [HOURS...]      prints a line for each deadline; exit code 1 when one has moved

The server: work 2 s, READ_TIMEOUT and WRITE_TIMEOUT 6 s, IDLE_TIMEOUT 8 s.
"""

import re
import select
import socket
import sys
import time

WORK, READ, WRITE, IDLE = 2.0, 6.0, 6.0, 8.0
# A deadline is met within a second, and an emulated machine under load looks up to a second late.
EARLY, LATE = 0.5, 2.0
STREAM_SECONDS = 10
LOOK_SECONDS = 0.1
HOST = b" HTTP/1.1\r\nHost: a\r\n"
SMALL_ANSWERS = (b"GET /health" + HOST + b"\r\n") * 60
TINY_BUFFER, TINY_SEGMENT = 2048, 88

# Name, bytes sent at once, whether the answers are read, seconds until the server ends it.
CUT = [
    ("a connection that never sent a byte", b"", True, IDLE),
    ("an idle connection", b"GET /health" + HOST + b"\r\n", True, IDLE),
    ("half a head", b"GET /" + HOST + b"X: ", True, READ),
    ("half a body", b"POST /" + HOST + b"Content-Length: 9\r\n\r\n[", True, READ),
    ("a reader who does not read", SMALL_ANSWERS, False, WRITE),
]


class Connection:
    """One connection and when it ended."""

    def __init__(self, port, sends, reads=True):
        self.socket = socket.socket()
        if not reads:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, TINY_BUFFER)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, TINY_SEGMENT)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setblocking(False)
        self.began = time.monotonic()
        self.reads, self.received, self.answered, self.ended = reads, b"", None, None
        if sends:
            self.socket.send(sends)

    def look_up(self, held):
        """Notes when a connection on which nothing is read is gone from `held`: a kernel that gives it up sends nothing, and
        what this client sent to find out could put off the kernel's timer."""
        if not self.reads and not self.ended and self.socket.getsockname()[1] not in held:
            self.ended = time.monotonic()

    def look(self, event):
        now = time.monotonic()
        try:
            while self.reads and (data := self.socket.recv(65_536)):
                self.answered = self.answered or now
                self.received += data
            closed = self.reads or event & (select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR)
        except BlockingIOError:
            closed = False
        except OSError:
            closed = True
        self.ended = now if closed else None


def held_by(port):
    """The client ports of the connections that this machine holds for the server."""
    with open("/proc/net/tcp") as table:
        ends = [[int(end.split(":")[1], 16) for end in line.split()[1:3]] for line in list(table)[1:]]
    return {client for server, client in ends if server == port}


def drive(port, connections, seconds, at_times):
    """Watches the connections to the server at `port`, and calls what is due at its time."""
    began = time.monotonic()
    with select.epoll() as poll:
        open_ones = {one.socket.fileno(): one for one in connections}
        for descriptor, one in open_ones.items():
            poll.register(descriptor, (select.EPOLLIN if one.reads else 0) | select.EPOLLRDHUP)
        next_look = 0
        while (now := time.monotonic() - began) < seconds:
            while at_times and at_times[0][0] <= now:
                at_times.pop(0)[1]()
            if now >= next_look:
                next_look = now + LOOK_SECONDS
                held = held_by(port)
                for one in connections:
                    one.look_up(held)
            for descriptor, event in poll.poll(0.02):
                open_ones[descriptor].look(event)
                if open_ones[descriptor].ended:
                    poll.unregister(descriptor)


def jump(hours):
    time.clock_settime(time.CLOCK_REALTIME, time.time() + hours * 3600)


def ask(port, path):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while data := client.recv(65_536):
            answer += data
    return answer


def main():
    port, hours = int(sys.argv[1]), [float(text) for text in sys.argv[2:]]
    failures = 0

    def check(what, met, figure):
        nonlocal failures
        failures += not met
        print(f"{'ok' if met else 'FAILED'} {what}: {figure}")

    cut = [(name, Connection(port, sends, reads), limit) for name, sends, reads, limit in CUT]
    work = Connection(port, b"GET /" + HOST + b"\r\n")
    stream = Connection(port, b"GET /sse/metrics" + HOST + b"\r\n")
    connections = [*(one for _, one, _ in cut), work, stream]
    # While the work runs, and while every deadline is still ahead.
    at_times = [(0.5 + index, lambda by=by: jump(by)) for index, by in enumerate(hours)]
    drive(port, connections, max(IDLE + LATE + 1, STREAM_SECONDS), at_times)

    for name, one, limit in cut:
        since = one.answered if name == "an idle connection" and one.answered else one.began
        seconds = one.ended - since if one.ended else float("inf")
        check(f"{name} is cut after {limit:g} s", limit - EARLY <= seconds <= limit + LATE, f"{seconds:.2f} s")
    took = work.answered - work.began if work.answered else float("inf")
    whole = work.received.startswith(b"HTTP/1.1 200 ") and WORK - 0.1 <= took <= WORK + LATE
    check(f"a request with {WORK:g} s of work is answered", whole, f"{took:.2f} s, {work.received[:12]}")
    ids = [int(text) for text in re.findall(rb"^id: (\d+)$", stream.received, re.M)]
    # The history's own id comes first, then one event a second.
    steady = len(ids) >= STREAM_SECONDS - LATE and ids == list(range(ids[0], ids[0] + len(ids))) and not stream.ended
    check("a stream brings an event each second", steady, f"{len(ids)} in {STREAM_SECONDS} s")
    date = re.search(rb"\r\ndate: ([^\r]+)", ask(port, "/health"))[1].decode()
    now = [time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() - ago)) for ago in range(4)]
    check("the Date header follows the wall clock", date in now, date)
    uptime = float(re.search(rb'"uptime_seconds":([0-9.]+)', ask(port, "/metrics"))[1])
    check("the uptime does not follow it", 0 < uptime < 600, f"{uptime} s")
    return 1 if failures else 0


sys.exit(main())
