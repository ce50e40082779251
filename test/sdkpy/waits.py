"""Functions that wait for events. The Python SDK knows no signals."""

from __future__ import annotations

import datetime
import typing

import inngest

if typing.TYPE_CHECKING:
    from app import App

LONG = datetime.timedelta(minutes=2)  # longer than a test lasts


def add_functions(app: App, add: typing.Callable[..., typing.Any]) -> None:
    def alone(ctx: inngest.ContextSync) -> typing.Any:
        app.note(ctx, "call")
        got = ctx.step.wait_for_event(
            "wait", event="py/wait.go", if_exp="async.data.key == event.data.key", timeout=LONG
        )
        assert got is not None
        return app.step(ctx, "after", {"name": got.name, "key": got.data["key"]})

    # The step beside the wait runs only once the server keeps the wait (Spec 02 §8.1): from then on events count.
    def beside(ctx: inngest.ContextSync) -> typing.Any:
        condition = "async.data.key == event.data.key && async.data.n > event.data.least"
        got, armed = ctx.group.parallel(
            (
                lambda: ctx.step.wait_for_event("wait", event="py/wait.go", if_exp=condition, timeout=LONG),
                lambda: app.step(ctx, "armed", "beside"),
            )
        )
        return {"n": got.data["n"], "beside": armed}

    def in_vain(ctx: inngest.ContextSync) -> typing.Any:
        app.step(ctx, "before", 1)
        got = ctx.step.wait_for_event("wait", event="py/wait.never", timeout=datetime.timedelta(seconds=1))
        return app.step(ctx, "after", {"got": got})

    add("wait", alone)
    add("wait-if", beside)
    add("wait-timeout", in_vain)
