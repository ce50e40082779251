"""Functions that invoke functions."""

import pytest

from app import App
from checks import WAIT, finish, saw_once, seen, send, settle
from harness import Server


def child_ended(server: Server, app: App, key: str, status: str) -> None:
    (run_id,) = app.runs(f"{key}/child")
    assert server.await_run_id(run_id, WAIT)["status"] == status


@pytest.mark.parametrize("key", ["invoke-object", "invoke-id"])
def test_invoke(server: Server, app: App, key: str) -> None:
    assert finish(server, app, key) == {"result": {"doubled": 84}}
    child_ended(server, app, key, "Completed")
    saw_once(app, f"{key}/child", "double")


def test_invoke_a_function_that_returns_nothing(server: Server, app: App) -> None:
    assert finish(server, app, "invoke-nothing") == {"result": None}
    saw_once(app, "invoke-nothing/child", "call")


def test_invoke_a_function_that_fails(server: Server, app: App) -> None:
    assert finish(server, app, "invoke-fails") == {"caught": "the child says no"}
    child_ended(server, app, "invoke-fails", "Failed")
    saw_once(app, "invoke-fails/child", "call")


def test_invoke_an_unknown_function(server: Server, app: App) -> None:
    assert finish(server, app, "invoke-unknown") == {
        "caught": "could not find function with ID: py-no-such-function"
    }


def test_invoke_a_function_that_takes_too_long(server: Server, app: App) -> None:
    assert finish(server, app, "invoke-slow") == {
        "caught": "Timed out waiting for invoked function to complete"
    }
    seen(app, "invoke-slow/child", "after")  # the child goes on for itself
    child_ended(server, app, "invoke-slow", "Completed")


def test_invoke_a_function_that_is_cancelled(server: Server, app: App) -> None:
    event_id = send(app, "invoke-cancelled", {"key": "invoke-cancelled"})
    server.cancel(seen(app, "invoke-cancelled/child", "up"))
    assert "cancelled" in settle(server, app, event_id, "invoke-cancelled")["caught"]
    child_ended(server, app, "invoke-cancelled", "Cancelled")
