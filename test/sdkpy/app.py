"""The application under test: SDK functions served with Flask, and a record of what they saw."""

import collections
import collections.abc
import contextlib
import datetime
import logging
import threading
import time
import typing

import flask
import httpx
import inngest
import inngest.flask
import werkzeug.serving

import cancels
import flows
import invokes
import limits
import outside
import reruns
import timed
import traced
import waits
from harness import Keys
from provider import Provider

APP_ID = "py"
BIG_STEPS = 4
BIG_SIZE = 1_500_000  # bytes of one step's output; all together are over the 4 MiB at which calls are trimmed
AWKWARD = 'héllo <b>&</b> \u2028 🙂 "quoted" \\ \t 日本語'


class Sighting(typing.NamedTuple):
    what: str
    at: float  # seconds
    run_id: str


Declare = collections.abc.Callable[["App"], list[inngest.Function[typing.Any]]]


class App:
    """Serves the functions until close; registered with the server when the constructor returns.

    The functions are those of the suite, or what declare makes.
    """

    def __init__(self, server_url: str, keys: Keys | None, declare: Declare | None = None) -> None:
        self._lock = threading.Lock()
        self._seen: dict[str, list[Sighting]] = collections.defaultdict(list)
        self._steps: dict[str, set[str]] = collections.defaultdict(set)  # names of those whose body ran, by run id
        self.finished: dict[str, typing.Any] = {}  # data of inngest/function.finished events, by run id
        self.trimmed: set[str] = set()  # runs that had a call without its state
        self.answered: collections.Counter[str] = collections.Counter()  # calls answered, by run
        self.gates: dict[str, threading.Event] = collections.defaultdict(threading.Event)  # by key; steps wait at them
        self._inside: collections.Counter[str] = collections.Counter()  # calls in the app now, by what is limited
        self.most: collections.Counter[str] = collections.Counter()  # the most that there were
        self.provider = Provider()
        self.server_url = server_url

        quiet = logging.getLogger("quiet")
        quiet.setLevel(logging.CRITICAL)
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self.client = inngest.Inngest(
            app_id=APP_ID,
            api_base_url=server_url,
            event_api_base_url=server_url,
            # With keys the SDK checks the signature of every call and refuses others.
            is_production=keys is not None,
            signing_key=keys and keys.signing,
            event_key=keys and keys.event,
            logger=quiet,
        )
        web = flask.Flask("app")
        web.before_request(self._watch_trimming)
        web.after_request(self._watch_answers)
        inngest.flask.serve(web, self.client, declare(self) if declare else self._functions())
        self._web = werkzeug.serving.make_server("127.0.0.1", 0, web, threaded=True)
        self._web.daemon_threads = True
        threading.Thread(target=self._web.serve_forever, daemon=True).start()

        # The SDK registers itself with the server when it is asked to by PUT.
        self.url = f"http://127.0.0.1:{self._web.server_port}/api/inngest"
        response = httpx.put(self.url, timeout=30)
        assert response.status_code == 200, f"register the app: status {response.status_code}: {response.text}"

    def close(self) -> None:
        self._web.shutdown()
        self.provider.close()

    def _watch_trimming(self) -> None:
        if flask.request.method == "POST":
            call = flask.request.get_json(silent=True) or {}
            if call.get("use_api") or call.get("ctx", {}).get("use_api"):
                with self._lock:
                    self.trimmed.add(call["ctx"]["run_id"])

    def _watch_answers(self, response: flask.Response) -> flask.Response:
        if flask.request.method == "POST":
            call = flask.request.get_json(silent=True) or {}
            with self._lock:
                self.answered[str(call.get("ctx", {}).get("run_id"))] += 1
        return response

    def note(self, ctx: inngest.ContextSync, what: str, key: str | None = None) -> None:
        """Note that something happened in a run of the event with this key."""
        with self._lock:
            sighting = Sighting(what, time.monotonic(), ctx.run_id)
            self._seen[key or str(ctx.event.data["key"])].append(sighting)

    def note_step(self, ctx: inngest.ContextSync, step_id: str, what: str = "") -> None:
        """Note what happened in the body of a step."""
        self.note(ctx, what or step_id)
        with self._lock:
            self._steps[ctx.run_id].add(step_id)

    def steps_of(self, run_id: str) -> set[str]:
        """The names of the steps of a run whose body ran."""
        with self._lock:
            return set(self._steps[run_id])

    @contextlib.contextmanager
    def within(self, *names: str) -> typing.Iterator[None]:
        """Count what is in the app at once, by each of the names."""
        with self._lock:
            for name in names:
                self._inside[name] += 1
                self.most[name] = max(self.most[name], self._inside[name])
        try:
            yield
        finally:
            with self._lock:
                self._inside.subtract(names)

    def times(self, key: str, what: str) -> list[float]:
        """When it happened for the key, in order."""
        with self._lock:
            return [s.at for s in self._seen[key] if s.what == what]

    def runs(self, key: str) -> list[str]:
        """The different run ids seen for the key."""
        with self._lock:
            return list(dict.fromkeys(s.run_id for s in self._seen[key]))

    def step(self, ctx: inngest.ContextSync, step_id: str, value: typing.Any) -> typing.Any:
        def body() -> typing.Any:
            self.note_step(ctx, step_id)
            return value

        return ctx.step.run(step_id, body)

    def _functions(self) -> list[inngest.Function[typing.Any]]:
        """Every function of the suite; each listens to the event "py/<id>"."""
        functions: list[inngest.Function[typing.Any]] = []

        def add(
            fn_id: str, handler: typing.Any, retries: int = 0, **options: typing.Any
        ) -> inngest.Function[typing.Any]:
            create = self.client.create_function(
                fn_id=fn_id,
                retries=retries,
                trigger=inngest.TriggerEvent(event=f"{APP_ID}/{fn_id}"),
                **options,
            )
            functions.append(create(handler))
            return functions[-1]

        add("simple", self._simple)
        add("steps", self._three_steps)
        add("sleep", self._sleeps)
        add("step-retry", self._retries_step, retries=3)
        add("retry-after", self._retries_after, retries=3)
        add("fn-retry", self._retries_function, retries=3)
        add("exhausted", self._always_fails, retries=1, on_failure=self._on_failure)
        add("final-step", self._final_step, retries=3)
        add("final-fn", self._final_function, retries=3)
        add("parallel", self._parallel)
        add("loop", self._loop)
        add("large", self._large)
        add("many", self._many)
        add("numbers", self._numbers)
        for subject in (waits, invokes, cancels, flows, limits, outside, reruns, traced):
            subject.add_functions(self, add)
        functions.append(timed.function(self))
        observe = self.client.create_function(
            fn_id="observer", trigger=inngest.TriggerEvent(event="inngest/function.finished")
        )
        functions.append(observe(self._observe))
        return functions

    def _simple(self, ctx: inngest.ContextSync) -> typing.Any:
        self.note(ctx, "call")
        return {"echo": dict(ctx.event.data), "attempt": ctx.attempt}

    def _three_steps(self, ctx: inngest.ContextSync) -> typing.Any:
        first = self.step(ctx, "first", {"n": 1, "text": AWKWARD})
        second = self.step(ctx, "second", [first["n"], 2, {"deep": {"x": None}}])
        third = self.step(ctx, "third", f"length {len(second)}")
        return {"first": first, "second": second, "third": third}

    def _sleeps(self, ctx: inngest.ContextSync) -> typing.Any:
        self.step(ctx, "before", 1)
        ctx.step.sleep("nap", datetime.timedelta(seconds=1))
        return self.step(ctx, "after", "rested")

    def _retries_step(self, ctx: inngest.ContextSync) -> typing.Any:
        self.step(ctx, "kept", 1)

        def flaky() -> int:
            self.note_step(ctx, "flaky", f"flaky {ctx.attempt}")
            if ctx.attempt < 2:
                raise ValueError("not yet")
            return ctx.attempt

        return ctx.step.run("flaky", flaky)

    def _retries_after(self, ctx: inngest.ContextSync) -> typing.Any:
        def later() -> str:
            self.note_step(ctx, "later")
            if ctx.attempt == 0:
                raise inngest.RetryAfterError("in a moment", datetime.timedelta(seconds=3))
            return "came"

        return ctx.step.run("later", later)

    def _retries_function(self, ctx: inngest.ContextSync) -> typing.Any:
        kept = self.step(ctx, "kept", "kept")
        self.note(ctx, f"past the step {ctx.attempt}")
        if ctx.attempt == 0:
            raise ValueError("the function fails once")
        return kept

    def _always_fails(self, ctx: inngest.ContextSync) -> typing.Any:
        def hopeless() -> None:
            self.note_step(ctx, "hopeless", f"hopeless {ctx.attempt}")
            raise ValueError(f"hopeless at attempt {ctx.attempt}")

        ctx.step.run("hopeless", hopeless)

    def _on_failure(self, ctx: inngest.ContextSync) -> typing.Any:
        data: typing.Any = ctx.event.data

        def report() -> str:
            self.note(ctx, data["error"]["message"], f"{data['event']['data']['key']}/failure")
            return "handled"

        return ctx.step.run("report", report)

    def _final_step(self, ctx: inngest.ContextSync) -> typing.Any:
        def no() -> None:
            self.note_step(ctx, "no", "step")
            raise inngest.NonRetriableError("not again in the step")

        ctx.step.run("no", no)

    def _final_function(self, ctx: inngest.ContextSync) -> typing.Any:
        self.note(ctx, "call")
        raise inngest.NonRetriableError("not again in the function")

    def _parallel(self, ctx: inngest.ContextSync) -> typing.Any:
        parts = ctx.group.parallel(
            (
                lambda: self.step(ctx, "a", "a!"),
                lambda: self.step(ctx, "b", "b!"),
                lambda: self.step(ctx, "c", "c!"),
            )
        )
        return self.step(ctx, "join", "".join(parts))

    def _loop(self, ctx: inngest.ContextSync) -> typing.Any:
        def turn(number: int) -> int:
            self.note(ctx, f"round {number}")
            return number * 10

        return [ctx.step.run("same id", turn, number) for number in range(5)]

    def _large(self, ctx: inngest.ContextSync) -> typing.Any:
        parts = [self.step(ctx, f"big {i}", chr(97 + i) * BIG_SIZE) for i in range(BIG_STEPS)]
        return self.step(ctx, "sum", sum(map(len, parts)))

    def _many(self, ctx: inngest.ContextSync) -> typing.Any:
        one = self.step(ctx, "one", ctx.event.data["i"])
        self.step(ctx, "two", one)
        return one

    def _numbers(self, ctx: inngest.ContextSync) -> typing.Any:
        self.note(ctx, "call")
        return ctx.step.run("pass on", lambda: dict(ctx.event.data))

    def _observe(self, ctx: inngest.ContextSync) -> None:
        data: typing.Any = ctx.event.data
        self.finished[data["run_id"]] = data
