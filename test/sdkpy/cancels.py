"""Functions whose runs are cancelled: by an event, by the API, by their time being up."""

from __future__ import annotations

import datetime
import typing

import inngest

if typing.TYPE_CHECKING:
    from app import App


def add_functions(app: App, add: typing.Callable[..., typing.Any]) -> None:
    mine = "async.data.key == event.data.key"

    def cancellable(ctx: inngest.ContextSync) -> typing.Any:
        ctx.group.parallel(
            (
                lambda: ctx.step.wait_for_event(
                    "wait", event="py/cancel.go", if_exp=mine, timeout=datetime.timedelta(minutes=2)
                ),
                lambda: app.step(ctx, "armed", True),
            )
        )
        return app.step(ctx, "after", "went on")

    def in_flight(ctx: inngest.ContextSync) -> typing.Any:
        def held() -> str:
            app.note_step(ctx, "held")
            app.gates["in-flight"].wait()
            return "late"

        ctx.step.run("held", held)
        return app.step(ctx, "after", 1)

    def long(ctx: inngest.ContextSync) -> typing.Any:
        app.step(ctx, "before", 1)
        ctx.step.sleep("nap", datetime.timedelta(minutes=1))
        return app.step(ctx, "after", 1)

    def late(ctx: inngest.ContextSync) -> typing.Any:
        return app.step(ctx, "one", 1)

    add("start-timeout", late, timeouts=inngest.Timeouts(start=datetime.timedelta(seconds=1)))
    add("cancellable", cancellable, cancel=[inngest.Cancel(event="py/cancel.now", if_exp=mine)])
    add("in-flight", in_flight)
    add("finish-timeout", long, timeouts=inngest.Timeouts(finish=datetime.timedelta(seconds=5)))
