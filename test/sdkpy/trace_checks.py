"""The trace of a run, as GraphQL tells of it in both shapes (Spec 05 §8.8, §9.2)."""

from __future__ import annotations

import collections.abc
import datetime
import typing

if typing.TYPE_CHECKING:
    from harness import Server

Span = dict[str, typing.Any]

# Calls have steps, steps have attempts, and attempts have what the app traced itself.
QUERY = """
query($run:String!){run(runID:$run){status new:trace(preview:true){...tree} legacy:trace(preview:false){...tree}}}
fragment one on RunTraceSpan{
    name status runID spanID parentSpanID isRoot isUserland stepOp stepID outputID queuedAt startedAt endedAt
    stepInfo{__typename}
}
fragment tree on RunTraceSpan{
    ...one childrenSpans{...one childrenSpans{...one childrenSpans{...one childrenSpans{...one}}}}
}
"""
OUTPUT = """
query($id:String!){output:runTraceSpanOutputByID(outputID:$id){input data error{message name stack cause}}}
"""

# What there is to say of steps, by their ops.
INFOS = {
    "RUN": "RunStepInfo",
    "SLEEP": "SleepStepInfo",
    "WAIT_FOR_EVENT": "WaitForEventStepInfo",
    "INVOKE": "InvokeStepInfo",
}
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "SKIPPED")


def trace_of(server: Server, run_id: str) -> tuple[str, dict[str, Span]]:
    """The status of a run, and its trace in each shape."""
    run = server.query(QUERY, {"run": run_id})["run"]
    assert run and run["new"] and run["legacy"], f"run {run_id} has no trace"
    return run["status"], {"new": run["new"], "legacy": run["legacy"]}


def named(span: Span, *names: str) -> list[Span]:
    """The children with one of the names."""
    return [child for child in children(span) if child["name"] in names]


def children(span: Span) -> list[Span]:
    return span.get("childrenSpans", [])  # which are not asked for at the end


def spans(root: Span) -> collections.abc.Iterator[Span]:
    yield root
    for child in children(root):
        yield from spans(child)


def began(span: Span) -> datetime.datetime:
    return instant(span["startedAt"] or span["queuedAt"])


def instant(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


def outline(span: Span, indent: str = "  ") -> str:
    """The tree as text, for people."""
    line = f"{indent}{span['name']} {span['status']} {span['stepOp'] or ''} {span['stepID'] or ''}\n"
    return line + "".join(outline(child, indent + "  ") for child in children(span))


def faults_of(span: Span, shape: str, run_id: str, is_root: bool) -> collections.abc.Iterator[str]:
    """What is wrong with one span of a run that has ended."""
    if span["runID"] != run_id:
        yield f"is of run {span['runID']}"
    if span["name"] in ("", "Unknown step"):
        yield "has no name"
    if span["isRoot"] != is_root:
        yield f"isRoot is {span['isRoot']}"
    if span["status"] not in ENDED:
        yield f"is {span['status']}"
    if not span["endedAt"] and span["status"] != "SKIPPED":
        yield "has ended, nobody knows when"
    if span["endedAt"] and instant(span["endedAt"]) < began(span):
        yield f"ended at {span['endedAt']}, before it began"
    if span["stepID"] and not span["stepOp"] and not opless(span, shape):
        yield "has no op"
    if span["stepInfo"] and span["stepInfo"]["__typename"] != INFOS.get(span["stepOp"]):
        yield f"of op {span['stepOp']} has a {span['stepInfo']['__typename']}"
    times = [began(child) for child in children(span)]
    if times != sorted(times):
        yield "has children that are not in the order of time"


def opless(span: Span, shape: str) -> bool:
    """Whether it is a step without an op: the legacy shape does not know that of one that failed."""
    return shape == "legacy" and not span["stepOp"] and span["status"] == "FAILED"


def output_faults(server: Server, span: Span) -> collections.abc.Iterator[str]:
    if not span["outputID"]:
        return
    output = server.query(OUTPUT, {"id": span["outputID"]})["output"]
    if (output["data"] is None) == (output["error"] is None):
        yield "has an output with neither data nor error, or both"
    # A wait that timed out counts as completed, that for a function too.
    if output["error"] and span["status"] == "COMPLETED" and span["stepOp"] != "INVOKE":
        yield f"completed with the error {output['error']}"


def faults(
    server: Server, root: Span, shape: str, run: dict[str, typing.Any], steps: collections.abc.Iterable[str]
) -> list[str]:
    """What is wrong with the trace, in one shape, of a run that has ended."""
    want = run["status"].upper()
    wrong = [] if root["status"] == want else [f"the root is {root['status']}, want {want}"]
    ids = [child["stepID"] for child in children(root) if child["stepID"]]
    if len(set(ids)) != len(ids):
        wrong.append("a step is there again")
    for span in spans(root):
        found = [*faults_of(span, shape, run["run_id"], span is root), *output_faults(server, span)]
        wrong += [f"{span['name']!r} {fault}" for fault in found]
    for name in steps:
        with_name = named(root, name)
        if len(with_name) > 1 or not with_name and want == "COMPLETED":
            wrong.append(f"step {name!r} is there {len(with_name)} times")
        wrong += [
            f"step {name!r} has the op {step['stepOp']}"
            for step in with_name
            if step["stepOp"] != "RUN" and not opless(step, shape)
        ]
    return wrong
