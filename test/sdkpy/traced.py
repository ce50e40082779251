"""A function whose trace is looked at while it goes on."""

from __future__ import annotations

import datetime
import typing

import inngest

if typing.TYPE_CHECKING:
    from app import App


def add_functions(app: App, add: typing.Callable[..., typing.Any]) -> None:
    def traced(ctx: inngest.ContextSync) -> typing.Any:
        app.step(ctx, "before", 1)
        mine = "async.data.key == event.data.key"
        ctx.step.wait_for_event("wait", event="py/traced.go", if_exp=mine, timeout=datetime.timedelta(minutes=2))

        def held() -> str:
            app.note_step(ctx, "held")
            app.gates["traced"].wait()
            return "went on"

        return ctx.step.run("held", held)

    add("traced", traced)
