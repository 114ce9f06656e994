"""The servers that can stand side by side: the three engines of fastgo and the peers."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

LOADTEST = Path(__file__).resolve().parent.parent
PEERS = LOADTEST / "peers"
FASTGO = Path(os.environ.get("FASTGO_BIN", LOADTEST.parent / "target/release/fastgo"))


@dataclass(frozen=True)
class Engine:
    """One engine of fastgo, with its default settings."""

    name: str

    is_peer = False

    def command(self, port, _directory, _cores):
        return [str(FASTGO), "serve", self.name, "--bind", "127.0.0.1", "--port", str(port)]

    def is_here(self):
        return FASTGO.exists()


@dataclass(frozen=True)
class Peer:
    """A bare server of loadtest/peers/build, which takes the port as its argument."""

    name: str

    is_peer = True

    def _binary(self):
        return PEERS / "target/bin" / self.name

    def command(self, port, _directory, _cores):
        return [str(self._binary()), str(port)]

    def is_here(self):
        return self._binary().exists()


@dataclass(frozen=True)
class Nginx:
    """nginx as the system has it, with our configuration."""

    name: str = "nginx"

    is_peer = True

    def command(self, port, directory, cores):
        filled = (PEERS / "nginx/nginx.conf").read_text()
        for word, value in ("PORT", port), ("WORKERS", core_count(cores)), ("DIR", directory):
            filled = filled.replace(word, str(value))
        configuration = directory / "nginx.conf"
        configuration.write_text(filled)
        return [_nginx(), "-p", str(directory), "-c", str(configuration)]

    def is_here(self):
        return _nginx() is not None


ENGINES = [Engine("worker-pool"), Engine("may"), Engine("hyper")]
ALL = [
    *ENGINES,
    Peer("hello-hyper-multi-thread"),
    Peer("hello-hyper-thread-per-core"),
    Peer("stock-may"),
    Nginx(),
    Peer("fasthttp-worker-pool"),
    Peer("fiber"),
    Peer("chi-net-http"),
]


@dataclass(frozen=True)
class Pair:
    """An engine, the bare server of the same make, and how much more CPU per request the engine may take."""

    engine: str
    peer: str
    goal: float


PAIRS = [
    Pair("hyper", "hello-hyper-thread-per-core", 1.15),
    Pair("may", "stock-may", 1.15),
    Pair("worker-pool", "hello-hyper-multi-thread", 1.30),
]


def core_count(cores):
    """The number of cores in a list such as `0,2-3`."""
    ends = [part.split("-") for part in cores.split(",")]
    return sum(int(end[-1]) - int(end[0]) + 1 for end in ends)


def _nginx():
    return shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
