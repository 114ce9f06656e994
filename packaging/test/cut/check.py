"""Reads the answers that students got and the export that follows; fails if anything acknowledged is lost, doubled or oversold."""

import csv
import sys

SEATS = 25
lines = sys.stdin.read().splitlines()
acks = [line.split() for line in lines if line.startswith("ack ") and len(line.split()) == 5]
start = next(number for number, line in enumerate(lines) if line.startswith("sequence,"))
rows = list(csv.DictReader(lines[start:]))
problems = []
by_wish = {(row["student_id"], row["course_id"]): row for row in rows}
if len(by_wish) != len(rows) or len({row["registration_id"] for row in rows}) != len(rows):
    problems.append("somebody is registered twice")
for _, student, course, name, status in acks:
    row = by_wish.get((student, course))
    if not row or row["registration_id"] != name:
        problems.append("lost: %s in %s, %s" % (student, course, name))
    elif status == "enrolled" and row["status"] != "enrolled":
        problems.append("lost the seat: %s in %s" % (student, course))
sequences = [int(row["sequence"]) for row in rows]
if sequences != sorted(set(sequences)):
    problems.append("the export is out of order")
for course in sorted({row["course_id"] for row in rows}):
    states = [row["status"] for row in rows if row["course_id"] == course]
    enrolled = states.count("enrolled")
    if enrolled > SEATS or states != ["enrolled"] * enrolled + ["waiting"] * (len(states) - enrolled):
        problems.append("%s: %d seats taken, or out of order" % (course, enrolled))
print("%s cuts, %d answers, %d registrations, %d problems" % (sys.argv[1], len(acks), len(rows), len(problems)))
print("\n".join(problems[:20]))
sys.exit(1 if problems or len(acks) < 100 else 0)
