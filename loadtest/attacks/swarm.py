"""Hostile connections by the thousand: opened at once, driven from one epoll, watched until the server cuts them."""

import errno
import select
import socket
import struct
import time
from dataclasses import dataclass

CONNECTIONS_PER_ADDRESS = 10_000
IP_BIND_ADDRESS_NO_PORT = 24
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
# Asks for the smallest receive buffer that Linux grants and for tiny segments, of which the server's kernel keeps few:
# after some 20 kB the server's data has nowhere to go. With loopback's own segments that takes megabytes.
TINY_BUFFER = 2048
TINY_SEGMENT = 88
TICK_SECONDS = 0.02
POKE_SECONDS = 0.1
CLOSED = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR


@dataclass(frozen=True)
class Behaviour:
    """How one kind of hostile client acts."""

    name: str
    # Sent as soon as the connection is open.
    opening: bytes = b""
    # Sent again each second.
    trickle: bytes = b""
    # Seconds after which it sends an empty line now and then: a kernel that gives up on a reader does not say so, and
    # answers the next byte with a reset.
    poke_after: float = float("inf")
    reads: bool = True
    # Which timeout must cut it: the name of a field of Deadlines.
    deadline: str = "read"


def take_little(client):
    """Makes a socket that is not connected yet one that soon blocks its server, when it is not read."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, TINY_BUFFER)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, TINY_SEGMENT)


class Connection:
    """One hostile connection. `began` is when its deadline started to run, `cut` when the server ended it."""

    def __init__(self, behaviour, index, port):
        self.behaviour = behaviour
        self.began = self.cut = None
        self.received = b""
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        if not behaviour.reads:
            take_little(self.socket)
        self.socket.bind((f"127.0.1.{1 + index // CONNECTIONS_PER_ADDRESS}", 0))
        if self.socket.connect_ex(("127.0.0.1", port)) not in (0, errno.EINPROGRESS):
            raise ConnectionError("a hostile client could not connect")

    def send(self, data):
        """Best effort: a server that has cut the connection is noticed by epoll."""
        try:
            self.socket.send(data)
        except OSError:
            pass

    def read(self):
        """Reads what is there; true when the server has ended the connection."""
        try:
            while data := self.socket.recv(65_536):
                self.received = (self.received + data)[:64]
            return True
        except BlockingIOError:
            return False
        except OSError:
            return True


class Swarm:
    """A context manager over hostile connections; leaving it resets all of them."""

    def __init__(self, port, behaviours, ramp_seconds=0.0):
        self.port, self.behaviours, self.ramp_seconds = port, behaviours, ramp_seconds
        self.poll = select.epoll()
        self.by_descriptor = {}
        self.connections = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.poll.close()
        for connection in self.connections:
            connection.socket.close()

    def run(self, seconds):
        """Opens the connections over the ramp and drives them for this long, or until all of them are cut."""
        started = now = time.monotonic()
        next_trickle, next_poke = started + 1, started
        while now - started < seconds and not self._all_cut():
            self._open(min(1.0, (now - started) / self.ramp_seconds) if self.ramp_seconds else 1.0)
            for descriptor, event in self.poll.poll(TICK_SECONDS, maxevents=4096):
                self._handle(self.by_descriptor[descriptor], event)
            now = time.monotonic()
            if now >= next_trickle:
                next_trickle += 1
                for connection in self._held():
                    if connection.behaviour.trickle:
                        connection.send(connection.behaviour.trickle)
            if now >= next_poke:
                next_poke += POKE_SECONDS
                for connection in self._held():
                    if now - connection.began >= connection.behaviour.poke_after:
                        connection.send(b"\r\n")

    def _held(self):
        return (one for one in self.connections if one.began is not None and one.cut is None)

    def _all_cut(self):
        return len(self.connections) == len(self.behaviours) and all(one.cut is not None for one in self.connections)

    def _open(self, share):
        """Opens connections until this share of them is open."""
        for index in range(len(self.connections), round(share * len(self.behaviours))):
            connection = Connection(self.behaviours[index], index, self.port)
            self.connections.append(connection)
            self.by_descriptor[connection.socket.fileno()] = connection
            self.poll.register(connection.socket.fileno(), select.EPOLLOUT | select.EPOLLRDHUP)

    def _handle(self, connection, event):
        if connection.began is None and event & select.EPOLLOUT:
            connection.began = time.monotonic()
            if connection.behaviour.opening:
                connection.send(connection.behaviour.opening)
            wanted = select.EPOLLRDHUP | (select.EPOLLIN if connection.behaviour.reads else 0)
            self.poll.modify(connection.socket.fileno(), wanted)
        ended = connection.behaviour.reads and event & select.EPOLLIN and connection.read()
        if ended or event & CLOSED:
            connection.began = connection.began or time.monotonic()
            connection.cut = time.monotonic()
            self.poll.unregister(connection.socket.fileno())
