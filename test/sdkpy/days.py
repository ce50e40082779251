"""What the scenarios over days share: an app whose server's time is moved by hand."""

import collections.abc
import datetime
import typing

import inngest

from app import APP_ID, App
from checks import WAIT, seen
from harness import Server

Handler = collections.abc.Callable[[App, inngest.ContextSync], typing.Any]

MINUTE = datetime.timedelta(minutes=1)
HOUR = datetime.timedelta(hours=1)
DAY = datetime.timedelta(days=1)

# How far before and after a time things are looked at. All that a scenario does in between takes less of real time.
MARGIN = MINUTE


class Days:
    """An app and its server.

    The SDK and the app stay behind, in the machine's time: what they tell of their own time, such as the time of an event, is as
    it should be only until the first move.
    """

    app: App

    def __init__(self) -> None:
        self.server = Server(clock=True)
        self.ahead = datetime.timedelta()  # of the machine's time
        self._declared: list[tuple[dict[str, typing.Any], Handler]] = []
        self._begin = self.server.now()
        self.add("probe", lambda app, ctx: app.note(ctx, "call"))

    def close(self) -> None:
        if hasattr(self, "app"):
            self.app.close()
        self.server.stop()

    def add(self, fn_id: str, handler: Handler, **options: typing.Any) -> None:
        """Declare a function, before register; it listens to the event py/<id>, or to the trigger among the options."""
        trigger = inngest.TriggerEvent(event=f"{APP_ID}/{fn_id}")
        self._declared.append(({"fn_id": fn_id, "retries": 0, "trigger": trigger, **options}, handler))

    def add_single(self, fn_id: str, **options: typing.Any) -> None:
        """Declare a function that notes its event's number under its id and its event's group, too."""

        def single(app: App, ctx: inngest.ContextSync) -> None:
            app.note(ctx, "call")
            app.note(ctx, str(ctx.event.data["n"]), f"{fn_id} {ctx.event.data['group']}")

        self.add(fn_id, single, **options)

    def add_nap(self, fn_id: str, nap: datetime.timedelta, **options: typing.Any) -> None:
        """Declare a function that sleeps between two steps. The SDK says until when, by its own time, which is behind."""

        def naps(app: App, ctx: inngest.ContextSync) -> None:
            app.step(ctx, "before", 1)
            ctx.step.sleep("nap", nap + self.ahead)
            app.step(ctx, "after", 1)

        self.add(fn_id, naps, **options)

    def register(self) -> None:
        self.app = App(self.server.url, None, self._make)

    def _make(self, app: App) -> list[inngest.Function[typing.Any]]:
        def make(options: dict[str, typing.Any], handler: Handler) -> inngest.Function[typing.Any]:
            def handle(ctx: inngest.ContextSync) -> typing.Any:
                return handler(app, ctx)

            return app.client.create_function(**options)(handle)

        return [make(options, handler) for options, handler in self._declared]

    def mark(self) -> datetime.datetime:
        """Begin to count time. What is done next counts from here."""
        self._begin = self.server.now()
        return self._begin

    def before(self, passed: datetime.timedelta) -> None:
        """Move the time to just before so much has passed since the mark."""
        self.to(self._begin + passed - MARGIN)

    def past(self, passed: datetime.timedelta) -> None:
        """Move the time to just after so much has passed since the mark."""
        self.to(self._begin + passed + MARGIN)

    def to(self, at: datetime.datetime) -> None:
        """Move the time once what was done before it has had its effect, and let happen what is due."""
        self.quiet()
        by = at - self.server.now()
        assert by >= datetime.timedelta(), f"{at} is past: the scenario has taken longer than its margin"
        self.ahead += by
        self.server.advance(by)
        self.quiet()

    def quiet(self) -> None:
        """Return when two runs, one after the other, have come from an event to their ends.

        What was due before is then in the app, or ended.
        """
        for _ in range(2):
            self.ends(self.send("probe", {"key": "probe"}))

    def send(self, name: str, data: dict[str, typing.Any], **more: typing.Any) -> str:
        """Send the event py/<name> through the SDK; return the id that the server gave it."""
        (event_id,) = self.app.client.send_sync(inngest.Event(name=f"{APP_ID}/{name}", data=data, **more))
        return event_id

    def one(self, name: str, group: str, n: int, **more: typing.Any) -> str:
        """Send the n-th event of a group to a function. Its key is "<name> <n>"."""
        return self.send(name, {"key": f"{name} {n}", "group": group, "n": n, **more})

    def nap(self, name: str, n: int) -> str:
        """The same for a function that naps; return when its run has begun."""
        event_id = self.one(name, "g", n)
        seen(self.app, f"{name} {n}", "before")
        return event_id

    def count(self, key: str, what: str) -> int:
        return len(self.app.times(key, what))

    def ran(self, name: str, group: str, *numbers: int) -> list[int]:
        """The numbers of the events of a group that a function ran for, of those asked about."""
        counts = {n: self.count(f"{name} {group}", str(n)) for n in numbers}
        assert max(counts.values()) <= 1, counts
        return [n for n, count in counts.items() if count]

    def ends(self, event_id: str, status: str = "Completed") -> typing.Any:
        """Wait for the end of the one run of an event; return its output."""
        run = self.server.await_run(event_id, WAIT)
        assert run["status"] == status, run
        return run["output"]

    def goes_on(self, event_id: str) -> None:
        """Check that the one run of an event is in progress."""
        runs = self.server.read(f"/v1/events/{event_id}/runs")
        assert len(runs) == 1 and not runs[0]["ended_at"], runs

    def started_nothing(self, event_id: str) -> None:
        assert self.server.read(f"/v1/events/{event_id}/runs") == []
