"""What takes days. Each scenario has an app and a server of its own, since all that is on a server shares its time."""

import collections.abc
import datetime

import inngest
import pytest

from app import App
from checks import WAIT, seen
from days import DAY, HOUR, MARGIN, Days

GROUP = "event.data.group"


@pytest.fixture
def days() -> collections.abc.Iterator[Days]:
    days = Days()
    yield days
    days.close()


@pytest.fixture(autouse=True)
def server_log(days: Days) -> collections.abc.Iterator[None]:
    """Instead of the one of the servers that all other scenarios share."""
    yield
    print("last output of the server:")
    print(days.server.log())


def test_debounce_of_a_week(days: Days) -> None:
    name = "debounce"
    days.add_single(name, debounce=inngest.Debounce(period=7 * DAY))
    days.register()
    days.mark()
    days.one(name, "g", 1)
    days.before(7 * DAY)
    assert days.ran(name, "g", 1) == []
    days.mark()
    days.one(name, "g", 2)  # begins the week anew
    days.before(7 * DAY)
    assert days.ran(name, "g", 1, 2) == []
    days.past(7 * DAY)
    seen(days.app, f"{name} 2", "call")
    days.past(30 * DAY)
    assert days.ran(name, "g", 1, 2) == [2]


def test_debounce_by_a_key_waits_for_its_timeout_at_most(days: Days) -> None:
    name = "debounce"
    days.add_single(name, debounce=inngest.Debounce(period=2 * DAY, timeout=5 * DAY, key=GROUP))
    days.register()
    days.mark()
    days.one(name, "a", 1)
    days.one(name, "b", 2)
    days.before(2 * DAY)
    assert days.ran(name, "b", 2) == []
    days.one(name, "a", 3)
    days.past(2 * DAY)
    seen(days.app, f"{name} 2", "call")
    days.before(4 * DAY - MARGIN)
    days.one(name, "a", 4)  # by its period it would be due on the sixth day
    days.before(5 * DAY)
    assert days.ran(name, "a", 1, 3, 4) == []
    days.past(5 * DAY)
    seen(days.app, f"{name} 4", "call")
    days.past(30 * DAY)
    assert (days.ran(name, "a", 1, 3, 4), days.ran(name, "b", 2)) == ([4], [2])


def test_batch_by_a_key_and_a_condition_waits_for_hours(days: Days) -> None:
    def batch(app: App, ctx: inngest.ContextSync) -> None:
        numbers: list[int] = [int(str(event.data["n"])) for event in ctx.events]
        app.note(ctx, str(sorted(numbers)))

    options = inngest.Batch(max_size=10, timeout=2 * HOUR, key=GROUP, if_exp="event.data.batch == true")
    days.add("batch", batch, batch_events=options)
    days.register()

    def send(group: str, n: int, batch: bool) -> str:
        return days.send("batch", {"key": f"batch {group}", "group": group, "n": n, "batch": batch})

    days.mark()
    send("a", 1, True)
    send("b", 2, True)
    days.ends(send("alone", 3, False))
    assert days.count("batch alone", "[3]") == 1
    days.before(2 * HOUR)
    assert days.app.runs("batch a") + days.app.runs("batch b") == []
    send("a", 4, True)  # the time is that of the first
    days.past(2 * HOUR)
    seen(days.app, "batch a", "[1, 4]")
    seen(days.app, "batch b", "[2]")
    assert (len(days.app.runs("batch a")), len(days.app.runs("batch b"))) == (1, 1)


def admits_after_a_day(days: Days, name: str, send: collections.abc.Callable[[int], str]) -> None:
    """Of a function's events one of a kind is admitted a day. send sends the n-th one and returns its id."""
    days.register()
    days.mark()
    days.ends(send(1))
    days.before(DAY)
    refused = send(2)
    days.quiet()
    days.started_nothing(refused)
    days.past(DAY)
    days.ends(send(3))
    assert days.ran(name, "g", 1, 2, 3) == [1, 3]


