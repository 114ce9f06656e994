"""Opens one connection after the other to each port given, in two threads, until SIGTERM; then prints the counts.

refused: the connection was not taken; lost: taken, but closed before a whole response; late: none of this within a minute;
slowest: of all, in seconds.
"""
import signal
import socket
import sys
import threading
import time

THREADS = 2
# Between one connection and the next, in seconds: an emulated guest has little to spare.
PAUSE = 0.05
# For an answer, in seconds.
TIMEOUT = 60
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

stop = threading.Event()
lock = threading.Lock()
counts = {"answered": 0, "other": 0, "refused": 0, "lost": 0, "late": 0}
slowest = 0.0


def request(port):
    """One request on a connection of its own: the name of its outcome."""
    try:
        connection = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
    except TimeoutError:
        return "late"
    except OSError:
        return "refused"
    with connection:
        try:
            connection.sendall(REQUEST)
            response = b""
            while data := connection.recv(65536):
                response += data
        except TimeoutError:
            return "late"
        except OSError:
            return "lost"
    head, end, body = response.partition(b"\r\n\r\n")
    if not end or not body:
        return "lost"
    return "answered" if head.startswith(b"HTTP/1.1 200 ") else "other"


def client(port):
    global slowest
    while not stop.wait(PAUSE):
        started = time.monotonic()
        outcome = request(port)
        with lock:
            counts[outcome] += 1
            slowest = max(slowest, time.monotonic() - started)


threads = [threading.Thread(target=client, args=(int(port),)) for port in sys.argv[1:] for _ in range(THREADS)]
for thread in threads:
    thread.start()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
stop.wait()
for thread in threads:
    thread.join()
print(" ".join(f"{name}={count}" for name, count in counts.items()), f"slowest={slowest:.1f}")
