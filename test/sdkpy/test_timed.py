"""A function on a schedule. The other scenarios take most of the minute that its first tick is waited for."""

import datetime

from app import App
from checks import WAIT
from harness import Server, eventually
from timed import CRON

MINUTE = 60.0  # seconds


def test_a_function_on_a_schedule(server: Server, app: App) -> None:
    run_id = eventually("tick", MINUTE + WAIT, lambda: (app.runs("timed"), "no call yet"))[0]
    run = server.await_run_id(run_id, WAIT)
    assert (run["status"], run["cron"]) == ("Completed", CRON)
    at = run["output"]["id"]
    tick = datetime.datetime.fromisoformat(at)
    assert (tick.second, tick.utcoffset()) == (0, datetime.timedelta()) and at.endswith("Z")
    data = {"cron": CRON, "fireAt": at, "scheduledAt": at}
    ts = int(tick.timestamp() * 1000)
    assert run["output"] == {"id": at, "name": "inngest/scheduled.timer", "data": data, "ts": ts}
    finished = eventually("finished event", WAIT, lambda: (app.finished.get(run_id), "none"))
    assert finished["result"] == run["output"]
    kept = server.read(f"/v1/events/{run['event_id']}")
    assert (kept["id"], kept["name"], kept["data"]) == (at, "inngest/scheduled.timer", data)
