"""Functions with flow control: batches, debounces, rate limits, idempotency, singletons."""

from __future__ import annotations

import datetime
import typing

import inngest

if typing.TYPE_CHECKING:
    from app import App

NEVER = datetime.timedelta(minutes=10)  # longer than a test lasts
SECOND = datetime.timedelta(seconds=1)
GROUP = "event.data.group"


def add_functions(app: App, add: typing.Callable[..., typing.Any]) -> None:
    def batch(ctx: inngest.ContextSync) -> typing.Any:
        """Is noted under the key of the first event, and returns what is in the batch."""
        app.note(ctx, "call")
        assert ctx.event.id == ctx.events[0].id, "event is the first of events"
        numbers: list[typing.Any] = [event.data["n"] for event in ctx.events]
        return sorted(numbers)

    def add_batch(fn_id: str, max_size: int, timeout: datetime.timedelta = NEVER, **more: str) -> typing.Any:
        return add(fn_id, batch, batch_events=inngest.Batch(max_size=max_size, timeout=timeout, **more))

    add_batch("batch-full", 3)
    add_batch("batch-slow", 3)
    add_batch("batch-timeout", 10, SECOND)
    add_batch("batch-key", 2, key=GROUP)
    add_batch("batch-if", 2, if_exp="event.data.batch == true")

    def add_single(fn_id: str, **options: typing.Any) -> typing.Any:
        def single(ctx: inngest.ContextSync) -> typing.Any:
            """Is noted by its number under the function's id and its group, too."""
            app.note(ctx, "call")
            app.note(ctx, f"call {ctx.event.data['n']}", f"{fn_id} {ctx.event.data['group']}")
            return ctx.event.data["n"]

        return add(fn_id, single, **options)

    add_single("debounce", debounce=inngest.Debounce(period=SECOND))
    add_single("debounce-key", debounce=inngest.Debounce(period=SECOND, key=GROUP))
    add_single("debounce-timeout", debounce=inngest.Debounce(period=60 * SECOND, timeout=2 * SECOND))
    limit = inngest.RateLimit(limit=1, period=datetime.timedelta(hours=24), key=GROUP)
    add_single("rate-limit", rate_limit=limit)
    add_single("idempotency", idempotency="event.data.id")

    def singleton(ctx: inngest.ContextSync) -> typing.Any:
        ctx.group.parallel(
            (
                lambda: ctx.step.wait_for_event(
                    "wait",
                    event="py/singleton.go",
                    if_exp="async.data.key == event.data.key",
                    timeout=datetime.timedelta(minutes=2),
                ),
                lambda: app.step(ctx, "armed", True),
            )
        )
        return app.step(ctx, "after", ctx.event.data["n"])

    skips = add("singleton-skip", singleton, singleton=inngest.Singleton(key=GROUP, mode="skip"))
    add("singleton-cancel", singleton, singleton=inngest.Singleton(key=GROUP, mode="cancel"))

    def add_invoker(fn_id: str, child: inngest.Function[typing.Any]) -> None:
        def invoke(ctx: inngest.ContextSync) -> typing.Any:
            app.note(ctx, "call")
            data = {"key": f"{fn_id}/child", "group": ctx.event.data["group"], "n": ctx.event.data["n"]}
            try:
                return {"result": ctx.step.invoke("call", function=child, data=data)}
            except inngest.StepError as error:
                return {"caught": error.message}

        add(fn_id, invoke)

    add_invoker("invoke-singleton", skips)
    add_invoker("invoke-batch", add_batch("invoked-batch", 2))
    add_invoker("invoke-limited", add_single("invoked-limited", rate_limit=limit))