def test_rate_limit_of_a_day(days: Days) -> None:
    name = "rate-limit"
    days.add_single(name, rate_limit=inngest.RateLimit(limit=1, period=DAY, key=GROUP))
    admits_after_a_day(days, name, lambda n: days.one(name, "g", n))


def test_idempotency_ends_after_a_day(days: Days) -> None:
    name = "idempotency"
    days.add_single(name, idempotency=GROUP)
    admits_after_a_day(days, name, lambda n: days.one(name, "g", n))


def test_the_id_of_an_event_counts_for_a_day(days: Days) -> None:
    name = "event-id"
    days.add_single(name)
    admits_after_a_day(days, name, lambda n: days.send(name, {"key": f"{name} {n}", "group": "g", "n": n}, id="the same"))


def test_throttle_of_a_day_with_a_burst(days: Days) -> None:
    name = "throttle"
    days.add_single(name, throttle=inngest.Throttle(limit=1, burst=1, period=DAY, key=GROUP))
    days.register()
    days.mark()
    days.ends(days.one(name, "a", 1))
    days.ends(days.one(name, "a", 2))  # the burst
    third = days.one(name, "a", 3)
    days.ends(days.one(name, "b", 4))
    days.before(DAY)
    assert days.ran(name, "a", 1, 2, 3) == [1, 2]
    days.past(DAY)
    days.ends(third)
    fourth = days.one(name, "a", 5)
    days.before(2 * DAY)
    assert days.ran(name, "a", 1, 2, 3, 5) == [1, 2, 3]
    days.past(2 * DAY)
    days.ends(fourth)


def test_a_run_that_sleeps_for_days_takes_no_capacity(days: Days) -> None:
    name = "concurrency"
    days.add_nap(name, 3 * DAY, concurrency=[inngest.Concurrency(limit=1)])
    days.register()
    days.mark()
    ids = [days.nap(name, n) for n in (1, 2)]
    days.before(3 * DAY)
    assert [days.count(f"{name} {n}", "after") for n in (1, 2)] == [0, 0]
    days.past(3 * DAY)
    for event_id in ids:
        days.ends(event_id)


def test_singleton_skips_while_a_run_sleeps_for_days(days: Days) -> None:
    name = "singleton"
    days.add_nap(name, 3 * DAY, singleton=inngest.Singleton(key=GROUP, mode="skip"))
    days.register()
    days.mark()
    first = days.nap(name, 1)
    days.before(3 * DAY)
    days.ends(days.one(name, "g", 2), "Skipped")
    days.goes_on(first)
    days.past(3 * DAY)
    days.ends(first)
    days.mark()
    third = days.nap(name, 3)
    days.before(3 * DAY)
    days.goes_on(third)
    days.past(3 * DAY)
    days.ends(third)
    assert days.count(f"{name} 2", "before") == 0


def test_singleton_cancels_a_run_that_sleeps_for_days(days: Days) -> None:
    name = "singleton"
    days.add_nap(name, 3 * DAY, singleton=inngest.Singleton(key=GROUP, mode="cancel"))
    days.register()
    days.mark()
    first = days.nap(name, 1)
    days.before(2 * DAY)
    days.goes_on(first)
    days.mark()
    second = days.nap(name, 2)
    days.ends(first, "Cancelled")
    days.before(3 * DAY)  # the nap of the first would be over
    assert [days.count(f"{name} {n}", "after") for n in (1, 2)] == [0, 0]
    days.past(3 * DAY)
    days.ends(second)
    assert days.count(f"{name} 1", "after") == 0


def test_a_run_of_low_priority_is_half_a_day_late(days: Days) -> None:
    name = "priority"
    days.add_single(name, priority=inngest.Priority(run="event.data.priority"))
    days.register()
    days.mark()
    late = days.one(name, "g", 1, priority=-12 * 60 * 60)
    days.ends(days.one(name, "g", 2, priority=0))
    days.before(12 * HOUR)
    assert days.ran(name, "g", 1, 2) == [2]
    days.past(12 * HOUR)
    days.ends(late)


