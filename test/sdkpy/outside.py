"""Functions that reach outside of themselves: a model, other functions, subscribers. The Python SDK has no step.fetch."""

from __future__ import annotations

import datetime
import typing

import inngest
from inngest.experimental import realtime
from inngest.experimental.ai import openai

if typing.TYPE_CHECKING:
    from app import App

SECRET = "the provider's key"


def add_functions(app: App, add: typing.Callable[..., typing.Any]) -> None:
    def asking(fn_id: str, model: str, retries: int) -> None:
        adapter = openai.Adapter(auth_key=SECRET, base_url=f"{app.provider.url}/v1", model=model)

        def handler(ctx: inngest.ContextSync) -> typing.Any:
            app.note(ctx, "call")
            body = {"messages": [{"role": "user", "content": f"a question of {fn_id}"}]}
            try:
                answer: typing.Any = ctx.step.ai.infer("ask", adapter=adapter, body=body)
            except inngest.StepError as error:
                return {"caught": error.message}
            return {"said": answer["choices"][0]["message"]["content"]}

        add(fn_id, handler, retries=retries)

    def emit(ctx: inngest.ContextSync) -> typing.Any:
        events = [inngest.Event(name="py/emitted", data={"key": "emit/emitted", "n": n}) for n in (1, 2)]
        ids = ctx.step.send_event("emit", events)
        return app.step(ctx, "after", ids)

    def emitted(ctx: inngest.ContextSync) -> typing.Any:
        app.note(ctx, f"got {ctx.event.data['n']}")
        return ctx.event.data["n"]

    def publish(ctx: inngest.ContextSync) -> typing.Any:
        targets = [("user:py", "status"), ("user:other", "status"), ("user:py", "unasked"), ("user:py", "status")]
        for n, (channel, topic) in enumerate(targets):

            def body(channel: str = channel, topic: str = topic, n: int = n) -> None:
                app.note(ctx, f"publish {n}")
                realtime.publish_sync(app.client, channel, topic, {"n": n, "text": "héllo"})

            ctx.step.run(f"publish {n}", body)
        return "published"

    def followed(ctx: inngest.ContextSync) -> typing.Any:
        app.step(ctx, "one", {"n": 1})
        ctx.step.sleep("nap", datetime.timedelta(seconds=1))

        def fails() -> None:
            raise ValueError("not this one")

        try:
            ctx.step.run("fails", fails)
        except inngest.StepError:
            return {"went": "on"}
        return None

    asking("infer", "small", 0)
    asking("infer-flaky", "flaky", 2)
    asking("infer-broken", "broken", 1)
    add("emit", emit)
    add("emitted", emitted)
    add("publish", publish)
    add("followed", followed)
