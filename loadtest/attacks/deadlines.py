"""Clients that hold a connection and do nothing useful with it: each must be cut by its own deadline."""

import time

from attacks.lines import Line, honest_lines
from attacks.server import Honest, Target
from attacks.swarm import Behaviour, Swarm

# Long enough that all of them are held at once after the ramp.
DEADLINES = {"read": 5, "write": 5, "idle": 7}
RAMP_SECONDS = 4
SETTINGS = {f"{name}_timeout": f"{seconds}s" for name, seconds in DEADLINES.items()}
LATE_SECONDS = 1.0
# A server may round a deadline to its own clock's tick and this client notices late that it is connected.
EARLY_SECONDS = 0.5
# More than the socket buffers of both sides hold, and requests that the server reads all at once: what is left unread
# would make the kernel reset the connection, even where the server only closes it.
LARGE = b"GET /compare3 HTTP/1.1\r\nHost: a\r\n\r\n" * 400
# More than this reader's buffer holds, and less than the server's: sent, as far as the server can see.
SMALL = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n" * 60

BEHAVIOURS = [
    Behaviour("slow head", opening=b"GET / HTTP/1.1\r\nX: ", trickle=b"y"),
    Behaviour("slow body", opening=b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n[", trickle=b" "),
    Behaviour("slow reader", opening=LARGE, reads=False, deadline="write"),
    Behaviour("slow reader, small answers", opening=SMALL, reads=False, deadline="write",
              poke_after=DEADLINES["write"] - EARLY_SECONDS),
    Behaviour("silence", deadline="idle"),
    Behaviour("half a request", opening=b"GET /health HTTP/1.1\r\nHost: a\r\nUser-Agent: "),
]


def check(engine, binary, cores, scale):
    """Each kind alone, then all of them at once; yields lines."""
    with Target(engine, binary, cores, **SETTINGS) as target, Honest(target) as honest:
        p99 = honest.unloaded["p99_ms"]
        yield Line("no attack", "honest p99", p99, max(50, scale.p99_floor_ms), "ms")
        limit = max(2 * p99, scale.p99_floor_ms)
        for behaviour in BEHAVIOURS if scale.each_alone else []:
            yield from attack(target, honest, behaviour.name, [behaviour] * scale.alone, limit)
        count = scale.at_once // len(BEHAVIOURS)
        mixed = [behaviour for _ in range(count) for behaviour in BEHAVIOURS]
        yield from attack(target, honest, f"{len(mixed):,} at once", mixed, limit)


def attack(target, honest, name, behaviours, p99_limit_ms):
    """Lines of one swarm: how long each kind was held, and how the honest clients fared."""
    longest = max(DEADLINES[behaviour.deadline] for behaviour in behaviours)

    def run():
        with Swarm(target.port, behaviours, RAMP_SECONDS) as swarm:
            # Longer than allowed, so that a figure can be seen to be over its limit.
            swarm.run(RAMP_SECONDS + longest + 3 * LATE_SECONDS)
            return swarm

    swarm, report = honest.during(run)
    for behaviour in sorted(set(behaviours), key=BEHAVIOURS.index):
        yield from held_lines(swarm, behaviour, name)
    yield from honest_lines(name, report, p99_limit_ms)
    # The next attack must not meet what is left of this one.
    target.wait_for(10, lambda metrics: metrics["active_connections"] <= honest.unloaded["open"] + 1)
    time.sleep(0.5)


def held_lines(swarm, behaviour, name):
    """Earliest and latest cut of one kind of client."""
    mine = [one for one in swarm.connections if one.behaviour is behaviour]
    held = [one.cut - one.began for one in mine if one.cut is not None]
    deadline = DEADLINES[behaviour.deadline]
    yield Line(name, f"{behaviour.name}: not cut of {len(mine):,}", len(mine) - len(held), 0, "")
    if held:
        limits = {"limit": deadline + LATE_SECONDS, "at_least": deadline - EARLY_SECONDS}
        yield Line(name, f"{behaviour.name}: cut after, the first", min(held), unit="s", **limits)
        yield Line(name, f"{behaviour.name}: cut after, the last", max(held), unit="s", **limits)
