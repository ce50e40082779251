"""A function that the clock starts. It returns its event, and is known by its id."""

from __future__ import annotations

import typing

import inngest

if typing.TYPE_CHECKING:
    from app import App

CRON = "* * * * *"


def function(app: App) -> inngest.Function[typing.Any]:
    def timed(ctx: inngest.ContextSync) -> typing.Any:
        app.note(ctx, "call", "timed")
        event = ctx.event
        return {"id": event.id, "name": event.name, "data": dict(event.data), "ts": event.ts}

    return app.client.create_function(fn_id="timed", retries=0, trigger=inngest.TriggerCron(cron=CRON))(timed)