def change_of_clocks(now: datetime.datetime) -> datetime.date:
    """The next day, more than a week away, on which the clocks change in Berlin: the last Sunday of March or October."""
    day = now.date() + 8 * DAY
    while not (day.month in (3, 10) and day.weekday() == 6 and (day + 7 * DAY).month != day.month):
        day += DAY
    return day


def ticks(days: Days, cron: str, on: tuple[int, int], straight: datetime.timedelta) -> None:
    """A schedule ticks on one day and on the next, counted from a change of clocks, not before either and not in between.

    straight: how far apart the ticks would be if the clocks did not change.
    """

    def timed(app: App, ctx: inngest.ContextSync) -> None:
        app.note(ctx, str(ctx.event.data["scheduledAt"]), "timed")

    days.add("timed", timed, trigger=inngest.TriggerCron(cron=cron))
    days.register()
    change = change_of_clocks(days.server.now())
    summer = change.month == 3  # begins
    morning = datetime.datetime.combine(change, datetime.time(9, 30), datetime.UTC)
    first = morning + on[0] * DAY - (1 if summer else 2) * HOUR
    second = morning + on[1] * DAY - (2 if summer else 1) * HOUR
    assert second - first == straight - (HOUR if summer else -HOUR)

    def text(at: datetime.datetime) -> str:
        return at.strftime("%Y-%m-%dT%H:%M:%SZ")

    days.to(first - MARGIN)  # of the ticks that were missed on the way the latest comes late
    assert days.count("timed", text(first)) == 0
    days.to(first + MARGIN)
    seen(days.app, "timed", text(first))
    before = len(days.app.runs("timed"))
    days.to(second - MARGIN)
    assert len(days.app.runs("timed")) == before
    days.to(second + MARGIN)
    seen(days.app, "timed", text(second))
    days.quiet()
    counts = [days.count("timed", text(at)) for at in (first, second)]
    assert (counts, len(days.app.runs("timed"))) == ([1, 1], before + 1)


def test_a_schedule_of_every_day_over_a_change_of_clocks(days: Days) -> None:
    ticks(days, "TZ=Europe/Berlin 30 9 * * *", (-1, 0), DAY)


def test_a_schedule_of_every_week_over_a_change_of_clocks(days: Days) -> None:
    ticks(days, "TZ=Europe/Berlin 30 9 * * 1", (-6, 1), 7 * DAY)


def test_an_event_with_a_time_in_a_month(days: Days) -> None:
    name = "planned"
    days.add_single(name)
    days.register()
    at = days.mark() + 30 * DAY
    event_id = days.send(name, {"key": name, "group": "g", "n": 1}, ts=int(at.timestamp() * 1000))
    days.before(30 * DAY)
    assert days.ran(name, "g", 1) == []
    days.past(30 * DAY)
    days.ends(event_id)
    assert days.ran(name, "g", 1) == [1]


def test_sleep_for_a_year_and_until_a_day_in_a_year(days: Days) -> None:
    until = days.mark() + 365 * DAY

    def sleeps_until(app: App, ctx: inngest.ContextSync) -> None:
        app.step(ctx, "before", 1)
        ctx.step.sleep_until("nap", until)
        app.step(ctx, "after", 1)

    days.add_nap("sleep", 365 * DAY)
    days.add("sleep-until", sleeps_until)
    days.register()
    ids = [days.nap(name, 1) for name in ("sleep", "sleep-until")]
    days.before(365 * DAY)
    for event_id in ids:
        days.goes_on(event_id)
    assert days.count("sleep 1", "after") + days.count("sleep-until 1", "after") == 0
    days.past(365 * DAY)
    for event_id in ids:
        days.ends(event_id)
    assert (days.count("sleep 1", "after"), days.count("sleep-until 1", "after")) == (1, 1)


def test_wait_for_an_event_for_a_month(days: Days) -> None:
    name = "wait"

    def waits(app: App, ctx: inngest.ContextSync) -> bool:
        app.step(ctx, "before", 1)
        mine = "async.data.key == event.data.key"
        got = ctx.step.wait_for_event("wait", event="py/wait.go", if_exp=mine, timeout=30 * DAY)
        return got is not None

    days.add(name, waits)
    days.register()
    days.mark()
    first, second = days.nap(name, 1), days.nap(name, 2)
    days.before(30 * DAY)
    days.goes_on(first)
    days.goes_on(second)
    days.send("wait.go", {"key": f"{name} 2"})
    assert days.ends(second) is True
    days.goes_on(first)
    days.past(30 * DAY)
    assert days.ends(first) is False


