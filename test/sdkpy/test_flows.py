"""Flow control."""

import collections.abc
import time
import typing

import inngest

from app import APP_ID, App
from checks import WAIT, saw_once, seen, send, settle
from harness import Server, eventually

Data = dict[str, typing.Any]


def send_all(app: App, name: str, all_data: collections.abc.Iterable[Data]) -> None:
    """Send events in one request, with their own times, a second ago, in the order of their numbers."""
    past = int(time.time() * 1000) - 1000
    events = [inngest.Event(name=f"{APP_ID}/{name}", data=data, ts=past + data["n"]) for data in all_data]
    assert len(app.client.send_sync(events)) == len(events)


def one(name: str, group: str, n: int, **more: str) -> Data:
    """The data of an event of the group, whose key is the function's name and the number."""
    return {"key": f"{name} {n}", "group": group, "n": n, **more}


def through(server: Server, app: App, name: str, data: Data) -> None:
    """Run one event through a function to its end."""
    assert settle(server, app, send(app, name, data), data["key"]) == data["n"]


def batches(server: Server, app: App, key: str, count: int) -> list[list[int]]:
    """Wait for the runs whose first event has the key, no more and no less, and return their contents."""
    eventually(f"{count} batches of {key}", WAIT, lambda: (len(app.runs(key)) >= count, str(app.runs(key))))
    runs = [server.await_run_id(run_id, WAIT) for run_id in app.runs(key)]
    assert [run["status"] for run in runs] == ["Completed"] * count
    assert len(app.times(key, "call")) == count
    return [run["output"] for run in runs]


def calls(app: App, name: str, group: str) -> list[int]:
    """The numbers of the events that the function ran for, in order."""
    seen_at = [(at, n) for n in range(1, 6) for at in app.times(f"{name} {group}", f"call {n}")]
    return [n for _, n in sorted(seen_at)]


def test_a_batch_starts_when_it_is_full_and_the_rest_goes_on(server: Server, app: App) -> None:
    key = "batch-full"
    send_all(app, key, ({"key": key, "n": n} for n in (1, 2, 3, 4)))
    (first,) = batches(server, app, key, 1)
    send_all(app, key, ({"key": key, "n": n} for n in (5, 6)))
    again, second = batches(server, app, key, 2)
    assert again == first
    assert len(first) == len(second) == 3
    assert sorted(first + second) == [1, 2, 3, 4, 5, 6]


def test_a_batch_that_fills_up_slowly_starts_when_it_is_full(server: Server, app: App) -> None:
    key = "batch-slow"
    for n in (1, 2, 3):
        send(app, key, {"key": key, "n": n})
    assert batches(server, app, key, 1) == [[1, 2, 3]]


def test_a_batch_starts_when_its_time_is_up(server: Server, app: App) -> None:
    key = "batch-timeout"
    sent = time.monotonic()
    send_all(app, key, ({"key": key, "n": n} for n in (1, 2)))
    assert batches(server, app, key, 1) == [[1, 2]]
    assert app.times(key, "call")[0] - sent >= 1


def test_each_key_has_its_batch(server: Server, app: App) -> None:
    groups = {1: "a", 2: "b", 3: "a", 4: "b"}
    send_all(app, "batch-key", ({"key": f"batch-key {g}", "group": g, "n": n} for n, g in groups.items()))
    assert batches(server, app, "batch-key a", 1) == [[1, 3]]
    assert batches(server, app, "batch-key b", 1) == [[2, 4]]


def test_what_a_batch_is_not_for_runs_alone_at_once(server: Server, app: App) -> None:
    key, alone = "batch-if", "batch-if alone"
    send(app, key, {"key": key, "batch": True, "n": 1})
    assert settle(server, app, send(app, key, {"key": alone, "n": 2}), alone) == [2]
    assert app.runs(key) == []  # it is not full
    send(app, key, {"key": key, "batch": True, "n": 3})
    assert batches(server, app, key, 1) == [[1, 3]]


def test_a_debounce_runs_once_with_the_last_event(server: Server, app: App) -> None:
    name = "debounce"
    sent = time.monotonic()
    send_all(app, name, (one(name, "g", n) for n in (3, 1, 2)))
    seen(app, "debounce 3", "call")
    assert app.times("debounce 3", "call")[0] - sent >= 1
    through(server, app, name, one(name, "g", 4))  # a debounce later, what should not have run would have
    assert calls(app, name, "g") == [3, 4]


