"""Concurrency, priority, throttle."""

import collections.abc
import contextlib
import time
import typing

from app import App
from checks import WAIT, seen, send, settle
from harness import Server, eventually

Data = dict[str, typing.Any]
CLOCKS = 0.005  # seconds that the clocks of the server and of the test may differ by


def one(name: str, group: str, n: int, **more: typing.Any) -> Data:
    """The data of an event of the group, whose key is the function's name and the number."""
    return {"key": f"{name} {n}", "group": group, "n": n, **more}


def start(server: Server, app: App, name: str, *all_data: Data) -> list[str]:
    """Send the events one by one; return their ids when each of them has its run."""

    def has_run(event_id: str) -> tuple[bool, str]:
        runs = server.read(f"/v1/events/{event_id}/runs")
        return len(runs) == 1, str(runs)

    ids = []
    for data in all_data:
        event_id = send(app, name, data)
        eventually(f"run of {data}", WAIT, lambda event_id=event_id: has_run(event_id))
        ids.append(event_id)
    return ids


def end(server: Server, app: App, name: str, ids: list[str]) -> None:
    """Wait until the events' runs, which are numbered from 1 on, have come to their ends."""
    for n, event_id in enumerate(ids, 1):
        assert settle(server, app, event_id, f"{name} {n}") == n


@contextlib.contextmanager
def gate(app: App, name: str) -> collections.abc.Iterator[None]:
    """Runs of the gate wait while the block is entered, however it ends."""
    try:
        yield
    finally:
        app.gates[name].set()


def test_there_are_never_more_at_once_than_the_limit(server: Server, app: App) -> None:
    name = "concurrency"
    end(server, app, name, start(server, app, name, *(one(name, "g", n) for n in (1, 2, 3, 4))))
    assert app.most[name] == 1


def test_a_key_at_its_limit_holds_up_no_other(server: Server, app: App) -> None:
    name = "concurrency-key"
    with gate(app, name):
        ids = start(server, app, name, *(one(name, "a", n, gate=name) for n in (1, 2)))
        seen(app, f"{name} 1", "call")
        # While the first of the other key is in the app:
        assert settle(server, app, send(app, name, one(name, "b", 3)), f"{name} 3") == 3
        assert app.runs(f"{name} 2") == []
    end(server, app, name, ids)
    assert app.most[f"{name} a"] == 1


def test_of_two_limits_both_hold(server: Server, app: App) -> None:
    name = "concurrency-two"
    with gate(app, name):
        ids = start(server, app, name, *(one(name, group, n, gate=name) for n, group in enumerate("aabc", 1)))
        seen(app, f"{name} 1", "call")
        seen(app, f"{name} 3", "call")
    end(server, app, name, ids)
    assert (app.most[name], app.most[f"{name} a"]) == (2, 1)


def test_the_number_of_an_event_orders_the_runs(server: Server, app: App) -> None:
    name = "priority"
    with gate(app, name):
        ids = start(server, app, name, one(name, "g", 1, gate=name))
        seen(app, f"{name} 1", "call")
        ids += start(server, app, name, *(one(name, "g", n, priority=p) for n, p in {2: 0, 3: 50.5, 4: 100, 5: 0}.items()))
    end(server, app, name, ids)
    order = sorted(range(1, 6), key=lambda n: app.times(name, str(n)))
    assert order == [1, 4, 3, 2, 5]


def test_throttled_starts_are_a_period_apart(server: Server, app: App) -> None:
    name = "throttle"
    sent = time.monotonic()
    end(server, app, name, start(server, app, name, *(one(name, "g", n) for n in (1, 2, 3))))
    starts = sorted(app.times(f"{name} {n}", "first")[0] for n in (1, 2, 3))
    # A start may come to the app late, never early: each is measured from when the first could have been.
    for n, at in enumerate(starts):
        assert at - sent >= n - CLOCKS, starts


def test_a_burst_goes_at_once_and_so_do_steps(server: Server, app: App) -> None:
    name = "throttle-burst"
    end(server, app, name, start(server, app, name, *(one(name, "a", n) for n in (1, 2))))
    start(server, app, name, one(name, "a", 3))  # for tomorrow
    assert settle(server, app, send(app, name, one(name, "b", 4)), f"{name} 4") == 4
    assert app.runs(f"{name} 3") == []
