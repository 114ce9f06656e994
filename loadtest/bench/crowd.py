"""Many connections to one loopback server, opened as fast as it takes them and then held."""

import os
import select
import socket
import struct
import time

# A client address reaches one server port with 28,232 connections by default; a new address opens a new range.
CONNECTIONS_PER_ADDRESS = 10_000
# Lets the kernel choose the port at connect, where only the whole pair of addresses must be unused (linux/in.h).
IP_BIND_ADDRESS_NO_PORT = 24
# A connection closed by a reset leaves no TIME_WAIT behind that the next crowd would stumble over.
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
IN_PROGRESS = 256
READ_SIZE = 65_536
LIMIT_SECONDS = 60

WHOLE_REQUEST = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: fastgo-crowd\r\nAccept: */*\r\n\r\n"
STREAM_REQUEST = WHOLE_REQUEST.replace(b"/health", b"/sse/metrics")
HALF_REQUEST = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: fastgo-"


class Crowd:
    """A context manager that holds `count` connections, each of which has sent `request`."""

    def __init__(self, port, count, request):
        self.address = ("127.0.0.1", port)
        self.count = count
        self.request = request
        self.expects_answer = request.endswith(b"\r\n\r\n")
        self.sockets = []

    def __enter__(self):
        try:
            self._gather()
        except BaseException:
            self.disperse()
            raise
        return self

    def __exit__(self, *_):
        self.disperse()

    def disperse(self):
        """Closes all connections."""
        for held in self.sockets:
            held.close()
        self.sockets.clear()

    def read_for(self, seconds):
        """Reads and discards what comes on any connection, for this long."""
        deadline = time.monotonic() + seconds
        with select.epoll() as poll:
            for held in self.sockets:
                poll.register(held.fileno(), select.EPOLLIN | select.EPOLLET)
            while (left := deadline - time.monotonic()) > 0:
                for descriptor, _ in poll.poll(left, maxevents=1024):
                    while self._read(descriptor):
                        pass

    def lost(self):
        """How many connections the server has closed meanwhile."""
        poll = select.epoll()
        for held in self.sockets:
            poll.register(held.fileno(), select.EPOLLRDHUP)
        closed = len(poll.poll(0, maxevents=max(1, self.count)))
        poll.close()
        return closed

    def _read(self, descriptor):
        """True when there may be more to read."""
        try:
            return len(os.read(descriptor, READ_SIZE)) == READ_SIZE
        except (BlockingIOError, ConnectionError):
            return False

    def _gather(self):
        deadline = time.monotonic() + LIMIT_SECONDS
        poll = select.epoll()
        waiting = {}
        done = 0
        while done < self.count:
            while len(self.sockets) < self.count and len(waiting) < IN_PROGRESS:
                opened = self._open()
                waiting[opened.fileno()] = opened
                poll.register(opened.fileno(), select.EPOLLOUT)
            for descriptor, event in poll.poll(1):
                opened = waiting[descriptor]
                if event & select.EPOLLOUT:
                    if self.request:
                        opened.send(self.request)
                    if self.expects_answer:
                        poll.modify(descriptor, select.EPOLLIN)
                        continue
                elif not opened.recv(4096).startswith(b"HTTP/1.1 200"):
                    raise ConnectionError(f"connection {done + 1} of {self.count} was not answered with 200")
                poll.unregister(descriptor)
                del waiting[descriptor]
                done += 1
            if time.monotonic() > deadline:
                raise TimeoutError(f"only {done} of {self.count} connections within {LIMIT_SECONDS} s")
        poll.close()

    def _open(self):
        opened = socket.socket()
        opened.setblocking(False)
        self.sockets.append(opened)
        opened.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        opened.bind((f"127.0.0.{2 + len(self.sockets) // CONNECTIONS_PER_ADDRESS}", 0))
        opened.connect_ex(self.address)
        return opened
