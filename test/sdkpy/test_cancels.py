"""Runs that are cancelled."""

import time

from app import App
from checks import WAIT, finish, saw_once, seen, send, settle
from harness import Server, eventually


def test_an_event_cancels_the_run_that_it_is_meant_for(server: Server, app: App) -> None:
    this, other = "cancel this", "not this"
    ids = {key: send(app, "cancellable", {"key": key}) for key in (this, other)}
    for key in ids:
        seen(app, key, "armed")
    send(app, "cancel.now", {"key": this})
    settle(server, app, ids[this], this, "Cancelled")
    # The other one is alive, and for the cancelled one the event comes too late.
    for key in ids:
        send(app, "cancel.go", {"key": key})
    assert settle(server, app, ids[other], other) == "went on"
    assert app.times(this, "after") == []


def test_late_answer_of_a_cancelled_run_is_ignored(server: Server, app: App) -> None:
    key = "in-flight"
    event_id = send(app, key, {"key": key})
    run_id = seen(app, key, "held")
    server.cancel(run_id)
    settle(server, app, event_id, key, "Cancelled")
    app.gates[key].set()
    eventually("the late answer", WAIT, lambda: (app.answered[run_id] > 0, "not sent"))
    # A whole other run goes through meanwhile: time enough for a server that would take the answer.
    settle(server, app, send(app, "sleep", {"key": "in-flight other"}), "in-flight other")
    assert server.read(f"/v1/runs/{run_id}")["status"] == "Cancelled"
    saw_once(app, key, "held")
    assert app.times(key, "after") == []
    server.cancel(run_id)  # an ended run: nothing to do (Spec 04 §7.2)


def test_cancelled_when_the_time_to_start_is_up(server: Server, app: App) -> None:
    key = "start-timeout"
    # It is to start when its event says, which is too late.
    run = server.await_run(send(app, key, {"key": key}, wait=30), WAIT)
    assert run["status"] == "Cancelled"
    assert app.runs(key) == []
    assert settle(server, app, send(app, key, {"key": "in time"}), "in time") == 1


def test_cancelled_when_the_time_to_finish_is_up(server: Server, app: App) -> None:
    started = time.monotonic()
    finish(server, app, "finish-timeout", "Cancelled")
    assert 5 <= time.monotonic() - started < 55
    saw_once(app, "finish-timeout", "before")
    assert app.times("finish-timeout", "after") == []
