"""The result of hostile runs: one line for each thing that is checked, with its figure and its limit."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """One check of one engine."""

    attack: str
    what: str
    figure: float
    limit: float
    unit: str
    # Some figures must also not fall below something: a deadline that cuts early is as wrong as one that cuts late.
    at_least: float = 0.0

    def is_met(self):
        return self.at_least <= self.figure <= self.limit

    def __str__(self):
        limit = f"≤ {self.limit:g}" if not self.at_least else f"{self.at_least:g} to {self.limit:g}"
        verdict = "ok" if self.is_met() else "FAILED"
        return f"{verdict:<7} {self.attack:<24} {self.what:<44} {self.figure:10,.2f} {self.unit:<4} ({limit})"


def honest_lines(attack, report, p99_limit_ms):
    """How the honest clients fared meanwhile."""
    unanswered = report["failed"] + report["skipped"]
    reasons = f" ({', '.join(report['reasons'])})" if report["reasons"] else ""
    return [
        Line(attack, f"honest requests unanswered of {report['sent']:,}{reasons}", unanswered, 0, ""),
        Line(attack, "honest p99", report["p99_ms"], p99_limit_ms, "ms"),
    ]
