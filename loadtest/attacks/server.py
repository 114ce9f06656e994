"""The server under attack, and the honest clients beside it."""

import json
import time
import urllib.request

from bench.paced import PacedClient
from bench.process import RunningServer
from bench.servers import Engine

HONEST_CONNECTIONS = 100
HONEST_PERIOD_MS = 500
BASELINE_SECONDS = 3


class Target:
    """One engine with settings of its own. A context manager."""

    def __init__(self, engine, binary, cores, **settings):
        # Every engine's default; said here because the figures mean nothing without it.
        settings = {"work": "sleep:10ms"} | settings
        options = [word for name, value in settings.items() for word in (f"--{name.replace('_', '-')}", str(value))]
        self.engine, self.cores = engine, cores
        self.running = RunningServer(Engine(engine, binary, tuple(options)), cores)
        self.port = self.running.port

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.running.stop()

    def metrics(self):
        """/metrics as the engine serves it, over a connection of its own."""
        with urllib.request.urlopen(self.running.url("/metrics"), timeout=30) as answer:
            return json.load(answer)

    def wait_for(self, seconds, condition):
        """How long it took until `condition` held of the metrics; `seconds` when it did not within them."""
        started = time.monotonic()
        while (waited := time.monotonic() - started) < seconds:
            if condition(self.metrics()):
                return waited
            time.sleep(0.05)
        return seconds


class Honest:
    """Clients that ask `/`, the engine's work, twice a second each. A context manager."""

    def __init__(self, target):
        self.client = PacedClient(target.cores, target.port, HONEST_CONNECTIONS, HONEST_PERIOD_MS, "/")
        time.sleep(HONEST_PERIOD_MS / 1000 * 2)
        self.client.report()
        time.sleep(BASELINE_SECONDS)
        self.unloaded = self.client.report()
        if self.unloaded["failed"] or not self.unloaded["answered"]:
            self.client.__exit__()
            raise ConnectionError(f"honest clients fail without any attack: {self.unloaded}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.__exit__()

    def during(self, attack):
        """Runs `attack()`; returns its result and what the honest clients saw meanwhile."""
        self.client.report()
        result = attack()
        return result, self.client.report()
