"""The goals as data, and the judgement over measured figures."""

from dataclasses import dataclass
from statistics import median

# CI runs on shared machines, for a short time: a ratio fails there only when it is this much above its goal. Memory and
# idle CPU follow the machine's load less.
RATIO_TOLERANCE = 1.3
LIMIT_TOLERANCE = 1.1
PER_CORE = "hello-hyper-thread-per-core"
MULTI_THREAD = "hello-hyper-multi-thread"


@dataclass(frozen=True)
class Ratio:
    """An engine's CPU time per request, at most `limit` times that of the bare server of its kind."""

    engine: str
    column: str
    peer: str
    limit: float


@dataclass(frozen=True)
class Limit:
    """What every engine keeps below, whatever its peers take."""

    column: str
    limit: float


RATIOS = [
    Ratio("may", "keep_alive_us", "stock-may", 1.0),
    Ratio("hyper", "keep_alive_us", PER_CORE, 1.05),
    Ratio("worker-pool", "keep_alive_us", MULTI_THREAD, 1.0),
    Ratio("may", "sparse_us", "stock-may", 1.0),
    Ratio("hyper", "sparse_us", PER_CORE, 1.15),
    Ratio("worker-pool", "sparse_us", MULTI_THREAD, 1.0),
    # stock-may keeps connections that ask to be closed.
    Ratio("may", "churn_us", PER_CORE, 1.0),
    Ratio("hyper", "churn_us", PER_CORE, 1.0),
    Ratio("worker-pool", "churn_us", MULTI_THREAD, 0.9),
]
LIMITS = [
    Limit("idle_bytes", 512),
    Limit("new_bytes", 512),
    Limit("half_bytes", 6144),
    Limit("sse_bytes", 2048),
    Limit("rest_mb", 11),
    Limit("idle_cpu", 0.5),
]


@dataclass(frozen=True)
class Verdict:
    """One goal for one engine: what was measured, and whether it is reached."""

    engine: str
    column: str
    peer: str
    ours: float
    theirs: float | None
    figure: float
    limit: float

    def is_met(self, tolerance=1.0):
        return self.figure <= self.limit * tolerance


def verdicts(engines, figures):
    """A verdict for each goal whose figures were measured, in the order of the goals."""
    found = []
    for goal in RATIOS:
        if goal.engine in engines and goal.peer in figures:
            ours, theirs = (figures[name].samples.get(goal.column, []) for name in (goal.engine, goal.peer))
            if ours and theirs:
                # Round by round: what the machine did in a round, it did to both.
                ratio = median(mine / other for mine, other in zip(ours, theirs, strict=True))
                found.append(
                    Verdict(goal.engine, goal.column, goal.peer, median(ours), median(theirs), ratio, goal.limit)
                )
    for goal in LIMITS:
        for engine in engines:
            figure = figures[engine].median(goal.column)
            if figure is not None:
                found.append(Verdict(engine, goal.column, "", figure, None, figure, goal.limit))
    return found
