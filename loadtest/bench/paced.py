"""Starts loadtest/peers' paced-client and asks it for reports."""

import json
import subprocess

from bench.servers import PEERS

CLIENT = PEERS / "target/bin/paced-client"


class PacedClient:
    """A running paced-client, whose connections are all open. A context manager: leaving it ends the client."""

    def __init__(self, cores, port, connections, period_ms, *request):
        command = ["taskset", "--cpu-list", cores, str(CLIENT), str(port), str(connections), str(period_ms), *request]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def report(self):
        """What happened since the last report."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self._read()

    def _read(self):
        line = self.process.stdout.readline()
        if not line:
            raise ConnectionError(f"the paced client ended with code {self.process.wait()}; see above")
        return json.loads(line)
