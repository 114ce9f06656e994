"""The figures as tables, for a terminal and as Markdown."""

# Column, heading, decimals.
COLUMNS = [
    ("keep_alive_us", "CPU µs/req", 2),
    ("sparse_us", "CPU µs/sparse req", 1),
    ("churn_us", "CPU µs/connection", 1),
    ("rate", "req/s", 0),
    ("p50", "p50 ms", 2),
    ("p99", "p99 ms", 2),
    ("sparse_p50", "sparse p50 ms", 2),
    ("sparse_p99", "sparse p99 ms", 2),
    ("churn_rate", "connections/s", 0),
    ("idle_bytes", "B/idle", 0),
    ("new_bytes", "B/silent", 0),
    ("half_bytes", "B/half a request", 0),
    ("sse_bytes", "B/subscriber", 0),
    ("rest_mb", "MB at rest", 1),
    ("idle_cpu", "idle CPU %", 2),
]
HEADINGS = {column: (heading, decimals) for column, heading, decimals in COLUMNS}


def servers_table(servers, figures):
    """One row a server: medians over the rounds. Columns without a value are left out."""
    columns = [row for row in COLUMNS if any(figures[server.name].samples.get(row[0]) for server in servers)]
    rows = [["server", *(heading for _, heading, _ in columns)]]
    for server in servers:
        cells = [_number(figures[server.name].median(column), decimals) for column, _, decimals in columns]
        rows.append([server.name, *cells])
    return rows


def goals_table(verdicts):
    """One row for each goal and engine."""
    rows = [["engine", "figure", "bare server", "engine's", "bare", "ratio", "goal", ""]]
    for verdict in verdicts:
        heading, decimals = HEADINGS[verdict.column]
        ratio = _number(verdict.figure, 3) if verdict.peer else "-"
        goal = f"≤ {verdict.limit:g}"
        numbers = [_number(verdict.ours, decimals), _number(verdict.theirs, decimals), ratio, goal]
        rows.append([verdict.engine, heading, verdict.peer or "-", *numbers, "met" if verdict.is_met() else "missed"])
    return rows


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


def _number(value, decimals):
    return "-" if value is None else f"{value:,.{decimals}f}"
