"""The basic scenarios."""

import typing

import httpx
import inngest

from app import APP_ID, AWKWARD, BIG_SIZE, BIG_STEPS, App
from checks import WAIT, check_end, finish, saw_once
from harness import Server, eventually


def test_simple_run(server: Server, app: App) -> None:
    assert finish(server, app, "simple") == {"echo": {"key": "simple"}, "attempt": 0}
    saw_once(app, "simple", "call")


def test_three_steps_with_data(server: Server, app: App) -> None:
    assert finish(server, app, "steps") == {
        "first": {"n": 1, "text": AWKWARD},
        "second": [1, 2, {"deep": {"x": None}}],
        "third": "length 3",
    }
    saw_once(app, "steps", "first", "second", "third")


def test_sleep(server: Server, app: App) -> None:
    assert finish(server, app, "sleep") == "rested"
    saw_once(app, "sleep", "before", "after")
    # The SDK sends the end of the sleep as a date; the step before it may end a little later than it was noted.
    assert app.times("sleep", "after")[0] - app.times("sleep", "before")[0] >= 1


def test_step_fails_twice_then_succeeds(server: Server, app: App) -> None:
    assert finish(server, app, "step-retry") == 2
    saw_once(app, "step-retry", "kept", "flaky 0", "flaky 1", "flaky 2")


def test_step_asks_for_a_retry_after_a_time(server: Server, app: App) -> None:
    assert finish(server, app, "retry-after") == "came"
    first, second = app.times("retry-after", "later")
    assert second - first >= 1.9  # cut to the whole second: 3 s mean 2 to 3 s (Spec 01 §10.3)


def test_function_fails_once_and_keeps_its_steps(server: Server, app: App) -> None:
    assert finish(server, app, "fn-retry") == "kept"
    saw_once(app, "fn-retry", "kept", "past the step 0", "past the step 1")


def test_retries_exhausted_failure_handler_runs(server: Server, app: App) -> None:
    assert finish(server, app, "exhausted", "Failed")["message"] == "hopeless at attempt 1"
    saw_once(app, "exhausted", "hopeless 0", "hopeless 1")
    key = "exhausted/failure"
    (handler,) = eventually("failure handler", WAIT, lambda: (app.runs(key), "not called"))
    # Runs started by a failure publish no event of their own (Spec 02 §17.1).
    run = server.await_run_id(handler, WAIT)
    assert (run["status"], run["output"]) == ("Completed", "handled")
    assert app.runs(key) == [handler]
    saw_once(app, key, "hopeless at attempt 1")


def test_non_retriable_step(server: Server, app: App) -> None:
    assert finish(server, app, "final-step", "Failed")["message"] == "not again in the step"
    saw_once(app, "final-step", "step")


def test_non_retriable_function(server: Server, app: App) -> None:
    assert finish(server, app, "final-fn", "Failed")["message"] == "not again in the function"
    saw_once(app, "final-fn", "call")


def test_parallel_steps(server: Server, app: App) -> None:
    assert finish(server, app, "parallel") == "a!b!c!"
    saw_once(app, "parallel", "a", "b", "c", "join")


def test_loop_over_one_step_id(server: Server, app: App) -> None:
    assert finish(server, app, "loop") == [0, 10, 20, 30, 40]
    saw_once(app, "loop", *(f"round {number}" for number in range(5)))


def test_large_state_is_fetched_over_the_api(server: Server, app: App) -> None:
    assert finish(server, app, "large") == BIG_STEPS * BIG_SIZE
    saw_once(app, "large", "sum", *(f"big {i}" for i in range(BIG_STEPS)))
    assert app.runs("large")[0] in app.trimmed, "no call was trimmed"


def test_100_concurrent_runs(server: Server, app: App) -> None:
    count = 100
    events = [inngest.Event(name=f"{APP_ID}/many", data={"key": f"many {i}", "i": i}) for i in range(count)]
    ids = app.client.send_sync(events)
    assert len(set(ids)) == count
    for i, event_id in enumerate(ids):
        assert check_end(server, app, server.await_run(event_id, WAIT), f"many {i}", "Completed") == i
        saw_once(app, f"many {i}", "one", "two")


def test_unicode_and_big_numbers(server: Server, app: App) -> None:
    data: dict[str, typing.Any] = {
        "key": "numbers",
        "text": AWKWARD,
        "odd": {"": 1, "a.b": 2, "€": 3, "ключ": 4},
        "exact": 9007199254740993,
        "huge": 123456789012345678901234567890,
        "tiny": 1e-7,
        "float": 0.1,
    }
    assert finish(server, app, "numbers", data=data) == data
    (run_id,) = app.runs("numbers")
    event_id = server.read(f"/v1/runs/{run_id}")["event_id"]
    assert server.read(f"/v1/events/{event_id}")["data"] == data


def test_unsigned_call_is_refused_where_there_are_keys(server: Server, app: App) -> None:
    response = httpx.post(app.url, params={"fnId": f"{APP_ID}-simple", "stepId": "step"}, json={})
    # Without keys the SDK gets as far as to find the body wrong, which it calls its own fault.
    assert response.status_code == (401 if server.keys else 500), response.text
