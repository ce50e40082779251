"""The trace of a run in progress. That of runs that have ended is checked wherever one is awaited."""

from app import App
from checks import WAIT, seen, send, settle
from harness import Server, eventually
from trace_checks import named, outline, trace_of


def shown(server: Server, run_id: str, status: str, *names: str) -> None:
    """Wait until both shapes of the trace of a run in progress show one of the names with the status."""

    def look() -> tuple[bool, str]:
        of_run, shapes = trace_of(server, run_id)
        as_text = "".join(map(outline, shapes.values()))
        if of_run != "RUNNING":
            return False, f"GraphQL says it is {of_run}"  # it is read a moment before the trace
        for root in shapes.values():
            if not named(root, "before"):
                return False, as_text  # history is written a moment later
            assert (root["status"], root["endedAt"]) == ("RUNNING", None), as_text
            assert root["startedAt"], as_text
            found = named(root, *names)
            if [span["status"] for span in found] != [status]:
                return False, as_text
            assert (found[0]["endedAt"] is not None) == (status == "COMPLETED"), found
        return True, as_text

    eventually(f"{names[0]} that is {status}", WAIT, look)


def test_trace_of_a_run_while_it_goes_on(server: Server, app: App) -> None:
    event_id = send(app, "traced", {"key": "traced"})
    run_id = seen(app, "traced", "before")
    shown(server, run_id, "WAITING", "wait")
    send(app, "traced.go", {"key": "traced"})
    shown(server, run_id, "COMPLETED", "wait")
    seen(app, "traced", "held")
    # Nobody has told the server yet which step the call that is in the app works on.
    shown(server, run_id, "RUNNING", "held", "Execution", "execute")
    app.gates["traced"].set()
    assert settle(server, app, event_id, "traced") == "went on"
