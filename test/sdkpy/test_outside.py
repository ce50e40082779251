"""What a run reaches outside of itself."""

import collections.abc
import contextlib
import json
import queue
import threading
import typing

import httpx
from inngest.experimental import realtime

from app import App
from checks import WAIT, finish, saw_once, send, settle
from harness import Server, eventually
from outside import SECRET


def test_the_server_asks_the_model(server: Server, app: App) -> None:
    output = finish(server, app, "infer")
    asked = app.provider.asked('a question of infer"')
    if server.keys:
        # A server that others use keeps the requests of their steps off its own network.
        assert "private IP range" in output["caught"]
        assert asked == []
        return
    assert output == {"said": "an answer"}
    (request,) = asked
    assert (request.method, request.headers["Authorization"]) == ("POST", f"Bearer {SECRET}")
    assert json.loads(request.body)["model"] == "small"


def test_a_model_that_fails_is_asked_again(server: Server, app: App) -> None:
    outputs = [finish(server, app, name) for name in ("infer-flaky", "infer-broken")]
    asked = [len(app.provider.asked(f'a question of {name}"')) for name in ("infer-flaky", "infer-broken")]
    if server.keys:
        assert all("private IP range" in output["caught"] for output in outputs)
        assert asked == [0, 0]
        return
    assert outputs == [
        {"said": "an answer"},
        {"caught": "Error making AI request: unsuccessful status code: 503"},
    ]
    assert asked == [2, 2]


def test_events_sent_by_a_step_start_their_runs_once(server: Server, app: App) -> None:
    ids = finish(server, app, "emit")
    assert len(set(ids)) == 2
    assert [server.await_run(event_id, WAIT)["status"] for event_id in ids] == ["Completed", "Completed"]
    saw_once(app, "emit/emitted", "got 1", "got 2")


def messages(response: httpx.Response) -> collections.abc.Iterator[dict[str, typing.Any]]:
    """The messages of a stream of server-sent events."""
    for line in response.iter_lines():
        if line.startswith("data:"):
            yield json.loads(line.removeprefix("data:"))


@contextlib.contextmanager
def subscription(
    server: Server, app: App, channel: str, topics: list[str]
) -> collections.abc.Iterator[queue.Queue[dict[str, typing.Any]]]:
    """The messages that come on topics of a channel."""
    token = realtime.get_subscription_token_sync(app.client, channel, topics)
    got: queue.Queue[dict[str, typing.Any]] = queue.Queue()
    # The headers come once the subscription stands (Spec 04 §10.3).
    with httpx.stream("GET", f"{server.url}/v1/realtime/sse", params={"token": token["key"]}, timeout=WAIT) as stream:
        assert stream.status_code == 200

        def read() -> None:
            try:
                for message in messages(stream):
                    got.put(message)
            except httpx.HTTPError:
                pass  # the test has closed the stream

        threading.Thread(target=read, daemon=True).start()
        yield got


def test_a_subscriber_gets_what_a_run_publishes(server: Server, app: App) -> None:
    with subscription(server, app, "user:py", ["status"]) as got:
        assert finish(server, app, "publish") == "published"
        for n in (0, 3):
            message = got.get(timeout=WAIT)
            assert message["data"] == {"n": n, "text": "héllo"}
            assert (message["kind"], message["channel"], message["topic"]) == ("data", "user:py", "status")
        assert got.empty()


def test_a_subscriber_follows_a_run_and_its_steps(server: Server, app: App) -> None:
    event_id = send(app, "followed", {"key": "followed"}, wait=4)  # time to subscribe before the run starts
    runs = eventually("the run that will start", WAIT, lambda: (server.read(f"/v1/events/{event_id}/runs"), "none"))
    run_id = runs[0]["run_id"]
    with subscription(server, app, run_id, ["$run", "$step"]) as got:
        assert settle(server, app, event_id, "followed") == {"went": "on"}
        steps = []
        for topic in ("$run", "$step", "$step", "$step", "$run"):
            message = got.get(timeout=WAIT)
            assert (message["channel"], message["topic"], message["run_id"]) == (run_id, topic, run_id)
            assert f"${message['kind']}" == topic
            steps.append(message["data"])
        assert (steps[0], steps[4]) == ({"status": "Running"}, {"status": "Completed", "output": {"went": "on"}})
        assert [(step["name"], step["status"]) for step in steps[1:4]] == [
            ("one", "Completed"),
            ("nap", "Completed"),
            ("fails", "Failed"),
        ]
        assert [step["output"] for step in steps[1:3]] == [{"n": 1}, None]
        assert steps[3]["output"]["message"] == "not this one"
        assert got.empty()
