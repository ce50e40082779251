"""Functions whose runs are started again."""

from __future__ import annotations

import datetime
import typing

import inngest

if typing.TYPE_CHECKING:
    from app import App


def add_functions(app: App, add: typing.Callable[..., typing.Any]) -> None:
    def rerun(ctx: inngest.ContextSync) -> typing.Any:
        first = app.step(ctx, "first", 1)
        ctx.step.sleep("nap", datetime.timedelta(milliseconds=100))
        return app.step(ctx, "last", first + 1)

    add("rerun", rerun)
