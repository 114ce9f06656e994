"""Reads what the collector's debug exporter printed, and checks the spans that tests/collector/run asked for."""

import re
import sys

PARENT = "00f067aa0ba902b7"
text = open(sys.argv[1], encoding="utf-8").read()
spans = []
for resource in re.split(r"ResourceSpans #\d+", text)[1:]:
    service = re.search(r"service\.name: Str\((.+?)\)", resource).group(1)
    for block in re.split(r"\n *Span #\d+", resource)[1:]:
        fields = dict(re.findall(r"\n +(Trace ID|Parent ID|ID|Name|Kind|Start time|End time) +: *(.*)", block))
        spans.append({**fields, "service": service, "block": block})

for number, engine in enumerate(["worker-pool", "may", "hyper"], 1):
    own = [span for span in spans if span["service"] == f"fastgo-{engine}"]
    trace = {span["Name"]: span for span in own if span["Trace ID"] == f"{number:032x}"}
    assert sorted(trace) == ["POST /registrations", "batch", "commit", "queue"], (engine, sorted(trace))
    request = trace["POST /registrations"]
    assert request["Parent ID"] == PARENT and request["Kind"] == "Server", request
    for child, parent in [("queue", request), ("batch", request), ("commit", trace["batch"])]:
        assert trace[child]["Parent ID"] == parent["ID"], (engine, child)
    assert "http.response.status_code: Int(201)" in request["block"], request["block"]
    assert "fastgo.batch.commands: Int(1)" in trace["batch"]["block"]
    others = {span["Name"] for span in own if span["Trace ID"] != f"{number:032x}"}
    assert others == ({"GET /", "queue"} if engine == "worker-pool" else {"GET /"}), (engine, others)
    print(f"{engine}: {len(own)} spans; the registration's trace has request, queue, batch and commit")
