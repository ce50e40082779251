"""Waits for events."""

from app import App
from checks import WAIT, finish, saw_once, seen, send, settle
from harness import Server, eventually


def test_wait_for_an_event(server: Server, app: App) -> None:
    event_id = send(app, "wait", {"key": "wait"})

    # Nothing tells the app when the wait is kept: until then, events are not for it.
    def push() -> tuple[bool, str]:
        send(app, "wait.go", {"key": "wait"})
        return bool(app.times("wait", "after")), "still waiting"

    eventually("end of the wait", WAIT, push)
    assert settle(server, app, event_id, "wait") == {"name": "py/wait.go", "key": "wait"}
    saw_once(app, "wait", "after")


def test_wait_beside_a_step_ignores_events_that_do_not_match(server: Server, app: App) -> None:
    event_id = send(app, "wait-if", {"key": "wait-if", "least": 5})
    seen(app, "wait-if", "armed")
    send(app, "wait.go", {"key": "of another run", "n": 7})
    send(app, "wait.go", {"key": "wait-if", "n": 5})
    send(app, "wait.other", {"key": "wait-if", "n": 8})
    send(app, "wait.go", {"key": "wait-if", "n": 9})
    assert settle(server, app, event_id, "wait-if") == {"n": 9, "beside": "beside"}
    saw_once(app, "wait-if", "armed")


def test_wait_for_an_event_that_does_not_come(server: Server, app: App) -> None:
    assert finish(server, app, "wait-timeout") == {"got": None}
    saw_once(app, "wait-timeout", "before", "after")
    assert app.times("wait-timeout", "after")[0] - app.times("wait-timeout", "before")[0] >= 1
