"""Runs that are started again."""

import typing

from app import App
from checks import WAIT, send, settle
from harness import Server


def again(server: Server, run_id: str, body: dict[str, typing.Any]) -> dict[str, typing.Any]:
    """Start a run again and return its end."""
    answer = server.call("POST", f"/api/v2/runs/{run_id}/rerun", json=body)
    assert answer.status_code == 200, answer.text
    return server.await_run_id(answer.json()["data"]["runId"], WAIT)


def test_rerun_and_rerun_from_a_step(server: Server, app: App) -> None:
    assert settle(server, app, send(app, "rerun", {"key": "rerun"}), "rerun") == 2
    (run_id,) = app.runs("rerun")
    whole = again(server, run_id, {})
    assert (whole["status"], whole["output"], whole["original_run_id"]) == ("Completed", 2, run_id)
    assert len(app.times("rerun", "first")) == 2
    last = again(server, run_id, {"fromStep": {"stepId": "last"}})
    assert (last["status"], last["output"]) == ("Completed", 2)
    assert len(app.times("rerun", "first")) == 2
    assert len(app.times("rerun", "last")) == 3
