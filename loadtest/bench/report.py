"""The figures as tables, for a terminal and as Markdown, and the judgement over them."""

from statistics import median

from bench.servers import PAIRS

IDLE_LIMIT_BYTES = 2048
# Machines of CI are shared: there a ratio fails only when it is this much above its goal.
CHECK_TOLERANCE = 1.2

# Column, heading, decimals.
COLUMNS = [
    ("cpu_us", "CPU µs/req", 2),
    ("sparse_cpu_us", "CPU µs/sparse req", 0),
    ("rate", "req/s", 0),
    ("p50", "p50 ms", 2),
    ("p99", "p99 ms", 2),
    ("p999", "p99.9 ms", 2),
    ("idle_bytes", "B/idle conn", 0),
    ("active_bytes", "B/active conn", 0),
    ("churn_rate", "new conn/s", 0),
    ("churn_cpu_us", "CPU µs/new conn", 1),
    ("start_ms", "start ms", 1),
]
RATIOS = [("cpu_us", "CPU / best peer"), ("idle_bytes", "idle B / best peer")]


def servers_table(servers, figures):
    """One row a server: medians over the rounds, then ratios to the best peer."""
    rows = [["server", *(heading for _, heading, _ in COLUMNS), *(heading for _, heading in RATIOS)]]
    for server in servers:
        row = [server.name]
        for column, _, decimals in COLUMNS:
            row.append(_number(figures[server.name].median(column), decimals))
        for column, _ in RATIOS:
            best = _best_peer(servers, figures, column)
            mine = figures[server.name].median(column)
            row.append(_number(mine / best if mine is not None and best else None, 2))
        rows.append(row)
    return rows


def pairs_table(samples):
    """One row a pair: medians of both, and the median of the ratios of the rounds."""
    rows = [["engine", "peer", "engine µs/req", "peer µs/req", "ratio", "goal", ""]]
    for pair in PAIRS:
        if pair.engine in samples:
            ours, theirs = (median(side) for side in zip(*samples[pair.engine]))
            ratio = pair_ratio(samples[pair.engine])
            verdict = "met" if ratio <= pair.goal else "missed"
            numbers = [_number(ours, 2), _number(theirs, 2), _number(ratio, 3), f"≤ {pair.goal:.2f}"]
            rows.append([pair.engine, pair.peer, *numbers, verdict])
    return rows


def pair_ratio(samples):
    """Engine over peer, the median over the rounds."""
    return median(ours / theirs for ours, theirs in samples)


def failures(figures, samples):
    """What `--check` calls a failure, one sentence each."""
    found = []
    for pair in PAIRS:
        if pair.engine not in samples:
            found.append(f"{pair.engine} was not measured against {pair.peer}")
            continue
        ratio, limit = pair_ratio(samples[pair.engine]), pair.goal * CHECK_TOLERANCE
        if ratio > limit:
            found.append(f"{pair.engine} takes {ratio:.2f} times the CPU of {pair.peer}; the limit here is {limit:.2f}")
        idle = figures[pair.engine].median("idle_bytes")
        if idle > IDLE_LIMIT_BYTES:
            found.append(f"{pair.engine} holds {idle:.0f} bytes per idle connection; the limit is {IDLE_LIMIT_BYTES}")
    return found


def as_text(rows):
    """A table with aligned columns: the first to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row, widths)]
        lines.append("  ".join([row[0].ljust(widths[0]), *cells[1:]]).rstrip())
    return "\n".join(lines)


def as_markdown(rows):
    """The same table as Markdown."""
    rule = ["---", *["--:"] * (len(rows[0]) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [rows[0], rule, *rows[1:]])


def _best_peer(servers, figures, column):
    values = [figures[server.name].median(column) for server in servers if server.is_peer]
    return min((value for value in values if value is not None), default=None)


def _number(value, decimals):
    return "-" if value is None else f"{value:,.{decimals}f}"
