"""Functions that invoke functions. The child's key is the parent's with "/child"."""

from __future__ import annotations

import datetime
import typing

import inngest

if typing.TYPE_CHECKING:
    from app import App


def add_functions(app: App, add: typing.Callable[..., typing.Any]) -> None:
    def child(ctx: inngest.ContextSync) -> typing.Any:
        n: typing.Any = ctx.event.data["n"]
        return {"doubled": app.step(ctx, "double", 2 * n)}

    def nothing(ctx: inngest.ContextSync) -> None:
        app.note(ctx, "call")

    def fails(ctx: inngest.ContextSync) -> None:
        app.note(ctx, "call")
        raise inngest.NonRetriableError("the child says no")

    def slow(ctx: inngest.ContextSync) -> typing.Any:
        ctx.step.sleep("nap", datetime.timedelta(seconds=4))
        return app.step(ctx, "after", "too late")

    def waits(ctx: inngest.ContextSync) -> None:
        app.step(ctx, "up", 1)
        ctx.step.sleep("nap", datetime.timedelta(minutes=2))

    def parent(fn_id: str, call: typing.Callable[[inngest.ContextSync, dict[str, typing.Any]], typing.Any]) -> None:
        def handler(ctx: inngest.ContextSync) -> typing.Any:
            app.note(ctx, "call")
            try:
                return {"result": call(ctx, {"key": f"{ctx.event.data['key']}/child", "n": 42})}
            except inngest.StepError as error:
                return {"caught": error.message}

        add(fn_id, handler)

    def by_object(function: inngest.Function[typing.Any], **options: typing.Any) -> typing.Any:
        return lambda ctx, data: ctx.step.invoke("call", function=function, data=data, **options)

    def by_id(function_id: str, **options: typing.Any) -> typing.Any:
        return lambda ctx, data: ctx.step.invoke_by_id("call", function_id=function_id, data=data, **options)

    parent("invoke-object", by_object(add("child", child)))
    parent("invoke-id", by_id("child", app_id=app.client.app_id))
    parent("invoke-nothing", by_object(add("child-nothing", nothing)))
    parent("invoke-fails", by_object(add("child-fails", fails, retries=3)))
    parent("invoke-unknown", by_id("no-such-function"))
    parent("invoke-slow", by_object(add("child-slow", slow), timeout=datetime.timedelta(seconds=1)))
    parent("invoke-cancelled", by_object(add("child-waits", waits)))
