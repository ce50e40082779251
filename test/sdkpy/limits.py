"""Functions with limits: concurrency, priority, throttle."""

from __future__ import annotations

import datetime
import time
import typing

import inngest

if typing.TYPE_CHECKING:
    from app import App

GROUP = "event.data.group"
BETWEEN = 0.1  # seconds that a call stays in the app, so that others would meet it there


def add_functions(app: App, add: typing.Callable[..., typing.Any]) -> None:
    def add_passing(fn_id: str, **options: typing.Any) -> None:
        def passes(ctx: inngest.ContextSync) -> typing.Any:
            """Takes its time in each of two steps."""

            def body(what: str) -> None:
                with app.within(fn_id):
                    time.sleep(BETWEEN)
                app.note_step(ctx, what)

            ctx.step.run("first", body, "first")
            ctx.step.run("second", body, "second")
            return ctx.event.data["n"]

        add(fn_id, passes, **options)

    def add_waiting(fn_id: str, **options: typing.Any) -> None:
        def waits(ctx: inngest.ContextSync) -> typing.Any:
            """Stays in the app until the gate of its event, if it has one, is open."""
            with app.within(fn_id, f"{fn_id} {ctx.event.data['group']}"):
                app.note(ctx, "call")
                app.note(ctx, str(ctx.event.data["n"]), fn_id)
                if "gate" in ctx.event.data:
                    app.gates[str(ctx.event.data["gate"])].wait()
            return ctx.event.data["n"]

        add(fn_id, waits, **options)

    one = inngest.Concurrency(limit=1)
    one_of_group = inngest.Concurrency(limit=1, key=GROUP)
    add_passing("concurrency", concurrency=[one])
    add_waiting("concurrency-key", concurrency=[one_of_group])
    add_waiting("concurrency-two", concurrency=[one_of_group, inngest.Concurrency(limit=2)])
    add_waiting("priority", concurrency=[one], priority=inngest.Priority(run="event.data.priority"))
    second, day = datetime.timedelta(seconds=1), datetime.timedelta(days=1)
    add_passing("throttle", throttle=inngest.Throttle(limit=1, period=second, burst=0))
    add_passing("throttle-burst", throttle=inngest.Throttle(limit=1, period=day, burst=1, key=GROUP))