def test_invoke_with_a_timeout_of_a_month(days: Days) -> None:
    name = "invoke"

    def invokes(app: App, ctx: inngest.ContextSync) -> str:
        try:
            ctx.step.invoke_by_id("call", function_id="child", data={"key": "child"}, timeout=30 * DAY)
        except inngest.StepError:
            return "too late"
        return "in time"

    days.add_nap("child", 60 * DAY)
    days.add(name, invokes)
    days.register()
    days.mark()
    event_id = days.send(name, {"key": name})
    child = seen(days.app, "child", "before")
    days.before(30 * DAY)
    days.goes_on(event_id)
    days.past(30 * DAY)
    assert days.ends(event_id) == "too late"
    days.before(60 * DAY)
    assert days.count("child", "after") == 0
    days.past(60 * DAY)  # the child goes on without its parent
    assert days.server.await_run_id(child, WAIT)["status"] == "Completed"


def test_an_event_cancels_for_so_many_days(days: Days) -> None:
    name = "cancellable"
    cancel = inngest.Cancel(event="py/cancel.now", if_exp="async.data.key == event.data.key", timeout=3 * DAY)
    days.add_nap(name, 10 * DAY, cancel=[cancel])
    days.register()
    days.mark()
    first, second = days.nap(name, 1), days.nap(name, 2)
    days.before(3 * DAY)
    days.send("cancel.now", {"key": f"{name} 1"})
    days.ends(first, "Cancelled")
    days.past(3 * DAY)
    days.send("cancel.now", {"key": f"{name} 2"})
    days.quiet()
    days.goes_on(second)
    days.before(10 * DAY)
    days.goes_on(second)
    days.past(10 * DAY)
    days.ends(second)
    assert days.count(f"{name} 1", "after") == 0


def test_cancelled_when_it_has_not_started_for_days(days: Days) -> None:
    name = "start-timeout"
    throttle = inngest.Throttle(limit=1, burst=0, period=4 * DAY)
    days.add_single(name, timeouts=inngest.Timeouts(start=2 * DAY), throttle=throttle)
    days.register()
    days.mark()
    days.ends(days.one(name, "g", 1))
    second = days.one(name, "g", 2)
    days.before(2 * DAY)
    days.goes_on(second)
    days.past(2 * DAY)
    days.ends(second, "Cancelled")
    days.past(5 * DAY)
    assert days.ran(name, "g", 1, 2) == [1]


def test_cancelled_when_it_has_gone_on_for_days(days: Days) -> None:
    name = "finish-timeout"
    days.add_nap(name, 10 * DAY, timeouts=inngest.Timeouts(finish=3 * DAY))
    days.register()
    days.mark()
    event_id = days.nap(name, 1)
    days.before(3 * DAY)
    days.goes_on(event_id)
    days.past(3 * DAY)
    days.ends(event_id, "Cancelled")
    days.past(11 * DAY)
    assert days.count(f"{name} 1", "after") == 0


def test_a_step_asks_for_a_retry_in_a_day(days: Days) -> None:
    name = "retry"

    def retries(app: App, ctx: inngest.ContextSync) -> str:
        def later() -> str:
            app.note_step(ctx, "later")
            if ctx.attempt == 0:
                raise inngest.RetryAfterError("tomorrow", DAY)
            return "came"

        return ctx.step.run("later", later)

    days.add(name, retries, retries=3)
    days.register()
    days.mark()
    event_id = days.send(name, {"key": name})
    seen(days.app, name, "later")
    days.before(DAY)
    days.goes_on(event_id)
    assert days.count(name, "later") == 1
    days.past(DAY)
    assert days.ends(event_id) == "came"
    assert days.count(name, "later") == 2
