"""Runs the real server binary for the tests and asks it what it knows, over HTTP only."""

import collections
import collections.abc
import datetime
import itertools
import os
import signal
import socket
import subprocess
import threading
import time
import typing

import httpx

import trace_checks as traces

START_LIMIT = 30.0  # seconds until /health answers
TRACE_LIMIT = 30.0  # seconds that the trace of a run ends later than the run itself: it is written in groups
STOP_LIMIT = 15.0  # seconds from SIGTERM until the process is gone
POLL = 0.025  # seconds between two looks
LOG_LINES = 200  # kept for a failing test

T = typing.TypeVar("T")
Look = collections.abc.Callable[[], tuple[T | None, str]]


def eventually(what: str, limit: float, look: Look[T]) -> T:
    """Look until the first member of the answer is true, and return it; the second says what was seen last."""
    deadline = time.monotonic() + limit
    while True:
        found, seen = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {limit} s; last seen: {seen}")
        time.sleep(POLL)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Keys(typing.NamedTuple):
    signing: str  # hex
    event: str


class Server:
    """A development server in memory, or with keys a production server in a folder. Ready when the constructor returns.

    The time of a development server with a clock is moved by hand.
    """

    def __init__(self, *args: str, keys: Keys | None = None, folder: str = "", clock: bool = False) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        env = dict(os.environ, DO_NOT_TRACK="1", INNGEST_NO_UPDATE_NOTIFIER="1")
        self.keys = keys
        mode = ["dev", "--no-discovery", "--no-poll"]
        headers = {}
        if keys is not None:
            mode = ["start", "--signing-key", keys.signing, "--event-key", keys.event, "--sqlite-dir", folder]
            headers["Authorization"] = f"Bearer {keys.signing}"
        if clock:
            clock_port = free_port()
            self._clock_url = f"http://127.0.0.1:{clock_port}"
            mode += ["--clock-port", str(clock_port)]
        command = [os.environ["INGOT_CLOCK_BIN" if clock else "INGOT_BIN"], *mode, "--host", "127.0.0.1"]
        self._process = subprocess.Popen(
            [*command, "--port", str(port), *args],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self._lines: collections.deque[str] = collections.deque(maxlen=LOG_LINES)
        threading.Thread(target=self._keep_log, daemon=True).start()
        self._client = httpx.Client(base_url=self.url, timeout=30, headers=headers)
        self._fresh = itertools.count()
        try:
            eventually("start of the server", START_LIMIT, self._healthy)
        except BaseException:
            self._process.kill()
            print(self.log())
            raise

    def _keep_log(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.append(line)

    def log(self) -> str:
        return "".join(self._lines)

    def _healthy(self) -> tuple[bool, str]:
        if self._process.poll() is not None:
            raise AssertionError(f"the server ended by itself with {self._process.returncode}:\n{self.log()}")
        try:
            return self._client.get("/health").status_code == 200, "another status than 200"
        except httpx.TransportError as error:
            return False, repr(error)

    def stop(self) -> None:
        """Stop the server; an end that is not clean is an error."""
        self._client.close()
        if self._process.poll() is not None:
            raise AssertionError(f"the server had ended by itself with {self._process.returncode}:\n{self.log()}")
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
        assert code == 0, f"the server ended with {code}:\n{self.log()}"

    def now(self) -> datetime.datetime:
        """The time of a server with a clock."""
        return self._time(httpx.get(f"{self._clock_url}/now", timeout=30))

    def advance(self, by: datetime.timedelta) -> None:
        """Move it ahead. What is due then happens soon after."""
        params = {"by": f"{by // datetime.timedelta(microseconds=1)}us"}
        self._time(httpx.post(f"{self._clock_url}/advance", params=params, timeout=30))

    def _time(self, answer: httpx.Response) -> datetime.datetime:
        assert answer.status_code == 200, answer.text
        seconds, _, _ = answer.text.partition(".")  # there is no class for nanoseconds
        return datetime.datetime.fromisoformat(seconds.strip().removesuffix("Z") + "+00:00")

    def read(self, path: str) -> typing.Any:
        """The data of a /v1 read. The changing query string passes the API's cache."""
        response = self._client.get(path, params={"fresh": next(self._fresh)})
        body = response.json()
        if response.status_code != 200 or body.get("error"):
            raise ReadError(f"{path}: status {response.status_code}: {response.text[:300]}")
        return body["data"]

    def call(self, method: str, path: str, **options: typing.Any) -> httpx.Response:
        """Ask the API, with the server's key if it has one."""
        return self._client.request(method, path, **options)

    def cancel(self, run_id: str) -> None:
        """Cancel a run; that it has ended already is no error."""
        response = self.call("DELETE", f"/v1/runs/{run_id}")
        assert response.status_code == 200, response.text

    def query(self, query: str, variables: dict[str, typing.Any]) -> typing.Any:
        """The data of an answer of GraphQL; any error in it is one."""
        response = self._client.post("/v0/gql", json={"query": query, "variables": variables})
        assert response.status_code == 200 and not response.json().get("errors"), response.text[:500]
        return response.json()["data"]

    def check_trace(self, run: dict[str, typing.Any], steps: collections.abc.Iterable[str] = ()) -> None:
        """Check that the trace of a run that has ended, in both shapes, is the one of that end.

        Each of the steps, by name, is in it once; in a run that did not complete one may be missing, as nobody need
        have heard of it.
        """

        def look() -> tuple[dict[str, traces.Span] | None, str]:
            status, shapes = traces.trace_of(self, run["run_id"])
            return shapes if status == run["status"].upper() else None, f"GraphQL says it is {status}"

        for shape, root in eventually(f"trace of run {run['run_id']}", TRACE_LIMIT, look).items():
            wrong = traces.faults(self, root, shape, run, steps)
            assert not wrong, f"{shape} trace of run {run['run_id']}: {wrong}\n{traces.outline(root)}"

    def await_run_id(self, run_id: str, limit: float) -> dict[str, typing.Any]:
        """The run once it has its end; its trace must agree."""

        def look() -> tuple[dict[str, typing.Any] | None, str]:
            try:
                run = self.read(f"/v1/runs/{run_id}")
            except ReadError as error:
                return None, str(error)
            ended = run["status"] in ("Completed", "Failed", "Cancelled", "Skipped") and run["ended_at"]
            return run if ended else None, run["status"]

        run = eventually(f"end of run {run_id}", limit, look)
        self.check_trace(run)
        return run

    def await_run(self, event_id: str, limit: float) -> dict[str, typing.Any]:
        """The one run of an event once it has its end, in both views of the server."""

        def only() -> dict[str, typing.Any] | None:
            runs = self.read(f"/v1/events/{event_id}/runs")
            assert len(runs) <= 1, f"event {event_id} started {len(runs)} runs: {runs}"
            return runs[0] if runs else None

        listed = eventually(f"run of event {event_id}", limit, lambda: (only(), "no run yet"))
        run = self.await_run_id(listed["run_id"], limit)

        def agrees() -> tuple[bool, str]:
            again = only()
            return again is not None and again["status"] == run["status"], str(again)

        eventually(f"list of event {event_id}", limit, agrees)
        return run


class ReadError(Exception):
    """An answer of the read API that is not the data asked for."""
