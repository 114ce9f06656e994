"""The servers that can stand side by side: the three engines of fastgo and the peers."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

LOADTEST = Path(__file__).resolve().parent.parent
PEERS = LOADTEST / "peers"
DEFAULT_BINARY = Path(os.environ.get("FASTGO_BIN", LOADTEST.parent / "target/release/fastgo"))


@dataclass(frozen=True)
class Engine:
    """One engine of fastgo, with its default settings but for `options`."""

    name: str
    binary: Path = DEFAULT_BINARY
    options: tuple = ()

    is_peer = False

    def command(self, port, _directory, _cores):
        where = ("--bind", "127.0.0.1", "--port", str(port))
        return [str(self.binary), "serve", self.name, *where, *self.options]

    def is_here(self):
        return self.binary.exists()


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


ENGINES = ["may", "hyper", "worker-pool"]


def everything(binary):
    """All servers, each engine beside the bare server of its kind, so that the two are measured shortly after each other."""
    return [
        Engine("may", binary),
        Peer("stock-may"),
        Engine("hyper", binary),
        Peer("hello-hyper-thread-per-core"),
        Engine("worker-pool", binary),
        Peer("hello-hyper-multi-thread"),
        Nginx(),
        Peer("fasthttp-worker-pool"),
        Peer("fiber"),
        Peer("chi-net-http"),
    ]


def core_count(cores):
    """The number of cores in a list such as `0,2-3`."""
    ends = [part.split("-") for part in cores.split(",")]
    return sum(int(end[-1]) - int(end[0]) + 1 for end in ends)


def _nginx():
    return shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