def test_each_key_is_debounced_by_itself(server: Server, app: App) -> None:
    name = "debounce-key"
    send_all(app, name, (one(name, group, n) for n, group in {1: "a", 2: "b", 3: "a", 4: "b"}.items()))
    for n in (3, 4):
        seen(app, f"{name} {n}", "call")
    through(server, app, name, one(name, "a", 5))
    assert calls(app, name, "a") == [3, 5]
    assert calls(app, name, "b") == [4]


def test_a_debounce_waits_for_its_timeout_at_the_longest(server: Server, app: App) -> None:
    name = "debounce-timeout"
    sent = time.monotonic()
    for n in (1, 2):
        send_all(app, name, [one(name, "g", n)])
    seen(app, f"{name} 2", "call")
    assert 2 <= app.times(f"{name} 2", "call")[0] - sent < 60
    assert calls(app, name, "g") == [2]


def test_over_the_rate_limit_events_are_dropped(server: Server, app: App) -> None:
    name = "rate-limit"
    through(server, app, name, one(name, "a", 1))
    dropped = send(app, name, one(name, "a", 2))
    through(server, app, name, one(name, "b", 3))
    assert (calls(app, name, "a"), calls(app, name, "b")) == ([1], [3])
    assert server.read(f"/v1/events/{dropped}/runs") == []


def test_idempotency_runs_once_for_a_value(server: Server, app: App) -> None:
    name = "idempotency"
    through(server, app, name, one(name, "g", 1, id="a"))
    dropped = send(app, name, one(name, "g", 2, id="a"))
    through(server, app, name, one(name, "g", 3, id="b"))
    # Without a value there is nothing to tell them apart by: all run.
    through(server, app, name, one(name, "g", 4))
    through(server, app, name, one(name, "g", 5))
    assert calls(app, name, "g") == [1, 3, 4, 5]
    assert server.read(f"/v1/events/{dropped}/runs") == []


def arm(app: App, name: str, data: Data) -> str:
    """Start a run that waits; return its event."""
    event_id = send(app, name, data)
    seen(app, data["key"], "armed")
    return event_id


def release(server: Server, app: App, event_id: str, key: str) -> None:
    """Let an armed run come to its end."""
    send(app, "singleton.go", {"key": key})
    settle(server, app, event_id, key)
    saw_once(app, key, "armed", "after")


def test_a_singleton_skips_what_comes_while_it_runs(server: Server, app: App) -> None:
    name = "singleton-skip"
    first = arm(app, name, one(name, "a", 1))
    skipped = server.await_run(send(app, name, one(name, "a", 2)), WAIT)
    assert (skipped["status"], skipped["output"]) == ("Skipped", {"skipReason": "Singleton"})
    other = arm(app, name, one(name, "b", 3))
    release(server, app, first, f"{name} 1")
    release(server, app, other, f"{name} 3")
    release(server, app, arm(app, name, one(name, "a", 4)), f"{name} 4")
    assert app.runs(f"{name} 2") == []


def test_a_singleton_cancels_what_runs_when_the_next_comes(server: Server, app: App) -> None:
    name = "singleton-cancel"
    first = arm(app, name, one(name, "a", 1))
    other = arm(app, name, one(name, "b", 2))
    second = arm(app, name, one(name, "a", 3))
    settle(server, app, first, f"{name} 1", "Cancelled")
    send(app, "singleton.go", {"key": f"{name} 1"})  # too late
    release(server, app, second, f"{name} 3")
    release(server, app, other, f"{name} 2")
    assert app.times(f"{name} 1", "after") == []


def test_all_who_invoke_a_batch_get_its_result(server: Server, app: App) -> None:
    name = "invoke-batch"
    ids = {n: send(app, name, one(name, "g", n)) for n in (1, 2)}
    for n, event_id in ids.items():
        assert settle(server, app, event_id, f"{name} {n}") == {"result": [1, 2]}
    assert batches(server, app, f"{name}/child", 1) == [[1, 2]]


def test_who_invokes_a_function_over_its_rate_limit_is_told(server: Server, app: App) -> None:
    name = "invoke-limited"
    ends = [settle(server, app, send(app, name, one(name, "g", n)), f"{name} {n}") for n in (1, 2)]
    assert ends == [{"result": 1}, {"caught": "invoked function is rate limited"}]
    assert calls(app, "invoked-limited", "g") == [1]


def test_who_invokes_a_singleton_that_runs_already_is_told(server: Server, app: App) -> None:
    name = "invoke-singleton"
    first = arm(app, "singleton-skip", one("singleton-skip", name, 5))
    end = settle(server, app, send(app, name, {"key": name, "group": name, "n": 6}), name)
    assert end == {"caught": "invoked function was not started: another run of it is in progress"}
    release(server, app, first, "singleton-skip 5")
    assert app.runs(f"{name}/child") == []
