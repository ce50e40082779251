"""What the scenarios share: how a run is started, awaited and checked."""

import time
import typing

import inngest

from app import APP_ID, App
from harness import Server, eventually

WAIT = 60.0  # seconds for one run, on a machine that does many other things


def send(app: App, name: str, data: dict[str, typing.Any], wait: float = 0) -> str:
    """Send the event py/<name> through the SDK; return the id that the server gave it. Its runs start after wait seconds."""
    ts = int((time.time() + wait) * 1000) if wait else 0
    (event_id,) = app.client.send_sync(inngest.Event(name=f"{APP_ID}/{name}", data=data, ts=ts))
    return event_id


def saw_once(app: App, key: str, *whats: str) -> None:
    for what in whats:
        assert len(app.times(key, what)) == 1, f"app saw {what!r} of {key}"


def seen(app: App, key: str, what: str) -> str:
    """Wait until the app saw it; return the first run that it saw for the key."""
    eventually(f"{what} of {key}", WAIT, lambda: (app.times(key, what), "not seen"))
    return app.runs(key)[0]


def check_end(server: Server, app: App, run: dict[str, typing.Any], key: str, status: str) -> typing.Any:
    """Check how a run ended in the server's eyes: its record, its trace with the steps that the app saw, its event."""
    assert run["status"] == status, run
    assert app.runs(key) == [run["run_id"]]
    server.check_trace(run, app.steps_of(run["run_id"]))
    finished = eventually(f"finished event of {run['run_id']}", WAIT, lambda: (app.finished.get(run["run_id"]), "none"))
    assert finished["_inngest"]["status"] == status
    if status != "Cancelled":  # which has no result
        assert finished["result"] == run["output"]
    return run["output"]


def settle(server: Server, app: App, event_id: str, key: str, status: str = "Completed") -> typing.Any:
    """Wait for the one run of the event, check it and return its output."""
    return check_end(server, app, server.await_run(event_id, WAIT), key, status)


def finish(
    server: Server, app: App, name: str, status: str = "Completed", data: dict[str, typing.Any] | None = None
) -> typing.Any:
    """Send an event, wait for its run, check it and return its output."""
    return settle(server, app, send(app, name, data or {"key": name}), name, status)
