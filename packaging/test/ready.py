"""Measures how long a service takes until it sends READY=1, and fails when that is more than the limit.

python3 ready.py LIMIT_MS COMMAND...      the best of five starts, on a port of the kernel's choice; said on
                                          file descriptor 3
"""
import os
import socket
import subprocess
import sys
import tempfile
import time

limit = float(sys.argv[1])


def start(command, directory):
    """Milliseconds from the start of the command to READY=1."""
    path = os.path.join(directory, "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(10)
        began = time.monotonic()
        environment = os.environ | {"NOTIFY_SOCKET": path, "PORT": "0", "BIND": "127.0.0.1"}
        service = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        try:
            while b"READY=1" not in manager.recv(4096).split(b"\n"):
                pass
            return (time.monotonic() - began) * 1000
        finally:
            service.terminate()
            service.wait()
            os.unlink(path)


with tempfile.TemporaryDirectory() as directory:
    best = min(start(sys.argv[2:], directory) for _ in range(5))
os.write(3, f"   # ready after {best:.1f} ms\n".encode())
sys.exit(best > limit)
