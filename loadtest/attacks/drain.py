"""Closed-loop clients that know of each request whether it was fully sent and whether it was answered."""

import random
import select
import socket
import time

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
CLOSED = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
END_LIMIT_SECONDS = 30


class Client:
    """One keep-alive connection. Some ask again at once, the others think for up to 20 ms."""

    def __init__(self, port, eager):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setblocking(False)
        self.eager = eager
        self.awaits = False
        self.may_ask = True
        self.next_at = 0.0
        self.buffer = b""

    def ask(self):
        """Sends a request, unless the server's end has come already, or the last answer announced it.

        On loopback `send` returns when the bytes are in the server's socket. Where the end has still not come then, the
        server had the request before it closed, and must answer; where it has, the order cannot be known.
        """
        if not self.may_ask or self._has_ended():
            return
        try:
            self.socket.send(REQUEST)
        except OSError:
            return
        self.awaits = not self._has_ended()

    def read(self):
        """Takes what is there: the number of whole answers, and whether the connection has ended."""
        answers, ended = 0, False
        try:
            while data := self.socket.recv(65_536):
                self.buffer += data
            ended = True
        except BlockingIOError:
            pass
        except OSError:
            ended = True
        while (whole := whole_answer(self.buffer)) is not None:
            self.may_ask = b"\r\nconnection: close\r\n" not in self.buffer[:whole].lower()
            self.buffer = self.buffer[whole:]
            self.awaits = False
            answers += 1
        return answers, ended

    def _has_ended(self):
        with select.epoll() as poll:
            poll.register(self.socket.fileno(), select.EPOLLRDHUP)
            return bool(poll.poll(0))


def whole_answer(data):
    """Length of the answer at the front of the data, or None when it is not whole."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    length = next(int(line[15:]) for line in data[:end].lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return end + 4 + length if len(data) >= end + 4 + length else None


def run(port, clients, stop):
    """Keeps the clients asking until the server has closed all connections; `stop` is called after a random moment.

    Returns how many requests were answered, and how many were sent in full and not answered.
    """
    poll, by_descriptor = select.epoll(), {}
    for number in range(clients):
        client = Client(port, eager=number % 2 == 0)
        by_descriptor[client.socket.fileno()] = client
        poll.register(client.socket.fileno(), select.EPOLLIN | select.EPOLLRDHUP)
    started = time.monotonic()
    stop_at = started + random.uniform(0.05, 0.3)
    answered = lost = 0
    while by_descriptor:
        now = time.monotonic()
        if now - started > END_LIMIT_SECONDS:
            raise TimeoutError(f"{len(by_descriptor)} connections were still open after {END_LIMIT_SECONDS} s")
        if stop and now >= stop_at:
            stop()
            stop = None
        for client in by_descriptor.values():
            if not client.awaits and now >= client.next_at:
                client.ask()
        for descriptor, _ in poll.poll(0.002):
            client = by_descriptor[descriptor]
            answers, ended = client.read()
            answered += answers
            client.next_at = 0.0 if client.eager else now + random.uniform(0, 0.02)
            if ended:
                lost += client.awaits
                poll.unregister(descriptor)
                client.socket.close()
                del by_descriptor[descriptor]
    poll.close()
    return answered, lost
